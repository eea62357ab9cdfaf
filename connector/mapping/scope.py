"""What rows may ask for while one message is translated: delimiters, references, the zone's owner.

A ``Scope`` belongs to one translation and is not shared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..hl7v2.delimiters import Delimiters

Json = dict[str, Any]


class Resources(Protocol):
    """The resources one side of a translation speaks of."""

    def resolve(self, reference: Any) -> Json | None:
        """The resource a FHIR Reference points to, if it is here."""
        ...


class Scope:
    """One translation's surroundings.

    ``plain``: the field at hand holds no escape, no sub-component and no ``""``, so leaves may be taken
    as they are. ``refer``: takes in a resource that a row made (kind, identity seed, content) and
    returns its ``Type/id``. ``owner``: the reference of the resource being built, under which things
    without an identifier of their own are told apart.
    """

    __slots__ = (
        "base",
        "component",
        "delimiters",
        "escape",
        "owner",
        "plain",
        "refer",
        "subcomponent",
        "target",
        "unescape",
    )

    def __init__(
        self,
        delimiters: Delimiters,
        refer: Callable[[str, str, Json], str],
        target: Resources,
        base: Resources,
    ) -> None:
        self.delimiters = delimiters
        self.component = delimiters.component
        self.subcomponent = delimiters.subcomponent
        self.unescape = delimiters.unescape
        self.escape = delimiters.escape_text
        self.refer = refer
        self.target = target
        self.base = base
        self.owner = ""
        self.plain = False
