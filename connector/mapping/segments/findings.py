"""What a segment says of the patient in an Observation of its own: accident, disability, death."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..datatypes.coded import first_coding
from ..fields import Field
from ..lens import Row
from ..places import Json

SNOMED: Final = "http://snomed.info/sct"
LOINC: Final = "http://loinc.org"


def coded(system: str, code: str, display: str) -> Mapping[str, Any]:
    """A code of a terminology, as the ``code`` of a resource or a component."""
    return {"code": {"coding": [{"system": system, "code": code, "display": display}]}}


def part(at: str, words: str, *rows: Row) -> Field:
    """A field <-> a component, known by what the standard calls the field: there is no code."""
    return Field(at, "component", rows, tag={"code": {"text": words}}, most=1)


def speaks(said: Mapping[str, Any], *elements: str) -> Callable[[Json], bool]:
    """Whether a resource has this code, and no more than these elements: OBX and PR1 say all others."""
    known = {"resourceType", "id", "meta", "status", "code", "subject", "encounter", *elements}
    code = said["code"]["coding"][0]

    def says(node: Json) -> bool:
        said = first_coding(node.get("code"))
        return all(said.get(name) == code[name] for name in ("system", "code")) and not node.keys() - known

    return says
