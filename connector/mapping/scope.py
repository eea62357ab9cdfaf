"""What rows may ask for while one message is translated: delimiters, references, the zone's owner.

A ``Scope`` belongs to one translation and is not shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..hl7v2.delimiters import STANDARD, Delimiters

Json = dict[str, Any]


class Resources(Protocol):
    """The resources one side of a translation speaks of."""

    def resolve(self, reference: Any) -> Json | None:
        """The resource a FHIR Reference points to, if it is here."""
        ...


class Gathered(Resources, Protocol):
    """Resources that more can be added to (see ``assembly.Assembly``)."""

    def refer(self, kind: str, seed: str, resource: Json, owner: str) -> str: ...

    def again(self, reference: str, make: Callable[[], Json]) -> bool: ...

    def plainly(self, kind: str, seed: str, reference: str) -> bool: ...

    def apart(self) -> Gathered: ...


class Scope:
    """One translation's surroundings.

    ``clean``: the field at hand holds no escape and no ``""``; ``parted``: it holds sub-components;
    ``plain``: clean and not parted, so leaves may be taken as they are. ``refer``: takes in a resource
    that a row made (kind, identity seed, content, owner) and returns its ``Type/id``. ``owner``: the
    reference of the resource being built, under which things without an identifier are told apart.
    ``version``: of the message that is written.
    """

    __slots__ = (
        "again",
        "base",
        "clean",
        "component",
        "delimiters",
        "escape",
        "escapes",
        "gathered",
        "owner",
        "parted",
        "plain",
        "plainly",
        "refer",
        "repetition",
        "standard",
        "subcomponent",
        "target",
        "unescape",
        "version",
    )

    def __init__(
        self, delimiters: Delimiters, gathered: Gathered, target: Resources, base: Resources
    ) -> None:
        self.delimiters = delimiters
        self.standard = delimiters is STANDARD or delimiters == STANDARD
        self.component = delimiters.component
        self.repetition = delimiters.repetition
        self.escapes = delimiters.escape
        self.subcomponent = delimiters.subcomponent
        self.unescape = delimiters.unescape
        self.escape = delimiters.escape_text
        self.gathered = gathered
        self.refer = gathered.refer
        self.again = gathered.again
        self.plainly = gathered.plainly
        self.target = target
        self.base = base
        self.owner = ""
        self.version = ""
        self.plain = self.clean = False
        self.parted = True

    def apart(self) -> Scope:
        """The same surroundings, but what is referred to there is not taken in here."""
        gathered = self.gathered.apart()
        found = Scope(self.delimiters, gathered, self.target, gathered)
        found.owner, found.version = self.owner, self.version
        return found

    def look_at(self, text: str) -> None:
        """Note what a field's text holds."""
        self.clean = self.escapes not in text and '"' not in text
        self.parted = self.subcomponent in text
        self.plain = self.clean and not self.parted

    def beware(self) -> None:
        """Take nothing for plain."""
        self.plain = self.clean = False
        self.parted = True
