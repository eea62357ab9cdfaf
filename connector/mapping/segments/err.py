"""ERR <-> an issue of OperationOutcome (HL7 v2.5.1 ch. 2.15.5; table 0357, 0516).

Where an error was found is said as v2 says it, ``PID^1^5``: a FHIR path would be one into another resource.
ERR-1 is how v2.1 to v2.4 say where and what; it is understood, and written as ERR-2 and ERR-3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..datatypes.coded import OneCoding
from ..datatypes.primitives import Code
from ..lens import At, Bound, Item, Row, Unsaid, compile_rows
from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope

_NEW: Final = (1, 2)  # ERR-2 and ERR-3, from 0
_PLACE: Final = 6  # components of ERL
_USUAL: Final = "processing"  # of an error that nothing more is known of


@dataclass(frozen=True, slots=True)
class Components:
    """A field of a segment that is an element: rows over the components of its first repetition."""

    at: int
    rows: tuple[Row, ...]

    def compile(self, partner: Partner) -> Bound:
        lens, at = compile_rows(self.rows, partner), self.at - 1

        def inner(sent: str, node: Json, scope: Scope) -> Unsaid | None:
            first, *more = sent.split(scope.repetition)
            unsaid = list(lens.get(first.split(scope.component), node, scope) or ())
            return unsaid + [f"({n})" for n, other in enumerate(more, 2) if other] or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            before, *more = comp(comps, at).split(scope.repetition)
            parts = before.split(scope.component) if before else []
            lens.put(target, base, parts, scope)
            after = scope.component.join(parts).rstrip(scope.component)
            if after != before:
                write_comp(comps, at, scope.repetition.join((after, *more)))

        return Bound(put, inner={at: inner}, elements=lens.elements, marks=lens.marks)


@dataclass(frozen=True, slots=True)
class Places:
    """ERR-2 <-> ``location``: one text for each repetition, its components joined."""

    def compile(self, partner: Partner) -> Bound:
        def inner(sent: str, node: Json, scope: Scope) -> Unsaid | None:
            said = [_joined(one.split(scope.component), scope) for one in sent.split(scope.repetition)]
            if found := [place for place in said if place]:
                node["location"] = found
            return None if all(said) else ["1"]

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if same(target.get("location"), base.get("location")):
                return
            places = [
                scope.component.join(scope.escape(part) for part in str(place).split("^"))
                for place in target.get("location", ())
            ]
            write_comp(comps, 1, scope.repetition.join(places))

        return Bound(put, inner={1: inner}, elements=frozenset({"location"}))


def _joined(parts: list[str], scope: Scope) -> str:
    """Components with FHIR's own sign between them; empty where one holds that sign or none says anything."""
    texts = [scope.unescape(part) for part in parts]
    text = "^".join(texts).rstrip("^")
    plain = not any(sign in one for one in texts for sign in ("^", scope.subcomponent, '"'))
    return text if plain and text.strip() and text == text.strip() and len(parts) <= _PLACE else ""


@dataclass(frozen=True, slots=True)
class OldError:
    """ERR-1: segment, its number, field, and the code in parts; only read, where ERR-2 and ERR-3 are not."""

    def compile(self, partner: Partner) -> Bound:
        coding = compile_rows((OneCoding(),), partner)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            sent = comp(comps, 0)
            if not sent:
                return None
            if any(comp(comps, at) for at in _NEW):
                return ["1"]
            first, *more = sent.split(scope.repetition)
            parts = first.split(scope.component)
            if place := _joined(parts[:3], scope):
                node["location"] = [place]
            unsaid = (
                [] if place or not any(parts[:3]) else [f"1.{n}" for n in (1, 2, 3) if comp(parts, n - 1)]
            )
            said: Json = {}
            code = comp(parts, 3).split(scope.subcomponent)
            unsaid += [f"1.4.{at}" for at in coding.get(code, said, scope) or ()]
            if said:
                node["details"] = {"coding": [said]}
            unsaid += [f"1.{n}" for n, part in enumerate(parts[4:], 5) if part]
            return unsaid + [f"1({n})" for n, other in enumerate(more, 2) if other] or None

        return Bound(lambda target, base, comps, scope: None, whole=get, reads=frozenset({0}))


@dataclass(frozen=True, slots=True)
class Kind:
    """``code`` follows from the condition (table 0357), and an issue without severity is an error."""

    def compile(self, partner: Partner) -> Bound:
        kinds = {v2: coded.code for v2, coded in partner.table("HL70357").to_fhir.items()}
        conditions = {kind: v2 for v2, kind in reversed(kinds.items()) if kind != _USUAL}

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            if node:
                coding = (node.get("details", {}).get("coding") or [{}])[0]
                node["code"] = kinds.get(coding.get("code", ""), _USUAL)
                node.setdefault("severity", "error")
            return None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            condition = conditions.get(target.get("code", ""), "")
            if condition and not base and not comp(comps, 2):
                write_comp(comps, 2, scope.component.join((condition, "", "HL70357")))

        return Bound(put, whole=get, elements=frozenset({"code", "severity"}))


ERR_ISSUE: tuple[Row, ...] = (
    OldError(),
    Places(),
    Components(3, (At("details.coding.0", (OneCoding(),)),)),
    Item("4", "severity", Code("HL70516")),
    Item("7", "diagnostics"),
    Item("8", "details.text"),
    Kind(),
)
