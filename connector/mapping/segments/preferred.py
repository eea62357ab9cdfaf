"""The preferred method of contact <-> the telecom that is preferred (guide: PRT[PractitionerRole] PRT-23)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ...hl7v2.tree import Segment
from ..across import simple
from ..fields import write_field
from ..partner import Partner
from ..places import Json, includes
from ..scope import Scope
from .rows import SD

_PREFERRED: Final[Mapping[str, object]] = {"url": SD + "iso21090-preferred", "valueBoolean": True}
# HL7 table 0185; the special before the general
_KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "B": {"system": "pager"},
    "E": {"system": "email"},
    "F": {"system": "fax"},
    "C": {"system": "phone", "use": "mobile"},
    "H": {"system": "phone", "use": "home"},
    "O": {"system": "phone", "use": "work"},
}


@dataclass(frozen=True, slots=True)
class Preferred:
    """A code of table 0185 <-> ``iso21090-preferred`` of the first telecom of that kind."""

    segment: str
    number: int

    def compile(self, partner: Partner) -> _Preferred:
        return _Preferred(self)


class _Preferred:
    __slots__ = ("elements", "number", "numbers", "segment")

    def __init__(self, declared: Preferred) -> None:
        self.segment, self.number = declared.segment, declared.number
        self.numbers = (declared.number,)
        self.elements = frozenset({"telecom.0.extension"})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        code, unsaid = simple(segment, self.number, scope)
        if not code:
            return unsaid or None
        for telecom in _telecoms(node):
            if code in _KINDS and includes(telecom, _KINDS[code]):
                telecom["extension"] = [*telecom.get("extension", ()), dict(_PREFERRED)]
                return unsaid
        return [str(self.number)]

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        code = _code(target)
        if code != _code(base):
            write_field(segment, self.number, [code], scope)


def _telecoms(node: Json) -> Iterator[Json]:
    return (one for one in node.get("telecom") or () if isinstance(one, dict))


def _code(node: Json) -> str:
    """The kind of the telecom that is preferred, if it is the first of its kind."""
    for code, kind in _KINDS.items():
        mine = [one for one in _telecoms(node) if includes(one, kind)]
        if mine and includes(mine[0], {"extension": [_PREFERRED]}):
            return code
    return ""
