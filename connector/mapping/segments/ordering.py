"""What an order says of itself beside codes and numbers: its state, its group, and who asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ...hl7v2.tree import Segment
from ..across import simple
from ..codes import CodeTable
from ..datatypes.coded import alternate, alternate_code, first_coding
from ..datatypes.entities import of_type
from ..datatypes.identifiers import EI_IDENTIFIER
from ..datatypes.people import XCN_PRACTITIONER
from ..datatypes.primitives import code_text, date_time
from ..datatypes.references import Refer
from ..fields import write_field
from ..lens import Bound, Codec, Unsaid, compile_rows
from ..partner import V2, Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from .rows import SD

BUSINESS_EVENT: Final = SD + "businessEvent"
_CONTROL, _STATUS, _TIME = 1, 5, 9
NEW: Final = "NW"


# --- ORC-1, ORC-5, ORC-9 --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrderState:
    """Order control, status and time <-> ``status``, ``authoredOn`` and the extension businessEvent.

    ORC-5 says the status, else ORC-1 does. ORC-9 is when a new order was written, else when what ORC-1
    says happened.
    """

    def compile(self, partner: Partner) -> _OrderState:
        return _OrderState(partner)


class _OrderState:
    __slots__ = ("controls", "elements", "moments", "numbers", "segment", "statuses")

    def __init__(self, partner: Partner) -> None:
        self.segment = "ORC"
        self.numbers = (_CONTROL, _STATUS, _TIME)
        self.elements = frozenset({"status", "_status", "authoredOn", "extension"})
        self.moments: Codec = date_time(partner)
        self.controls: CodeTable = partner.table("HL70119")
        self.statuses: CodeTable = partner.table("HL70038")

    # --- to FHIR

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        (control, unsaid), (status, more), (time, rest) = (simple(segment, n, scope) for n in self.numbers)
        unsaid += more + rest
        if code_text(control) is None:
            unsaid += [str(_CONTROL)] if control else []
            control = ""
        if status and code_text(status) is None:
            unsaid.append(str(_STATUS))
            status = ""
        self._status(control, status, node)
        moment = self.moments.to_fhir(time) if time else None
        if time and moment is None:
            unsaid.append(str(_TIME))
        parts: list[Json] = []
        if control:
            coding = {"system": V2 + "0119", "code": control}
            parts.append({"url": "value", "valueCodeableConcept": {"coding": [coding]}})
        if moment and control in (NEW, ""):
            node["authoredOn"] = moment
        elif moment:
            parts.append({"url": "date", "valueDateTime": moment})
        if parts:
            node.setdefault("extension", []).insert(0, {"url": BUSINESS_EVENT, "extension": parts})
        return unsaid

    def _status(self, control: str, status: str, node: Json) -> None:
        """The status by its own code, which is kept where another would come back; else by the control."""
        if status:
            coded = self.statuses.to_fhir.get(status)
            node["status"] = coded.code if coded else "unknown"
            if self.statuses.codes_to_v2.get(node["status"]) != status:
                node["_status"] = {"extension": [alternate(V2 + "0038", status)]}
        elif control in self.controls.to_fhir:
            node["status"] = self.controls.to_fhir[control].code

    # --- to v2

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        new, old = _State(target), _State(base)
        if new.control != old.control:
            write_field(segment, _CONTROL, [scope.escape(new.control)], scope)
        if (new.control, new.status, new.kept) != (old.control, old.status, old.kept):
            self._put_status(new, segment, scope)
        if new.time != old.time:
            text = self.moments.to_v2(new.time) if new.time else ""
            write_field(segment, _TIME, [scope.escape(text or "")], scope)

    def _put_status(self, new: _State, segment: Segment, scope: Scope) -> None:
        """Write ORC-5, unless what is there says the same already."""
        there: Json = {}
        control, status = (simple(segment, n, scope)[0] for n in (_CONTROL, _STATUS))
        self._status(control, status, there)
        said = _State(there)
        wanted = new.status if new.status != "unknown" or new.kept else ""
        if (said.status, said.kept) == (wanted, new.kept):
            return
        kept = self.statuses.to_fhir.get(new.kept)
        fits = new.kept and (kept.code if kept else "unknown") == wanted
        text = new.kept if fits else self.statuses.codes_to_v2.get(wanted, "")
        write_field(segment, _STATUS, [scope.escape(text)], scope)


class _State:
    """What a resource says of control, status and time."""

    def __init__(self, node: Json) -> None:
        parts: Json = {}
        for one in node.get("extension") or ():
            if isinstance(one, dict) and one.get("url") == BUSINESS_EVENT:
                inner = (part for part in one.get("extension") or () if isinstance(part, dict))
                parts.update((str(part.get("url")), part) for part in inner)
        control = first_coding(parts.get("value", {}).get("valueCodeableConcept")).get("code", "")
        self.control = str(control)
        self.status = str(node.get("status", ""))
        self.kept = alternate_code(node.get("_status"), V2 + "0038")
        happened = str(parts.get("date", {}).get("valueDateTime", ""))
        authored = str(node.get("authoredOn", ""))
        self.time = authored or happened if self.control in (NEW, "") else happened


# --- ORC-4 ----------------------------------------------------------------------------------------

_GROUPS: Final = (("requisition", of_type("PGN")), ("identifier", of_type("FGN")))


@dataclass(frozen=True, slots=True)
class GroupNumber:
    """An EI <-> ``requisition``; an EIP (HL7 v2.8) <-> the filler's number among the identifiers too.

    An EIP is known by its sub-components.
    """

    def compile(self, partner: Partner) -> Bound:
        lens = compile_rows(EI_IDENTIFIER, partner)

        def parted(comps: Comps, scope: Scope) -> bool:
            return not any(comps[2:]) and any(scope.subcomponent in one for one in comps)

        def view(comps: Comps, at: int, scope: Scope) -> tuple[Json, Unsaid]:
            sent = comp(comps, at)
            said: Json = {}
            rest = lens.get(sent.split(scope.subcomponent), said, scope) if sent else None
            return said | _GROUPS[at][1] if said else {}, [f"{at + 1}.{n}" for n in rest or ()]

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            if not parted(comps, scope):
                identifier: Json = {}
                unsaid = lens.get(comps, identifier, scope)
                if identifier:
                    node["requisition"] = identifier | _GROUPS[0][1]
                return unsaid
            (placer, rest), (filler, more) = (view(comps, at, scope) for at in (0, 1))
            if placer:
                node["requisition"] = placer
            if filler:
                node.setdefault("identifier", []).append(filler)
            return rest + more or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new, old = target.get("requisition") or {}, base.get("requisition") or {}
            if not parted(comps, scope):
                if not same(new, old):
                    lens.put(new, old, comps, scope)
                return
            _over(lens.put, new, old, comps, 0, scope)
            filler = view(comps, 1, scope)[0]
            there = target.get("identifier") or ()
            if filler and not any(same(one, filler) for one in there):
                _over(lens.put, {}, filler, comps, 1, scope)

        marks = (("identifier", _GROUPS[1][1]),)
        return Bound(
            put, whole=get, reads=frozenset(range(4)), elements=frozenset({"requisition"}), marks=marks
        )


def _over(put: Any, new: Json, old: Json, comps: Comps, at: int, scope: Scope) -> None:
    if not same(new, old):
        subs = comp(comps, at).split(scope.subcomponent)
        put(new, old, subs, scope)
        write_comp(comps, at, scope.subcomponent.join(subs).rstrip(scope.subcomponent))


# --- ORC-12, OBR-16 -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequesterPerson:
    """XCN <-> the Practitioner who asks; where a PractitionerRole asks, its person is its own business."""

    def compile(self, partner: Partner) -> Bound:
        inner = Refer("Practitioner", XCN_PRACTITIONER, "requester").compile(partner)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            now = scope.target.resolve(target.get("requester"))
            if now is None or now.get("resourceType") != "PractitionerRole":
                inner.put(target, base, comps, scope)
            elif "practitioner" not in now:
                comps.clear()

        return inner._replace(put=put)


@dataclass(frozen=True, slots=True)
class Ordered:
    """XCN <-> the person of a PractitionerRole that asks; one without a person says nothing of it."""

    def compile(self, partner: Partner) -> Bound:
        inner = Refer("Practitioner", XCN_PRACTITIONER, "practitioner").compile(partner)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if "practitioner" in target:
                inner.put(target, base, comps, scope)

        return inner._replace(put=put)
