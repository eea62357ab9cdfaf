"""The section ``[v2.to]``: where the HL7 v2 system listens, how we talk to it, what its answers mean."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector.hl7v2 import charset
from connector.profile.section import (
    Form,
    PartnerHost,
    Port,
    ProcessingId,
    Seconds,
    Section,
    Table,
    V2Name,
    V2Version,
    fault,
    none,
)


def _charset(name: str) -> str:
    found = charset.known(name)
    if name and not found:
        raise fault("this character set is not known", fix='write a name of table 0211, as "UNICODE UTF-8"')
    return found


Charset = Annotated[str, AfterValidator(_charset)]
"""A character set by any of its names; the model holds that of table 0211."""
Reply = Annotated[
    str,
    Form(
        r"(?:AE|AR|CE|CR)(?:\.(?:10[0-3]|20[0-7]))?|timeout|wrong-id|garbage",
        "AE, AR, CE, CR, one of these with a condition of table 0357 (AE.103), timeout, wrong-id or garbage",
    ),
]
ReplyWay = Literal["retry", "stop", "dead", "hold"]
Wanted = Literal["", "AL", "NE", "ER", "SU"]
"""Table 0155: always, never, on error, on success; "": nothing is said."""
Pause = Annotated[float, Field(ge=0, le=86400)]


class V2Acknowledgments(Section):
    """Which acknowledgments our messages ask for. Without this table: one, in original mode."""

    accept: Wanted = ""
    """MSH-15 of what we send, the commit acknowledgment: `AL` always, `NE` never, `ER` on error, `SU` on
    success."""
    application: Wanted = ""
    """MSH-16 of what we send, the application acknowledgment. Both or neither are set; with neither the
    partner answers in original mode."""
    delivered: Literal["commit", "application"] = "commit"
    """Which of them says that a message is delivered. With `application` the partner's CA is not enough: we
    wait for its AA, which may come on the same connection or on one that the partner makes (`[v2.from]`)."""
    application_seconds: Seconds = 60.0
    """How long to wait for the application acknowledgment after the commit acknowledgment."""

    @model_validator(mode="after")
    def _comes(self) -> Self:
        if bool(self.accept) != bool(self.application):
            raise fault("one of accept and application is set", fix="set the other too, to NE for none")
        awaited = self.application if self.delivered == "application" else self.accept
        if awaited not in ("AL", "SU") and (self.accept or self.delivered == "application"):
            raise fault(
                "the acknowledgment that would say so never comes",
                fix="ask for it with AL or SU, or take the other one",
                key=("delivered",),
            )
        return self


class V2Receiver(Section):
    """Where the partner listens for MLLP over TLS, and what stands in MSH of what we send."""

    host: PartnerHost
    """The partner's host name or address."""
    port: Port
    """The partner's port."""
    server_name: Annotated[str, Form(r"[A-Za-z0-9.:-]+", "a host name", True)] = ""
    """The name in the partner's certificate; `""`: `host`."""
    application: V2Name = "CONNECTOR"
    """Our sending application, MSH-3."""
    facility: V2Name = "CONNECTOR"
    """Our sending facility, MSH-4."""
    receiving_application: V2Name
    """The partner's application, MSH-5."""
    receiving_facility: V2Name
    """The partner's facility, MSH-6."""
    version: V2Version = "2.5.1"
    """The version of messages that we write anew, MSH-12."""
    charset: Charset = "UNICODE UTF-8"
    """The character set of messages that we write anew, MSH-18."""
    processing_id: ProcessingId = "P"
    """MSH-11 of messages that we write anew."""
    connections: Annotated[int, Field(ge=1, le=64)] = 1
    """The most connections at once. Each carries one message and waits for its acknowledgment; more than one
    helps where several lanes are delivered in parallel."""
    keep: bool = True
    """Keep a connection for the next message; false: every message has one of its own."""
    idle_seconds: Pause = 0.0
    """Close a kept connection after so long without a message; 0: never."""
    keep_alive_seconds: Pause = 60.0
    """Have TCP ask, after so long without traffic, whether the partner is still there (a firewall may have
    forgotten the connection); 0: never."""
    connect_seconds: Seconds = 10.0
    """How long to wait for a connection and its handshake."""
    write_seconds: Seconds = 30.0
    """How long to wait for the partner to read a message."""
    acknowledgment_seconds: Seconds = 30.0
    """How long to wait for an acknowledgment. Then the connection is closed, before anything is sent
    again."""
    acknowledgment_bytes: Annotated[int, Field(ge=1024, le=16 * 1024 * 1024)] = 1024 * 1024
    """The largest acknowledgment; a larger one is garbage."""
    acknowledgments: V2Acknowledgments = Field(default_factory=V2Acknowledgments)
    """Which acknowledgments our messages ask for."""
    duplicates: Literal["delivered", "refused"] = "delivered"
    """What it means that the partner had a message with this control id before: it is `delivered`, or the
    answer counts like any other of its code."""
    replies: Table[Reply, ReplyWay] = Field(default_factory=none)
    """What an answer or a failure does: `retry` (again, in order), `stop` (the lane stops, the message stays
    at its head for a person), `dead` (a dead letter, the lane goes on) or `hold` (nothing is sent to this
    partner until a person resumes). A key is `AE`, `AR`, `CE` or `CR`, one of these with a condition of table
    0357 (`"AE.103"`), `timeout` (no acknowledgment came), `wrong-id` (only such of other messages came) or
    `garbage` (what came is none). Without a row: conditions 206 and 207 of AE and CE, `timeout`, `wrong-id`
    and `garbage` are tried again; the rest is refused for good."""
