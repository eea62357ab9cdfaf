"""The section ``[audit.stamp]`` of the service's settings: who puts time-stamps on the audit log."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from connector.profile.partner_tls import PartnerTls
from connector.profile.section import FilePath, Seconds, Section, check_url, fault

STAMPS: Final = "audit stamps"  # the name of the connections to the authority


class AuditStamp(Section):
    """An authority for time-stamps (RFC 3161), whose clock others believe. Needs the extra:
    `pip install "connector[stamps]"`."""

    url: str
    """Where it listens, `https://host:port/path`; plain http is for a loopback address alone, where something
    of yours passes it on."""
    trust: FilePath
    """The authorities that may vouch for who signs the time-stamps, and no others (PEM)."""
    every_seconds: Seconds = 3600.0
    """How long after one time-stamp the next is asked for, where the log has grown."""
    answer_seconds: Seconds = 10.0
    """The longest time for each part of one answer: connection, handshake, request, answer."""
    silent_after_seconds: Seconds = 14400.0
    """After how long without a time-stamp of a log that grows the alarm is raised."""
    tls: PartnerTls = Field(default_factory=PartnerTls)
    """TLS with its host, where it differs from the service's `[tls]`."""

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        return check_url(url, insecure_loopback=True)

    @model_validator(mode="after")
    def _patient(self) -> Self:
        if self.silent_after_seconds <= self.every_seconds:
            what = "the alarm would be raised before the next time-stamp is asked for"
            raise fault(what, fix="give it more than every_seconds", key=("silent_after_seconds",))
        return self
