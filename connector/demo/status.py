"""What the demo asks the connector about itself: counts and a listing without any patient's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Listed:
    """One message the connector holds: ``resources`` in its bundle, ``lost`` locations not said."""

    uid: int
    direction: str  # "to_fhir" | "to_v2"
    at: str
    kind: str  # "ADT^A01", or the resource type that came
    state: str
    resources: int
    lost: int


@dataclass(frozen=True, slots=True)
class Counted:
    """The messages of one direction, each in exactly one of the states below ``received``."""

    received: int = 0  # accepted: acknowledged and stored, duplicates not among them
    duplicates: int = 0
    refused: int = 0
    waiting: int = 0  # for translation or delivery
    delivered: int = 0
    dead: int = 0


class Status(Protocol):
    """The connector's own view, read from its store."""

    async def counts(self) -> dict[str, Counted]:
        """By direction."""
        ...

    async def recent(self, limit: int) -> Sequence[Listed]:
        """The latest messages, the oldest of them first."""
        ...

    async def close(self) -> None:
        """Let the store go."""
        ...
