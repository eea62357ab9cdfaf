"""A profile: one link between one v2 system and one FHIR system, as an interface analyst writes it.

Frozen and strict. Reading one from a file, with the lines of its faults, is ``load.load``. The sections
are in ``hospital`` ([v2]), ``endpoint`` ([fhir]), ``verbs`` ([mapping]) and ``events``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, model_validator

from connector.mapping.messages.changes import Rule, rules
from connector.profile.authority import Authorities
from connector.profile.delivery import DeliveryRules
from connector.profile.events import Events
from connector.profile.fhir import Fhir
from connector.profile.hospital import V2
from connector.profile.section import (
    Bytes,
    Count,
    Found,
    Name,
    Rate,
    Seconds,
    Section,
    Text,
    V2Name,
    fault,
    faults,
    none,
)
from connector.profile.verbs import Mapping

Direction = Literal["to_fhir", "to_v2"]


class Identity(Section):
    """How resource ids are made from the partner's identifiers."""

    namespace: Text = ""
    """Keeps the ids of this link apart from those of others; `""`: the profile's name. Changing it later
    gives every resource a new id."""
    patient_authorities: tuple[V2Name, ...] = ()
    """Which assigning authorities' identifiers (HD.1) name a patient, the preferred one first; empty: the
    first identifier sent."""


class Limits(Section):
    """What one message of this link may take. The service's own limits hold as well."""

    frame_bytes: Bytes = 16 * 1024 * 1024
    """The largest v2 message."""
    body_bytes: Bytes = 16 * 1024 * 1024
    """The largest FHIR request."""
    segments: Count = 20_000
    """The most segments in one v2 message."""
    fields: Count = 1_000
    """The most fields in one segment."""
    repetitions: Count = 10_000
    """The most repetitions of one field."""
    waiting: Count = 100_000
    """How many messages may wait for translation or delivery before new ones are turned away."""
    connections: Count = 100
    """How many connections over MLLP the partner may have open; more are closed and audited."""
    in_hand: Count = 64
    """How many frames of the partner are worked on at once; over that its connections are not read on."""
    messages_per_second: Rate = 0.0
    """How many v2 messages a second are read from the partner; `0`: as many as come."""
    burst: Count = 100
    """How many may come at once after a pause, where messages a second are limited."""
    requests_per_second: Rate = 500.0
    """How many FHIR requests a second are taken from the partner, over all of its clients; more are answered
    429; `0`: as many as come."""
    requests_burst: Count = 1000
    """How many may come at once after a pause."""


class RetryPauses(Section):
    """The pauses between attempts to deliver to a partner that does not answer."""

    first_seconds: Seconds = 0.5
    """The pause after the first failure."""
    most_seconds: Seconds = 300.0
    """The longest pause."""
    factor: float = Field(default=2.0, ge=1, le=10)
    """By how much each pause is longer than the one before."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.most_seconds < self.first_seconds:
            raise fault("the longest pause is shorter than the first", key=("most_seconds",))
        return self


class Profile(Section):
    """One link between one v2 system and one FHIR system."""

    name: Name
    """The id of the link, in audit entries and in what binds ciphertexts to their place. Do not rename."""
    description: Text = ""
    """One line for people."""
    purpose: Text = ""
    """For what the partner gets what goes over this link, in one line for the accounting of disclosures (45
    CFR 164.528), such as `treatment: results to the ordering practice`."""
    v2: V2 = Field(default_factory=V2)
    """The HL7 v2 side."""
    fhir: Fhir = Field(default_factory=Fhir)
    """The FHIR side."""
    identity: Identity = Field(default_factory=Identity)
    """Resource ids."""
    mapping: Mapping = Field(default_factory=Mapping)
    """The partner's differences from the maps."""
    events: Events = Field(default_factory=none)
    """Which v2 message a FHIR change becomes, over the defaults: `"Encounter.finished" = "ADT^A03"`; `""`:
    none, on purpose."""
    authority: Authorities = Field(default_factory=Authorities)
    """Who wins where both sides changed the same thing, and what becomes of updates that come too late."""
    limits: Limits = Field(default_factory=Limits)
    """Limits."""
    retry: RetryPauses = Field(default_factory=RetryPauses)
    """Pauses between attempts."""
    delivery: DeliveryRules = Field(default_factory=DeliveryRules)
    """Lanes, how many at once, and what a refusal does."""

    _path: Path = PrivateAttr(default=Path())
    _sha256: str = PrivateAttr(default="")

    def model_post_init(self, context: Any) -> None:
        """Takes over what the file says about itself: where it lies and its digest."""
        origin = context or {}
        self._path = origin.get("path", Path())
        self._sha256 = origin.get("sha256", "")

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        found = []
        if self.v2.sender is not None and not self.fhir.base:
            found.append(
                Found("v2 comes in, but there is nowhere to deliver it", "set fhir.base", ("v2", "from"))
            )
        if self.fhir.caller is not None and self.v2.receiver is None:
            found.append(
                Found("FHIR comes in, but there is nowhere to deliver it", "add [v2.to]", ("fhir", "from"))
            )
        if found:
            raise faults(found)
        return self

    @property
    def path(self) -> Path:
        """The file this profile was read from."""
        return self._path

    @property
    def sha256(self) -> str:
        """The identity of the profile: the hexadecimal SHA-256 of its file."""
        return self._sha256

    @property
    def namespace(self) -> str:
        """What keeps resource ids of this link apart from those of others."""
        return self.identity.namespace or self.name

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone of v2 times without an offset; None: such times cannot be said in FHIR."""
        return ZoneInfo(self.v2.time_zone) if self.v2.time_zone else None

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Which v2 message a FHIR change becomes, in the order to try them; the defaults included."""
        return rules(self.events)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions in which the link carries messages; none for a profile that only translates."""
        there: tuple[Direction, ...] = ("to_fhir",) if self.v2.sender is not None else ()
        back: tuple[Direction, ...] = ("to_v2",) if self.fhir.caller is not None else ()
        return there + back
