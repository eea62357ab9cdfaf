"""RXA-9, RXA-20 and RXA-21 <-> who reports it, and what became of it (guide: RXA[Immunization])."""

from __future__ import annotations

from dataclasses import dataclass

from ...hl7v2.tree import Segment
from ..across import sent, simple
from ..datatypes.coded import Concept, alternate, alternate_code, first_coding
from ..datatypes.primitives import Code
from ..fields import joined, shorten, write_field
from ..lens import Lens, compile_rows
from ..partner import V2, Partner
from ..places import Json, same
from ..scope import Scope


@dataclass(frozen=True, slots=True)
class Usual:
    """A field that holds the same in every message: that text says nothing, any other is unsaid."""

    segment: str
    number: int
    text: str

    def compile(self, partner: Partner) -> _Usual:
        return _Usual(self)


class _Usual:
    __slots__ = ("elements", "numbers", "segment", "text")

    def __init__(self, declared: Usual) -> None:
        self.segment, self.numbers, self.text = declared.segment, (declared.number,), declared.text
        self.elements: frozenset[str] = frozenset()

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        text = sent(segment, self.numbers[0])
        return [str(self.numbers[0])] if text and text != self.text else None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        if target and not base:  # only a new segment needs it
            write_field(segment, self.numbers[0], [self.text], scope)


# --- RXA-9 ----------------------------------------------------------------------------------------------

_SOURCE = "NIP001"  # the table of the CDC's immunization guide
_NEW, _HISTORICAL = ("00", "New immunization record"), ("01", "Historical information - source unspecified")


@dataclass(frozen=True, slots=True)
class Reported:
    """RXA-9 <-> ``reportOrigin``, ``primarySource`` and ``note``.

    The first repetition with a code is the source of the record (CDC table NIP001: 00 is the one who gave it,
    all others are hearsay); words are notes.
    """

    def compile(self, partner: Partner) -> _Reported:
        return _Reported(partner)


class _Reported:
    __slots__ = ("concept", "elements", "numbers", "partner", "segment", "uri")

    def __init__(self, partner: Partner) -> None:
        self.segment, self.numbers = "RXA", (9,)
        self.elements = frozenset({"reportOrigin", "primarySource", "note"})
        self.partner = partner
        self.concept: Lens = compile_rows((Concept(),), partner)
        self.uri = partner.system_uri(_SOURCE)

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        text = sent(segment, 9)
        scope.beware()
        unsaid: list[str] = []
        for n, repetition in enumerate(text.split(scope.repetition) if text else (), 1):
            comps = repetition.split(scope.component)
            said: Json = {}
            rest = self.concept.get(comps, said, scope) or []
            if said.keys() == {"text"}:
                node.setdefault("note", []).append(said)
            elif said and "reportOrigin" not in node:
                node["reportOrigin"] = said
            elif said:
                rest = [str(at) for at, comp in enumerate(comps, 1) if comp]
                said = {}
            unsaid += [f"9{at}" for at in shorten(rest, comps, f"({n})" if n > 1 else "", bool(said))]
        origin = first_coding(node.get("reportOrigin"))
        if origin.get("system") == self.uri:
            node["primarySource"] = origin.get("code") == _NEW[0]
        return unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        if all(same(target.get(name), base.get(name)) for name in self.elements):
            return
        scope.beware()
        before = [one for one in sent(segment, 9).split(scope.repetition) if one]
        views = [self._view(one, scope) for one in before]
        wanted = [
            self._origin(target, base),
            *({"text": note.get("text", "")} for note in target.get("note") or ()),
        ]
        written = [self._over(one, views, before, scope) for one in wanted if one]
        write_field(segment, 9, [one for one in written if one], scope)

    def _view(self, repetition: str, scope: Scope) -> Json:
        said: Json = {}
        self.concept.get(repetition.split(scope.component), said, scope)
        return said

    def _origin(self, target: Json, base: Json) -> Json:
        """The source as FHIR says it now; where only ``primarySource`` has changed, that decides."""
        origin, primary = target.get("reportOrigin") or {}, target.get("primarySource")
        if primary is None or (origin and same(primary, base.get("primarySource"))):
            return dict(origin)
        code, display = _NEW if primary else _HISTORICAL
        if origin and (first_coding(origin).get("code") == _NEW[0]) is primary:
            return dict(origin)
        return {"coding": [{"system": self.uri, "code": code, "display": display}]}

    def _over(self, wanted: Json, views: list[Json], before: list[str], scope: Scope) -> str:
        equal = next((n for n, view in enumerate(views) if same(view, wanted)), None)
        if equal is not None:
            return before[equal]
        alike = next((n for n, view in enumerate(views) if view.keys() == wanted.keys()), None)
        comps = before[alike].split(scope.component) if alike is not None else []
        self.concept.put(wanted, views[alike] if alike is not None else {}, comps, scope)
        return joined(comps, scope)


# --- RXA-20, RXA-21 ---------------------------------------------------------------------------------------

_ERROR = "entered-in-error"
_SYSTEM = V2 + "0322"


@dataclass(frozen=True, slots=True)
class Administered:
    """RXA-20 and RXA-21 <-> ``status``; a deleted record was entered in error.

    A completion status that would come back as another one (PA, RE) is kept beside. That a record is added
    is what every other message says of it.
    """

    table: str = "HL70322"

    def compile(self, partner: Partner) -> _Administered:
        return _Administered(self.table, partner)


class _Administered:
    __slots__ = ("codec", "elements", "numbers", "segment")

    def __init__(self, table: str, partner: Partner) -> None:
        self.segment, self.numbers = "RXA", (20, 21)
        self.elements = frozenset({"status", "_status"})
        self.codec = Code(table)(partner)

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        completion, unsaid = simple(segment, 20, scope)
        action, rest = simple(segment, 21, scope)
        unsaid += rest
        if action == "D":
            node["status"] = _ERROR
            return [*(["20"] if completion else []), *unsaid]
        if action not in ("", "A"):
            unsaid.append("21")
        status = self.codec.to_fhir(completion) if completion else None
        if status is None:
            return [*(["20"] if completion else []), *unsaid]
        node["status"] = status
        if self.codec.to_v2(status) != completion:
            node["_status"] = {"extension": [alternate(_SYSTEM, completion)]}
        return unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        if all(same(target.get(name), base.get(name)) for name in self.elements):
            return
        status = target.get("status")
        if status == _ERROR:
            write_field(segment, 21, ["D"], scope)
            return
        if sent(segment, 21) == "D":
            write_field(segment, 21, ["U"], scope)
        kept = alternate_code(target.get("_status"), _SYSTEM)
        says = kept if kept and self.codec.to_fhir(kept) == status else self.codec.to_v2(status)
        write_field(segment, 20, [scope.escape(says or "")], scope)
