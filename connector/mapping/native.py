"""FHIR that never was v2, said as v2 can say it: who is only named, who acts in a role, panels, places.

A resource is rearranged: what it says stands elsewhere then, and ``Aside`` remembers where it stood, so
that what is lost is told by its place in what was sent. What a prior message says already stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from ..fhir.elements import shape
from ..hl7v2 import structure
from . import forward
from .aside import Aside
from .compiled import Maps
from .datatypes.references import Place, Refer, has_level
from .fields import Field
from .messages.choosing import headed
from .messages.message_map import MessageMap
from .messages.registry import ANY, MESSAGE_MAPS
from .partner import V2
from .places import Json, copied, includes, same
from .units import Bond, ResourceMap
from .work import Target

Rearrange = Callable[[Json], None]

_NAMED: Final = ("Practitioner", "Organization", "Location")  # who can be known by a name alone
_MEMBER: Final = (
    "status", "subject", "encounter", "effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued",
    "performer", "device",
)  # fmt: skip
_WARD: Final = {"system": "http://terminology.hl7.org/CodeSystem/location-physical-type", "code": "wa"}


def adapt(target: Target, maps: Maps) -> None:
    """Rearrange what the prior message does not say in these words."""
    news = [name for name, resource in target.resources.items() if resource is not target.base.get(name)]
    if not news or _was_v2(target):
        return
    news = [name for name in news if _may_rearrange(target.resources[name], target.base.get(name))]
    if not news:
        return
    target.resources = {**target.resources, **{name: copied(target.resources[name]) for name in news}}
    known = _spoken(maps.declared.name)
    for name in sorted(news, key=lambda name: not name.startswith("PractitionerRole/")):
        resource, base = target.resources[name], target.base.get(name, {})
        kind = str(resource["resourceType"])
        for element, rearrange in _REARRANGED.get(kind, _USUAL):
            if resource.get(element) != base.get(element):
                rearrange(resource)
        before = [pointer for pointer, *_ in _pointers(base, kind, "")]
        for pointer, kinds, path in _pointers(resource, kind, ""):
            alone = target.resolve(pointer) is None or not _has_segments(maps.declared.name, resource, path)
            if pointer not in before and alone:
                _resolve(target, name, pointer, kinds & known.get(kind, frozenset()), path)
    for name in news:
        resource = target.resources[name]
        if "component" in resource and not _whole(maps, resource):
            _panel(target, name, resource)
        if resource["resourceType"] == "RelatedPerson" and "active" not in target.base.get(name, {}):
            _living(target, name, resource)


def _may_rearrange(resource: Json, base: Json | None) -> bool:
    """Whether what FHIR says otherwise than before is rearranged here, or refers to another resource."""
    kind = str(resource["resourceType"])
    if base is None or kind in ("Observation", "RelatedPerson", "Location"):
        return True
    changed = {name: value for name, value in resource.items() if not same(value, base.get(name))}
    rearranged = any(element in changed for element, _ in _REARRANGED.get(kind, _USUAL))
    return rearranged or next(_pointers(changed, kind, ""), None) is not None


def _was_v2(target: Target) -> bool:
    """Whether all of it was a v2 message before, which is not at hand."""
    prior = any(one["resourceType"] not in ("MessageHeader", "Bundle") for one in target.base.values())
    return not prior and headed(target.resources)


# --- what goes without saying -------------------------------------------------------------------------------


def _name_people(resource: Json) -> None:
    """A name that is one text stands where the family name does."""
    names = resource.get("name")
    for one in names if isinstance(names, list) else ():
        if isinstance(one, dict) and "text" in one and not {"family", "given"} & one.keys():
            one["family"] = one.pop("text")


def _number(code: str) -> Rearrange:
    """An identifier of no type is the placer's of what is asked for, the filler's of what is answered."""

    def rearrange(resource: Json) -> None:
        identifiers = resource.get("identifier") or []
        if not any("type" in one for one in identifiers):
            for one in identifiers[:1]:
                one["type"] = {"coding": [{"system": V2 + "0203", "code": code}]}

    return rearrange


def _master(document: Json) -> None:
    """The first identifier of a document that has no other one is its unique number (TXA-12)."""
    if document.get("identifier") and "masterIdentifier" not in document:
        first, *others = document.pop("identifier")
        document |= {"masterIdentifier": first} | ({"identifier": others} if others else {})


def _current(visit: Json) -> None:
    """Of the places of a visit that have no status, the last is where it is, and the others where it was."""
    stays = [one for one in visit.get("location") or () if "status" not in one]
    for stay in stays:
        over = stay is not stays[-1] or ("end" in (stay.get("period") or {}) and len(stays) > 1)
        now = "planned" if visit.get("status") == "planned" else "active"
        stay["status"] = "completed" if over else now


def _living(target: Target, name: str, relative: Json) -> None:
    """A relative who is one, as any that NK1 tells of: it has no word for it (HL7 v2.5.1 ch. 3.4.5)."""
    if relative.get("active") is True:
        del relative["active"]
        target.aside[name] = Aside(lost=("active",))


_NAMES: Final = ("name", _name_people)
_USUAL: Final[tuple[tuple[str, Rearrange], ...]] = (_NAMES,)
_REARRANGED: Final[Mapping[str, tuple[tuple[str, Rearrange], ...]]] = {
    "Encounter": (("location", _current),),
    "ServiceRequest": (("identifier", _number("PLAC")),),
    "MedicationRequest": (("identifier", _number("PLAC")),),
    "Appointment": (("identifier", _number("PLAC")),),
    "DiagnosticReport": (("identifier", _number("FILL")),),
    "MedicationDispense": (("identifier", _number("FILL")),),
    "MedicationAdministration": (("identifier", _number("FILL")),),
    "DocumentReference": (("identifier", _master),),
}
"""By kind of resource, the element that is rearranged where it is another than before."""


# --- who is referred to -------------------------------------------------------------------------------------


def _resolve(target: Target, name: str, pointer: Json, kinds: frozenset[str], path: str) -> None:
    """Let a Reference name a resource of a kind that the maps speak of here."""
    found = target.resolve(pointer)
    if found is None:
        _made_of_words(target, name, pointer, kinds, path)
    elif found["resourceType"] == "PractitionerRole" and "PractitionerRole" not in kinds:
        for way in ("practitioner", "organization"):
            inner = found.get(way)
            if way.capitalize() in kinds and (reference := forward.reference_of(inner)):
                role = forward.reference_of(pointer)
                said = target.aside[role].silent if role in target.aside else frozenset[str]()
                target.aside[role] = Aside(silent=said | {way})
                pointer["reference"] = reference
                return
    elif found["resourceType"] == "Location" and not name.startswith("Location/"):
        place = forward.reference_of(pointer)
        if found is not target.base.get(place):
            _place(found)


def _made_of_words(target: Target, name: str, pointer: Json, kinds: frozenset[str], path: str) -> None:
    """A resource of who is known by no more than a display or an identifier."""
    said = {key: pointer[key] for key in ("display", "identifier") if pointer.get(key)}
    if path.endswith(".assigner"):  # whose name is a part of the identifier
        return
    if not said or forward.reference_of(pointer) in target.deleted:
        return
    asked = str(pointer.get("type") or forward.reference_of(pointer).rpartition("/")[0].rpartition("/")[2])
    kind = "Practitioner" if asked == "PractitionerRole" else asked
    kind = kind or next((one for one in _NAMED if one in kinds), "")
    if kind not in _NAMED or kind not in kinds:
        return
    made: Json = {"resourceType": kind}
    elements: dict[str, str] = {}
    if "identifier" in said:
        made["identifier"] = [said["identifier"]]
        elements["identifier"] = "identifier"
    if "display" in said:
        words = said["display"]
        made["name"] = [{"family": words}] if kind == "Practitioner" else words
        elements["name"] = "display"
    if kind == "Location":
        _place(made)
        elements["description"] = elements["identifier"] = "display" if "display" in said else "identifier"
    key = f"{kind}/{name.replace('/', '-')}:{path}"
    pointer["reference"] = key
    target.resources = {**target.resources, key: made}
    target.aside[key] = Aside(name, path, elements)


def _place(location: Json) -> None:
    """A place of no level that v2 knows is the point of care (PL.1), under its identifier or its name."""
    if has_level(location):
        return
    kind = location.setdefault("physicalType", {})
    kind["coding"] = [*kind.get("coding", ()), dict(_WARD)]
    if not location.get("identifier") and "name" in location:
        location["identifier"] = [{"value": location.pop("name")}]
    elif "name" in location and "description" not in location:
        location["description"] = location.pop("name")


def _pointers(node: Json, kind: str, path: str) -> Iterator[tuple[Json, frozenset[str], str]]:
    """Every Reference of a resource, the kinds it may refer to, and its place."""
    known = shape(kind)
    for name, value in node.items():
        element = known.elements.get(name) if known else None
        if element is None or element.type == "Resource":
            continue
        listed = value if isinstance(value, list) else [value]
        for at, inner in enumerate(listed):
            if isinstance(inner, dict):
                where = f"{path}.{name}[{at}]" if element.repeats else f"{path}.{name}"
                if element.type == "Reference":
                    yield inner, element.targets or frozenset(_NAMED), where.lstrip(".")
                else:
                    yield from _pointers(inner, element.type, where)


# --- panels -------------------------------------------------------------------------------------------------


def _panel(target: Target, name: str, panel: Json) -> None:
    """The components of a panel, which have codes of their own, as observations beside it.

    OBX has one code for all its values (HL7 v2.5.1 ch. 7.4.2).
    """
    parts = panel.get("component") or []
    if all(part.get("code") in (None, panel.get("code")) for part in parts):
        return
    del panel["component"]
    shared: Json = {key: panel[key] for key in _MEMBER if key in panel}
    made: dict[str, Json] = {}
    for at, part in enumerate(parts):
        key = _part_before(target, part, made) or f"{name}:component-{at}"
        made[key] = {"resourceType": "Observation", **shared, **part}
        target.aside[key] = Aside(name, f"component[{at}]", {element: element for element in part})
    target.resources = _behind(target.resources, name, made)
    for report in target.resources.values():
        results = report.get("result")
        if report["resourceType"] == "DiagnosticReport" and isinstance(results, list):
            mine = [at for at, one in enumerate(results) if forward.reference_of(one) == name]
            for at in mine[:1]:
                results[at + 1 : at + 1] = [{"reference": key} for key in made]


def _whole(maps: Maps, panel: Json) -> bool:
    """Whether a segment made for just such an observation says it with its components."""
    if panel["resourceType"] != "Observation":
        return True
    slots = (slot.declared for unit in maps.units for slot in unit.slots)
    return any(isinstance(one, ResourceMap) and bool(one.says) and one.speaks_of(panel) for one in slots)


def _part_before(target: Target, part: Json, taken: Mapping[str, Json]) -> str:
    """The observation that the prior message made of a component: of its code, and nobody else's now."""
    for key, before in target.base.items():
        if before["resourceType"] == "Observation" and before.get("code") == part.get("code"):
            now = target.resources.get(key)
            if key not in taken and (now is None or now is before):
                return key
    return ""


def _behind(resources: Any, name: str, more: dict[str, Json]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, resource in resources.items():
        if key not in more:
            found[key] = resource
        if key == name:
            found |= more
    return found


# --- what the maps speak of ---------------------------------------------------------------------------------


def _has_segments(name: str, resource: Json, path: str) -> bool:
    """Whether segments of their own say who acts in a role here, and no field (PV1-7) says this part."""
    head, _, rest = path.partition("[")
    parts = _followed(name).get((str(resource["resourceType"]), head))
    if parts is None:
        return False
    element = resource[head][int(rest.partition("]")[0])] if rest else {}
    return not any(includes(element, tag) for tag in parts)


@cache
def _followed(name: str) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """By kind of resource and element: the parts of those who act there that fields say, beside segments."""
    declared: MessageMap = next((each for each in MESSAGE_MAPS if each.name == name), ANY)
    code, _, event = next(iter(declared.structures), "").partition("_")
    known = structure.of("2.5.1", code, event)
    maps = {unit.name: unit.maps for unit in declared.units}
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for unit in declared.units:
        if known is None or unit.opener not in known.root.holds:
            continue
        for bond in unit.maps:
            if isinstance(bond, Bond) and bond.unit in maps:
                around = next(each for each in maps[bond.unit] if isinstance(each, ResourceMap))
                tags = [row.tag for row in around.rows if isinstance(row, Field) and row.path == bond.path]
                found[bond.of or around.kind, bond.path] = [tag for tag in tags if tag]
    return found


@cache
def _spoken(name: str) -> dict[str, frozenset[str]]:
    """By kind of resource, the kinds of others that the rows of a message map refer to from it."""
    declared: MessageMap = next((each for each in MESSAGE_MAPS if each.name == name), ANY)
    found: dict[str, set[str]] = {}
    for unit in declared.units:
        for each in unit.maps:
            if isinstance(each, ResourceMap):
                found.setdefault(each.kind, set()).update(_referred(each.rows))
    return {kind: frozenset(kinds) for kind, kinds in found.items()}


def _referred(node: Any) -> Iterator[str]:
    if isinstance(node, Refer):
        yield node.kind
    elif isinstance(node, Place):
        yield "Location"
    if isinstance(node, tuple):
        for inner in node:
            yield from _referred(inner)
    elif hasattr(node, "__dataclass_fields__"):
        for field in node.__dataclass_fields__:
            yield from _referred(getattr(node, field))
