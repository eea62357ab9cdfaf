"""The section ``[v2]``: what the HL7 v2 system sends, who it is, and where it listens."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from connector.profile.partner_tls import PartnerTls
from connector.profile.receiver import Charset, V2Receiver
from connector.profile.section import ProcessingId, Section, V2Message, V2Version, fault
from connector.profile.sender import V2Sender


def _zone(name: str) -> str:
    if name and name not in available_timezones():
        raise fault("there is no such time zone", fix='write its IANA name, such as "Europe/Vienna"')
    return name


TimeZone = Annotated[str, AfterValidator(_zone)]


class V2(Section):
    """The HL7 v2 side: usually the hospital."""

    time_zone: TimeZone = ""
    """The IANA zone of times that are sent without an offset; `""`: such times cannot be said in FHIR."""
    charset: Charset = ""
    """The character set of messages whose MSH-18 is silent, by its name in table 0211 (`8859/1`); `""`:
    UTF-8, and what is no UTF-8 is refused."""
    versions: tuple[V2Version, ...] = ()
    """The accepted versions (MSH-12); empty: 2.1 to 2.8.2."""
    messages: tuple[V2Message, ...] = ()
    """The accepted messages (MSH-9): `ADT^A01`, or `ADT^*` for every event; empty: all that the maps
    know."""
    processing_ids: tuple[ProcessingId, ...] = ("P",)
    """The accepted processing ids (MSH-11): `P` production, `T` training, `D` debugging."""
    conformance: Literal["lenient", "strict"] = "lenient"
    """How incoming messages are judged: `lenient` asks for what translation needs, `strict` has an
    independent implementation check every segment, field and code."""
    unreadable: Literal["nack", "close"] = "nack"
    """What happens to bytes in which no MSH can be read, after they went to quarantine: a fixed negative
    acknowledgment, or the connection is closed."""
    acknowledgment: Literal["by-message", "original", "enhanced"] = "by-message"
    """What we answer: AA/AE/AR (`original`), CA/CE/CR (`enhanced`), or as MSH-15 and MSH-16 ask
    (`by-message`)."""
    reused_control_id: Literal["take", "refuse"] = "take"
    """What happens to another content under a control id (MSH-10) that this sender used before: it is taken
    as a message of its own, or refused (AE, 205); audited both ways."""
    sequence_numbers: Literal["ignored", "where sent", "required"] = "ignored"
    """Whether MSH-13 is held against the number that comes next (HL7 v2.5.1 section 2.10.1), for each sender
    (MSH-3 and MSH-4) where it sends one, or from every message."""
    batch_acknowledgment: Literal["all", "errors"] = "all"
    """Of which messages the answer to a batch speaks: of all, or of those that were not taken."""
    sender: Annotated[V2Sender | None, Field(alias="from")] = None
    """Who may speak for this partner; without this table no v2 messages are taken."""
    receiver: Annotated[V2Receiver | None, Field(alias="to")] = None
    """Where v2 messages are delivered; without this table none are."""
    tls: PartnerTls = Field(default_factory=PartnerTls)
    """Mutual TLS with this side."""

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.sender is not None and not self.sender.named and self.tls.pinned is None:
            raise fault(
                "nobody may speak for this partner",
                fix="name a fingerprint under certificates",
                key=("from",),
            )
        return self
