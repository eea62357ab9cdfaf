"""MSH-17 and MSH-23 to MSH-25: more about sender and receiver (guide: MSH[MessageHeader]).

The network address of an application is a better endpoint than its name: where both are sent, what MSH-3 or
MSH-5 says of an endpoint stays unsaid. MSH-23 names the receiver where MSH-6 does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...hl7v2.tree import Segment
from ..across import sent, simple
from ..datatypes.references import Refer, hd_organization, organization
from ..fields import write_field
from ..lens import Lens, compile_rows
from ..partner import Partner
from ..places import Json, place, same
from ..scope import Scope
from .endpoint import Endpoint

_COUNTRY, _RECEIVER = 17, 23
# the field of an address, that of the application, and where both stand
_ADDRESSES = ((24, 3, "source"), (25, 5, "destination.0"))


@dataclass(frozen=True, slots=True)
class Parties:
    """MSH-17, MSH-23, MSH-24 and MSH-25; the fields that name the parties are read before."""

    def compile(self, partner: Partner) -> _Parties:
        return _Parties(partner)


class _Parties:
    __slots__ = ("_countries", "_facility", "_network", "_responsible")

    segment = "MSH"
    numbers = (_COUNTRY, _RECEIVER, 24, 25)
    elements = frozenset({"sender", "source", "destination"})

    def __init__(self, partner: Partner) -> None:
        self._countries = partner.table("HL70399")
        self._network = compile_rows((Endpoint(alone=True),), partner)
        self._responsible = compile_rows(organization("receiver"), partner)
        rows, path, seed = hd_organization("receiver")
        self._facility = compile_rows((Refer("Organization", rows, path, seed),), partner)

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        if len(segment.texts) <= _COUNTRY:
            return None
        unsaid = self._country(segment, node, scope)
        if len(segment.texts) > _RECEIVER:
            unsaid += self._receiver(segment, node, scope)
            for number, application, path in _ADDRESSES:
                unsaid += self._address(segment, node, scope, (number, application, path))
        return unsaid or None

    def _country(self, segment: Segment, node: Json, scope: Scope) -> list[str]:
        code, unsaid = simple(segment, _COUNTRY, scope)
        sender = scope.gathered.resolve(node.get("sender"))
        if not code or code.isspace() or sender is None:
            return [str(_COUNTRY)] if sent(segment, _COUNTRY) else []
        known = self._countries.to_fhir.get(code)
        sender["address"] = [{"country": known.code if known else code}]
        return unsaid

    def _receiver(self, segment: Segment, node: Json, scope: Scope) -> list[str]:
        text = sent(segment, _RECEIVER)
        if not text:
            return []
        reader, writer = place("destination.0")
        destination = reader(node) or {}
        if "receiver" in destination:
            return [str(_RECEIVER)]
        unsaid = _read(self._responsible, text, destination, scope, _RECEIVER)
        if destination:
            writer(node, destination)
        return unsaid

    def _address(self, segment: Segment, node: Json, scope: Scope, where: tuple[int, int, str]) -> list[str]:
        number, application, path = where
        text = sent(segment, number)
        said: Json = {}
        unsaid = _read(self._network, text, said, scope, number) if text else []
        if not said:
            return unsaid
        reader, writer = place(path)
        party = reader(node) or {}
        if party.get("endpoint", said["endpoint"]) != said["endpoint"]:
            comps = segment.field(application).split(scope.repetition)[0].split(scope.component)
            unsaid += [f"{application}.{n}" for n, comp in enumerate(comps[:3], 1) if n > 1 and comp]
        writer(node, {**party, **said})
        return unsaid

    # --- back

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        country = _country_of(scope.target.resolve(target.get("sender")))
        if country != _country_of(scope.base.resolve(base.get("sender"))):
            code = self._countries.v2_code(None, country) or country
            write_field(segment, _COUNTRY, [scope.escape(code)], scope)
        self._put_receiver(target, base, segment, scope)
        for number, _, path in _ADDRESSES:
            reader, _ = place(path)
            new, old = reader(target) or {}, reader(base) or {}
            if sent(segment, number) and not same(new.get("endpoint"), old.get("endpoint")):
                _write(self._network, new, old, (segment, number), scope)

    def _put_receiver(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        """Where MSH-6 cannot say the receiver, or did not, MSH-23 does."""
        reader, _ = place("destination.0")
        new, old = reader(target) or {}, reader(base) or {}
        now = scope.target.resolve(new.get("receiver"))
        if now is None or same(now, scope.base.resolve(old.get("receiver"))):
            return
        apart, again = scope.apart(), dict[str, Any]()
        text = segment.field(6)
        if not sent(segment, _RECEIVER):
            _read(self._facility, text, again, apart, 6)
            if _content(apart.gathered.resolve(again.get("receiver"))) == _content(now):
                return
        _write(self._responsible, new, old, (segment, _RECEIVER), scope)
        segment.set(6, "")


def _read(lens: Lens, text: str, node: Json, scope: Scope, number: int) -> list[str]:
    """Say the first repetition of a field; what of the field stays unsaid."""
    scope.look_at(text)
    first, *more = text.split(scope.repetition)
    unsaid = [f"{number}.{at}" for at in lens.get(first.split(scope.component), node, scope) or ()]
    return unsaid + [f"{number}({n})" for n, other in enumerate(more, 2) if other]


def _write(lens: Lens, new: Json, old: Json, at: tuple[Segment, int], scope: Scope) -> None:
    segment, number = at
    text = sent(segment, number)
    comps = text.split(scope.repetition)[0].split(scope.component) if text else []
    lens.put(new, old if text else {}, comps, scope)
    write_field(segment, number, [scope.component.join(comps).rstrip(scope.component)], scope)


def _country_of(organization: Json | None) -> str:
    for address in (organization or {}).get("address", ()):
        return str(address.get("country", ""))
    return ""


def _content(resource: Json | None) -> Json:
    return {name: value for name, value in (resource or {}).items() if name not in ("id", "address")}
