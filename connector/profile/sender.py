"""The section `[v2.from]`: who may speak for the partner, and where its application acknowledgments go."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connector.profile.partner_tls import MaySpeak
from connector.profile.section import Form, Port, Seconds, Section, V2Name, check_host, fault


class V2Answers(Section):
    """Where application acknowledgments (AA, AE, AR) go that a sender asks for in enhanced mode (MSH-16)."""

    via: Literal["same", "separate"] = "same"
    """`same`: over the connection that the message came by, or another of this partner that is open;
    `separate`: to a listener of the partner."""
    host: Annotated[
        str,
        Form(r"[A-Za-z0-9](?:[A-Za-z0-9.:-]*[A-Za-z0-9])?|::1?", "a host name", True),
        AfterValidator(check_host),
    ] = ""
    """That listener's host name or address."""
    port: Port | None = None
    """That listener's port."""
    server_name: Annotated[str, Form(r"[A-Za-z0-9.:-]+", "a host name", True)] = ""
    """The name in that listener's certificate; `""`: `host`."""
    accept: Literal["AL", "NE"] = "NE"
    """MSH-15 of these acknowledgments: whether the partner is to confirm each with CA. Without, one counts as
    handed over once the connection has taken it."""
    connect_seconds: Seconds = 10.0
    """How long to wait for a connection and its handshake."""
    acknowledgment_seconds: Seconds = 30.0
    """How long to wait for the partner's CA."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        named = (bool(self.host), bool(self.port))
        if named != (self.via == "separate",) * 2:
            raise fault(
                "answers go over the same connection, or to a host and a port of their own",
                fix='set via = "separate" with host and port, or none of them',
                key=("via",),
            )
        return self


class V2Sender(MaySpeak):
    """Who may speak for this partner over MLLP. A certificate, subject, name or pinned certificate is
    required."""

    applications: tuple[V2Name, ...] = ()
    """The accepted sending applications (MSH-3.1); empty: any."""
    facilities: tuple[V2Name, ...] = ()
    """The accepted sending facilities (MSH-4.1); empty: any."""

    answers: V2Answers = Field(default_factory=V2Answers)
    """Where application acknowledgments go."""

    @property
    def named(self) -> bool:
        """Whether it names anybody."""
        return bool(self.certificates or self.subjects or self.names)
