"""The section ``[audit.feed]`` of the service's settings: who gets the audit log while it is written.

Sources: IHE ITI TF-2 3.20 (ITI-20: syslog, and the ATX: FHIR Feed option), RFC 5424, RFC 5425, DICOM PS3.15
A.6.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from connector.profile.endpoint import FhirToken, Url
from connector.profile.partner_tls import PartnerTls
from connector.profile.section import (
    Bytes,
    Form,
    Found,
    Name,
    PartnerHost,
    Port,
    Seconds,
    Section,
    check_url,
    fault,
    faults,
)

ServerName = Annotated[str, Form(r"[A-Za-z0-9.:-]+", "a host name", True)]
Pause = Annotated[float, Field(gt=0, le=3600)]


class FeedTimes(Section):
    """How a feed goes, and what it does when it does not."""

    batch: Annotated[int, Field(ge=1, le=1000)] = 100
    """How many entries go at once at most."""
    per_second: Annotated[int, Field(ge=1, le=100_000)] = 2000
    """How many entries a second go at most, so that catching up does not hold up messages."""
    first_seconds: Pause = 0.5
    """The longest pause after the first attempt that failed; each is twice as long as the one before."""
    most_seconds: Pause = 60.0
    """The longest pause of all."""
    alarm_seconds: Seconds = 300.0
    """After how long an outage is told of (`audit:feed:stopped`, a warning of the service); one that only a
    person can end, such as a certificate that does not fit, is told of at once."""
    connect_seconds: Seconds = 10.0
    """How long connecting may take, with the handshake."""
    write_seconds: Seconds = 30.0
    """How long the repository may take to read what is sent."""


class Fed(FeedTimes):
    """What all feeds have in common."""

    name: Name
    """The name of the feed, in the audit log too. How far the repository has the log is kept under it: under
    another name a feed begins anew."""
    begin: Literal["now", "beginning"] = "now"
    """Where a new feed begins: behind the last entry that is there at its first start, or at the first of the
    log."""
    on_refusal: Literal["stop", "leave out"] = "stop"
    """What an entry does that the repository never takes, or that has no form that it takes: the feed stops
    there until a person mends it, or the entry is left out and the log tells of that
    (`audit:feed:skipped`). Ten in a row stop it in any case."""
    tls: PartnerTls = Field(default_factory=PartnerTls)
    """Mutual TLS with the repository, where it differs from the service's `[tls]`."""


class SyslogFeed(Fed):
    """An audit record repository that takes ATNA audit messages over syslog (IHE ITI-20: RFC 5424 in RFC
    5425, mutual TLS). Syslog acknowledges nothing: an entry counts as delivered when the connection that
    brought it has ended in order, which is therefore done again and again."""

    host: PartnerHost
    """Its host."""
    port: Port = 6514
    """Its port (6514 is IANA's for syslog over TLS)."""
    server_name: ServerName = ""
    """The name in its certificate; `""`: `host`."""
    msgid: Literal["IHE+RFC-3881", "DICOM+RFC3881"] = "IHE+RFC-3881"
    """MSGID: as IHE ITI-20 has it, or as DICOM does."""
    facility: Literal[10, 13] = 10
    """Facility: 10 (security/authorization), as ITI-20 has it, or 13 (log audit)."""
    byte_order_mark: bool = True
    """Whether the message begins with the mark of UTF-8 (RFC 5424); some repositories do not read it."""
    message_bytes: Bytes = 1024 * 1024
    """The longest message that the repository takes whole: RFC 5425 asks for 2,048 at least, DICOM for
    32,768. A longer one is not sent, since it would be cut off without a word: see `on_refusal`."""
    confirmation: Literal["close_notify", "end of stream"] = "close_notify"
    """What says that a repository has read everything: its answer to our goodbye in TLS, which RFC 5425 (4.4)
    asks of it; or, for one that does not answer, that it closes the connection in peace."""
    window: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """How many entries may be under way without being known to have come. So many at most go again after an
    outage."""
    confirm_seconds: Seconds = 30.0
    """After how long what is under way is made sure of."""
    goodbye_seconds: Seconds = 10.0
    """How long the repository may take to answer our goodbye."""
    dead_seconds: Seconds = 30.0
    """After how long TCP gives up a repository that is silent."""
    again: Annotated[int, Field(ge=0, le=100_000)] = 0
    """How many entries that are known to have come go again after an outage, for a repository that keeps
    in memory what it has read and may lose it."""


class FhirFeed(Fed):
    """An audit record repository that takes FHIR AuditEvents (IHE ITI-20, ATX: FHIR Feed option; BALP)."""

    insecure_loopback: bool = False
    """Allow `http` to this machine, for tests."""
    base: Url
    """Its FHIR endpoint."""
    server_name: ServerName = ""
    """The name in its certificate; `""`: the host of `base`."""
    delivery: Literal["each", "batch"] = "each"
    """Each AuditEvent by itself, in order; or as entries of a batch, within which their order is its own."""
    interaction: Literal["create", "update"] = "create"
    """`create`: under the condition that there is none with the same tag yet (`If-None-Exist`). `update`:
    under an id of ours, which a repository has to allow."""
    answer_seconds: Seconds = 30.0
    """How long to wait for an answer to begin, and then for its end."""
    answer_bytes: Bytes = 1024 * 1024
    """The longest answer."""
    token: FhirToken | None = None
    """Where we get access tokens for `base`; without this table, requests go without one."""

    @field_validator("base")
    @classmethod
    def _safe(cls, base: str, info: ValidationInfo) -> str:
        return check_url(base, insecure_loopback=info.data.get("insecure_loopback", False))


class AuditFeeds(Section):
    """Who gets the audit log while it is written. The log itself is what waits: an entry that a repository
    does not have yet stays there, and goes when it can, in order and at least once."""

    syslog: tuple[SyslogFeed, ...] = ()
    """Repositories that take syslog."""
    fhir: tuple[FhirFeed, ...] = ()
    """Repositories that take FHIR."""

    @property
    def all(self) -> tuple[Fed, ...]:
        """Every feed."""
        return (*self.syslog, *self.fhir)

    @model_validator(mode="after")
    def _known_by_one_name(self) -> Self:
        places = [(kind, n, one) for kind in ("syslog", "fhir") for n, one in enumerate(getattr(self, kind))]
        names = [one.name for _, _, one in places]
        again = [place for at, place in enumerate(places) if place[2].name in names[:at]]
        if again:
            fix = "give each its own"
            raise faults(Found("another feed has this name", fix, (kind, n, "name")) for kind, n, _ in again)
        return self

    @model_validator(mode="after")
    def _pauses_grow(self) -> Self:
        for kind in ("syslog", "fhir"):
            for n, one in enumerate(getattr(self, kind)):
                if one.most_seconds < one.first_seconds:
                    what = "the longest pause is shorter than the first"
                    raise fault(what, fix="raise most_seconds", key=(kind, n, "most_seconds"))
        return self
