"""What becomes a resource of its own and a reference to it: people, organizations, places.

A referred resource is known by its business identifier within the partner; without one it belongs to
the resource that refers to it, so that two people of one name are never taken for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..lens import At, Bound, Codec, Item, Nested, Row, Spread, Unsaid, compile_rows
from ..partner import Partner, is_oid
from ..places import Comps, Json, Reader, comp, own_part, place, same, write_comp
from ..scope import Scope
from .coded import Concept, first_coding, meant
from .identifiers import EI_IDENTIFIER, Authority, FlatAuthority
from .people import DEGREE, XCN_PRACTITIONER, XON_ORGANIZATION
from .primitives import code_text

Seed = Callable[[Json], str]


def identified(resource: Json) -> str:
    """The seed of a resource with an identifier: system and value; empty without one."""
    for one in resource.get("identifier", ()):
        if value := one.get("value"):
            return f"{one.get('system', '')}|{value}"
    return ""


def reference_place(path: str) -> tuple[Reader, Callable[[Json, str], None]]:
    """Reader of the Reference at a path, writer of its ``reference``; an empty path is the node itself."""
    if not path:
        return (lambda node: node), (lambda node, reference: node.__setitem__("reference", reference))
    reader, writer = place(path)
    return reader, lambda node, reference: writer(node, {"reference": reference})


@dataclass(frozen=True, slots=True)
class Refer:
    """A repetition <-> a resource of its own, referred to at ``path``."""

    kind: str
    rows: tuple[Row, ...]
    path: str
    seed: Seed = identified

    def compile(self, partner: Partner) -> Bound:
        lens = compile_rows(self.rows, partner)
        reader, writer = reference_place(self.path)
        kind, seed = self.kind, self.seed

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            resource: Json = {"resourceType": kind}
            unsaid = lens.get(comps, resource, scope)
            if len(resource) > 1:
                writer(node, scope.refer(kind, seed(resource), resource, scope.owner))
            return unsaid

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new, old = reader(target), reader(base)
            after, before = scope.target.resolve(new), scope.base.resolve(old)
            if after is None or after.get("resourceType") != kind:
                if not same(new, old):
                    comps.clear()
                return
            if not same(new, old):
                comps.clear()
                before = None
            if before is not None and comps and not same(after, before):
                own: Json = {"resourceType": kind}
                lens.get(comps, own, scope.apart())
                after, before = own_part(after, before, own), own
            lens.put(after, before or {}, comps, scope)

        elements = frozenset({self.path or "reference"})
        return Bound(put, whole=get, reads=frozenset(range(32)), elements=elements)


def practitioner(path: str) -> tuple[Row, ...]:
    """XCN <-> Practitioner (guide: XCN[Practitioner])."""
    return (Refer("Practitioner", XCN_PRACTITIONER, path),)


def named(resource: Json) -> str:
    return identified(resource) or (f"name|{resource['name']}" if resource.get("name") else "")


def organization(path: str) -> tuple[Row, ...]:
    """XON <-> Organization (guide: XON[Organization])."""
    return (Refer("Organization", XON_ORGANIZATION, path, named),)


def _universal_type(partner: Partner) -> Codec:
    """HD.3 <-> ``Identifier.type`` of table 0301; one the table does not know is its own."""
    table = partner.table("HL70301")

    def to_fhir(sent: str) -> Json | None:
        known = table.to_fhir.get(sent)
        code = known.code if known else code_text(sent)
        return {"coding": [{"system": table.system, "code": code}]} if code else None

    def to_v2(value: Any) -> str | None:
        code = first_coding(value).get("code")
        return table.v2_code(table.system, code) or code if isinstance(code, str) else None

    return Codec(to_fhir, to_v2)


_HD: tuple[Row, ...] = (
    Item("1", "name"),
    Item("2", "identifier.0.value"),
    Item("3", "identifier.0.type", _universal_type),
)


def hd_organization(path: str) -> tuple[tuple[Row, ...], str, Seed]:
    """The arguments of a ``Refer`` for HD <-> Organization (guide: HD[Organization])."""
    return _HD, path, named


def coded_organization(path: str) -> tuple[tuple[Row, ...], str, Seed]:
    """The arguments of a ``Refer`` for a code of a facility <-> Organization."""
    return (Item("1", "identifier.0.value"), Item("2", "name")), path, named


def hd_location(path: str) -> tuple[tuple[Row, ...], str, Seed]:
    """The arguments of a ``Refer`` for HD <-> Location (guide: HD[Location])."""
    return _HD, path, named


def _sort(resource: Json) -> str:
    """A sort of place, which says nothing about which one it is."""
    return f"type|{meant(resource['type'][0])}" if resource.get("type") else ""


def dld_location(path: str) -> tuple[tuple[Row, ...], str, Seed]:
    """The arguments of a ``Refer`` for DLD.1 <-> Location (guide: DLD[Location-Discharge])."""
    return (Nested("1", (At("type.0", (Concept("HL70113"),)),)),), path, _sort


_CNN: tuple[Row, ...] = (
    At("identifier.0", (Item("1", "value"), FlatAuthority(8))),
    At(
        "name.0",
        (
            Item("2", "family"),
            Spread(("3", "4"), "given"),
            Spread(("5",), "suffix"),
            Spread(("6",), "prefix"),
        ),
    ),
    DEGREE,
)


def ndl_practitioner() -> tuple[Row, ...]:
    """NDL.1 <-> Practitioner (guide: CNN[Practitioner])."""
    return (Refer("Practitioner", (Nested("1", _CNN),), ""),)


# --- PL -------------------------------------------------------------------------------------------------

PHYSICAL = "http://terminology.hl7.org/CodeSystem/location-physical-type"
# component (from 0), physical type, from the widest to the narrowest
_LEVELS = (
    (3, "si", "Site"),
    (6, "bu", "Building"),
    (7, "lvl", "Level"),
    (0, "wa", "Ward"),
    (1, "ro", "Room"),
    (2, "bd", "Bed"),
)
_CODES = {code: at for at, code, _ in _LEVELS}
_WHOLE = 9  # PL.10, an identifier of the whole; PL.11, its authority


@dataclass(frozen=True, slots=True)
class Place:
    """PL <-> a chain of Locations, each part of the next wider one; the reference is to the narrowest.

    Guide: PL[Location]. A level's identifier has the facility's or the HD's own authority where one was
    sent. The narrowest has PL.10 as a second identifier, of PL.11 where it names no authority of its own.
    ``path``: where the reference stands.
    """

    path: str

    def compile(self, partner: Partner) -> Bound:
        reader, writer = reference_place(self.path)
        whole, authority = compile_rows(EI_IDENTIFIER, partner), compile_rows((Authority(),), partner)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            chain, unsaid = _chain(comps, scope)
            if len(comps) > _WHOLE:
                unsaid = (unsaid or []) + of_whole(comps, chain, scope)
            if chain:
                writer(node, _refer(chain, scope))
            return unsaid or None

        def of_whole(comps: Comps, chain: list[Json], scope: Scope) -> Unsaid:
            sent, whose = comp(comps, _WHOLE), comp(comps, _WHOLE + 1)
            identifier: Json = {}
            if not chain or not sent:
                return [str(at + 1) for at in (_WHOLE, _WHOLE + 1) if comp(comps, at)]
            rest = whole.get(sent.split(scope.subcomponent), identifier, scope) or []
            unsaid = [f"{_WHOLE + 1}.{sub}" for sub in rest]
            if whose and identifier and "system" not in identifier:
                rest = authority.get(whose.split(scope.subcomponent), identifier, scope) or []
                unsaid += [f"{_WHOLE + 2}.{sub}" for sub in rest]
            elif whose:
                unsaid.append(str(_WHOLE + 2))
            if identifier and "value" in identifier:
                chain[-1]["identifier"].append(identifier)
                return unsaid
            return [str(at + 1) for at in (_WHOLE, _WHOLE + 1) if comp(comps, at)]

        def put_whole(now: Json, comps: Comps, scope: Scope) -> None:
            subs: list[str] = []
            scope.beware()
            whole.put(now, {}, subs, scope)
            write_comp(comps, _WHOLE, scope.subcomponent.join(subs))

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new, old = reader(target), reader(base)
            after = _levels(new, scope.target)
            before = _levels(old, scope.base)
            if after is None:
                if not same(new, old):
                    comps.clear()
                return
            now, then = _second(new, scope.target), _second(old, scope.base)
            if same(new, old) and same(after, before) and same(now, then):
                return
            comps.clear()
            for at, text in sorted(after.items()):
                write_comp(comps, int(at), _hd(text, scope) if at != "8" else scope.escape(text))
            if now:
                put_whole(now, comps, scope)

        elements = frozenset({self.path or "reference"})
        return Bound(put, whole=get, reads=frozenset(range(_WHOLE + 2)), elements=elements)


def _second(reference: Any, resources: Any) -> Json:
    """The identifier of a place beside the one that its level has."""
    identifiers: Any = (resources.resolve(reference) or {}).get("identifier") or ()
    return identifiers[1] if len(identifiers) > 1 and isinstance(identifiers[1], dict) else {}


def _hd(text: str, scope: Scope) -> str:
    return scope.subcomponent.join(scope.escape(sub) for sub in text.split("\x1f")).rstrip(scope.subcomponent)


def _chain(comps: Comps, scope: Scope) -> tuple[list[Json], Unsaid | None]:
    chain: list[Json] = []
    unsaid: Unsaid = []
    for at, code, display in _LEVELS:
        sent = comp(comps, at)
        if not sent:
            continue
        value, system, rest = _identity(sent, scope)
        if not value:
            unsaid.append(str(at + 1))
            continue
        unsaid += [f"{at + 1}.{sub}" for sub in rest]
        identifier = {"value": value} | ({"system": system} if system else {})
        coding = {"system": PHYSICAL, "code": code, "display": display}
        chain.append(
            {
                "resourceType": "Location",
                "identifier": [identifier],
                "mode": "instance",
                "physicalType": {"coding": [coding]},
            }
        )
    unsaid += [str(at + 1) for at in (4, 5) if comp(comps, at)]
    description = scope.unescape(comp(comps, 8))
    if description:
        if chain and not description.isspace():
            chain[-1]["description"] = description
        else:
            unsaid.append("9")
    return chain, unsaid or None


def _identity(sent: str, scope: Scope) -> tuple[str, str, list[int]]:
    """HD.1 as the value, else HD.2; HD.2 with type ISO beside HD.1 as the system."""
    subs = [scope.unescape(sub) if sub != '""' else "" for sub in sent.split(scope.subcomponent)] + ["", ""]
    name, oid, kind = subs[0], subs[1], subs[2]
    rest = [n for n, sub in enumerate(subs[3:], 4) if sub]
    if name.isspace():
        name = ""
    if name and kind == "ISO" and is_oid(oid):
        return name, f"urn:oid:{oid}", rest
    if name:
        return name, "", rest + [n for n, sub in ((2, oid), (3, kind)) if sub]
    return "", "", rest


def _refer(chain: list[Json], scope: Scope) -> str:
    reference, path = "", ""
    for location in chain:
        identifier = location["identifier"][0]
        code = location["physicalType"]["coding"][0]["code"]
        path += f"/{code}:{identifier.get('system', '')}|{identifier['value']}"
        if reference:
            location["partOf"] = {"reference": reference}
        reference = scope.refer("Location", path, location, "")
    return reference


def _levels(reference: Any, resources: Any) -> dict[str, str] | None:
    """What a chain of Locations says, by component; an HD's parts stand apart by U+001F."""
    found: dict[str, str] = {}
    location = resources.resolve(reference)
    if location is None:
        return None
    if text := location.get("description"):
        found["8"] = text
    for _ in range(8):
        at = _level(location)
        identifiers = location.get("identifier") or [{}]
        value, system = (
            identifiers[0].get("value") or location.get("name", ""),
            identifiers[0].get("system", ""),
        )
        if at is not None and value and str(at) not in found:
            found[str(at)] = f"{value}\x1f{system[8:]}\x1fISO" if system.startswith("urn:oid:") else value
        location = resources.resolve(location.get("partOf"))
        if location is None:
            break
    return found


def has_level(location: Json) -> bool:
    """Whether a Location says which component of PL it stands in."""
    return _level(location) is not None


def _level(location: Json) -> int | None:
    for coding in location.get("physicalType", {}).get("coding", ()):
        if coding.get("code") in _CODES:
            return _CODES[coding["code"]]
    return None
