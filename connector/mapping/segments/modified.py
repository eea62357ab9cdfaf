"""A code and its modifiers <-> one code, such as ``99213:25`` (guide: PR1-16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...hl7v2.tree import Segment
from ..across import sent
from ..fields import write_field
from ..partner import Partner
from ..places import Json, comp, same, write_comp
from ..scope import Scope

_JOINED: Final = frozenset({"http://www.ama-assn.org/go/cpt"})
"""The code systems whose codes hold modifiers behind a colon (terminology.hl7.org/CPT)."""


@dataclass(frozen=True, slots=True)
class Modified:
    """CNE that repeats <-> what follows the first colon of the first code of a CodeableConcept."""

    segment: str
    code: int
    modifiers: int
    path: str

    def compile(self, partner: Partner) -> _Modified:
        return _Modified(self)


class _Modified:
    __slots__ = ("declared", "elements", "numbers", "segment")

    def __init__(self, declared: Modified) -> None:
        self.declared = declared
        self.segment = declared.segment
        self.numbers = (declared.modifiers,)
        self.elements = frozenset({declared.path})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        number = self.declared.modifiers
        text = sent(segment, number)
        if not text:
            return None
        coding = _first(node, self.declared.path)
        unsaid: list[str] = []
        for at, repetition in enumerate(text.split(scope.repetition), 1):
            here = f"{number}({at})" if at > 1 else str(number)
            comps = repetition.split(scope.component)
            code = scope.unescape(comp(comps, 0))
            if not code.isalnum() or "code" not in coding or coding.get("system") not in _JOINED:
                unsaid += [here] if any(comps) else []
                continue
            coding["code"] += f":{code}"
            unsaid += [f"{here}.{n}" for n, word in enumerate(comps[1:], 2) if word]
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        now, before = (_first(node, self.declared.path) for node in (target, base))
        if same(now.get("code"), before.get("code")) and same(now.get("system"), before.get("system")):
            return
        comps = segment.field(self.declared.code).split(scope.component)
        code, *modifiers = str(now.get("code", "")).split(":")
        if now.get("system") not in _JOINED:
            modifiers = []
        elif comp(comps, 0) == scope.escape(str(now["code"])):
            write_comp(comps, 0, scope.escape(code))
            write_field(segment, self.declared.code, [scope.component.join(comps)], scope)
        write_field(segment, self.declared.modifiers, [scope.escape(one) for one in modifiers], scope)


def _first(node: Json, path: str) -> Json:
    codings = node.get(path, {}).get("coding") or [{}]
    return codings[0] if isinstance(codings[0], dict) else {}
