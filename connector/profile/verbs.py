"""The closed verbs by which a profile changes the maps: data on named places, no expressions, no code.

Whether a place exists in the maps is not known here: see ``check.check``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from connector.fhir.elements import resource_types
from connector.profile.section import (
    Dropped,
    FieldPlace,
    Form,
    Found,
    Place,
    Section,
    Table,
    TableName,
    Uri,
    V2Name,
    Word,
    fault,
    faults,
    none,
)

ExtensionType = Literal[
    "string", "code", "date", "dateTime", "integer", "decimal", "boolean", "CodeableConcept"
]


Key = tuple[str | int, ...]


def known_type(name: str) -> str:
    """The name itself. Raises a fault if FHIR R4 has no such resource."""
    if name not in resource_types():
        raise fault("FHIR R4 has no such resource type", fix="write it as the standard does, such as Patient")
    return name


class ResourceTypeForm(Form):
    """The form of a resource type's name, and that it is one of R4."""

    def __call__(self, text: str) -> str:
        """The text itself; raises a fault if FHIR R4 has no such resource."""
        return known_type(super().__call__(text))


ResourceType = Annotated[str, ResourceTypeForm(r"[A-Z][A-Za-z]+", "a resource type such as Patient")]


class Extension(Section):
    """A field of the partner's own that FHIR says as an extension, and back."""

    source: Annotated[Place, Field(alias="from")]
    """The place in v2, usually in a Z segment: `ZPI-3.1`."""
    resource: Annotated[ResourceType, Field(alias="to")]
    """The resource that carries the extension: `Patient`."""
    url: Annotated[Uri, Form(r"https?://.+|urn:.+", "an absolute URL")]
    """The extension's URL."""
    type: ExtensionType = "string"
    """The type of the extension's value."""


class IdentifierField(Section):
    """A field of the partner's own that FHIR says as an identifier, and back."""

    source: Annotated[Place, Field(alias="from")]
    """The place in v2, usually in a Z segment: `ZPI-2`."""
    resource: Annotated[ResourceType, Field(alias="to")]
    """The resource that carries the identifier: `Patient`."""
    system: Uri
    """`Identifier.system`."""
    type: Annotated[str, Form(r"[A-Z][A-Z0-9.]*", "a code of HL7 table 0203 such as MR", True)] = ""
    """`Identifier.type`, a code of HL7 table 0203; `""` for none."""


class Mapping(Section):
    """How this partner's messages differ from what the maps say."""

    drop: tuple[Dropped, ...] = ()
    """Fields, components or whole segments that are never translated: `PID-19`, `NK1-5`, `ZPI`."""
    default: Table[Place, Word] = Field(default_factory=none)
    """v2 text that is assumed towards FHIR where the place is empty: `"PV1-2" = "I"`."""
    constant: Table[Place, Word] = Field(default_factory=none)
    """v2 text that is always written towards v2: `"MSH-5" = "HIS"`."""
    move: Table[FieldPlace, FieldPlace] = Field(default_factory=none)
    """A field to read as if it stood in the other one, and to write back: `"PID-18" = "PID-3"`."""
    authorities: Table[V2Name, Uri] = Field(default_factory=none)
    """Assigning authorities, HD.1 to `Identifier.system` and back: `"STV" = "urn:oid:1.2.3"`."""
    systems: Table[V2Name, Uri] = Field(default_factory=none)
    """Coding systems, CWE.3 to `Coding.system` and back: `"L" = "urn:oid:1.2.3"`."""
    codes: Table[TableName, Table[Word, Word]] = Field(default_factory=none)
    """The partner's own codes by HL7 table, v2 code to FHIR code (or `system|code`), towards FHIR only."""
    extension: tuple[Extension, ...] = ()
    """Fields of the partner's own that become extensions."""
    identifier: tuple[IdentifierField, ...] = ()
    """Fields of the partner's own that become identifiers."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        found = [*self._ways_back(), *self._said_twice(), *self._dropped_but_used()]
        if found:
            raise faults(found)
        return self

    def added(self) -> Iterator[tuple[Key, str]]:
        """The places that get a row of their own, each with the way to its key in the profile."""
        yield from ((("extension", n, "from"), one.source) for n, one in enumerate(self.extension))
        yield from ((("identifier", n, "from"), one.source) for n, one in enumerate(self.identifier))

    def _ways_back(self) -> Iterator[Found]:
        for verb in ("authorities", "systems", "move"):
            pairs = getattr(self, verb).items()
            for key in _again(((verb, source), target) for source, target in pairs):
                yield Found(
                    "another one leads here already, so there is no way back", "keep one of the two", key
                )
        for source, target in self.move.items():
            if target in self.move:
                yield Found("this field moves on itself", "name its last place", ("move", source))

    def _said_twice(self) -> Iterator[Found]:
        urls = ((("extension", n), (one.resource, one.url)) for n, one in enumerate(self.extension))
        systems = (
            (("identifier", n), (one.resource, one.system, one.type)) for n, one in enumerate(self.identifier)
        )
        for key in (*_again(urls), *_again(systems), *_again(self.added())):
            yield Found("this is said twice", "keep one of the two", key)

    def _dropped_but_used(self) -> Iterator[Found]:
        verbs = ("default", "constant", "move")
        named = [((verb, place), place) for verb in verbs for place in getattr(self, verb)]
        for key, place in (*named, *self.added()):
            if any(place == one or place.startswith((f"{one}.", f"{one}-")) for one in self.drop):
                yield Found("this place is dropped", "take it out of drop, or leave it out here", key)


def _again(pairs: Iterable[tuple[Key, object]]) -> Iterator[Key]:
    """The keys whose value another key had before them."""
    seen = set()
    for key, value in pairs:
        if value in seen:
            yield key
        seen.add(value)
