"""Following a profile's verbs: units in, units out, before they are bound to a partner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from .added import Listed
from .datatypes.coded import Concept
from .fields import Field, One
from .hidden import Hidden, HiddenAcross, Part
from .lens import At, Item, Nested, Row
from .messages import registry
from .units import Attached, Bond, PartOf, ResourceMap, Segments, Unit
from .verbs import CODECS, Added, AnyRow, Place, Refused, Verbs, declared, numbers, spans

Units = tuple[Unit, ...]
_NEEDED: Final = ("MSH", "PID")


def change_of(verbs: Verbs) -> Callable[[Units], Units]:
    """What the verbs make of the units of any message map; a map follows those verbs whose places it has.

    Raises ``Refused`` for a verb that no map can follow, and for verbs that contradict each other.
    """
    for n, dropped in enumerate(verbs.drop):
        if dropped in _NEEDED:
            raise Refused(("drop", n), f"no message can be said without {dropped}", "drop some of its fields")
    apart = [Verbs(move={source: target}) for source, target in verbs.move.items()]
    apart += [Verbs(added=(one,)) for one in verbs.added]
    for one in apart:
        refusals = [(each, _refusal(each.units, one)) for each in registry.MESSAGE_MAPS]
        if all(refused for _, refused in refusals):
            closest = max(refusals, key=lambda found: _having(found[0].units, one))
            assert closest[1] is not None  # noqa: S101 - all of them refuse
            raise closest[1]

    def change(units: Units) -> Units:
        fit = [one for one in apart if not _refusal(units, one)]
        move = {source: target for one in fit for source, target in one.move.items()}
        added = tuple(each for one in fit for each in one.added)
        return changed(units, replace(verbs, move=move, added=added))

    if verbs != Verbs():
        for each in registry.MESSAGE_MAPS:
            change(each.units)
    return change


def _having(units: Units, verbs: Verbs) -> int:
    """How many of the segments and resources that verbs name are spoken of by these units."""
    segments = {name for unit in units for name in unit.segments}
    kinds = {each.kind for unit in units for each in unit.maps if isinstance(each, ResourceMap)}
    places = [*verbs.move, *verbs.move.values(), *(one.source for _, one in verbs.added)]
    asked = [Place.of(place).segment in segments for place in places]
    return sum(asked) + sum(one.resource in kinds for _, one in verbs.added)


def _refusal(units: Units, verbs: Verbs) -> Refused | None:
    try:
        changed(units, verbs)
    except Refused as refused:
        return refused
    return None


def changed(units: Units, verbs: Verbs) -> Units:
    """The units with a partner's differences. Raises ``Refused``."""
    for source, target in verbs.move.items():
        units = _moved(units, Place.of(source), Place.of(target), ("move", source))
    units = _with_added(units, verbs.added)
    places = [Place.of(dropped) for dropped in verbs.drop]
    for name in {place.segment for place in places if not place.number}:
        units = _without_segment(units, name)
    by_field: dict[tuple[str, int], list[Part]] = {}
    for place in places:
        if place.number:
            by_field.setdefault((place.segment, place.number), []).append((place.component, place.sub))
    for (name, number), parts in by_field.items():
        whole = any(not component for component, _ in parts)
        units = _without(units, name, number, () if whole else tuple(parts))
    return _naming_patients(units, verbs.patient_systems)


def _edited(unit: Unit, edit: Callable[[AnyRow], AnyRow | None]) -> Unit:
    """A unit with each of its rows replaced, or taken out where ``edit`` returns None."""

    def rows(declared: ResourceMap | Attached | PartOf | Bond) -> tuple[Any, ...]:
        return tuple(new for row in declared.rows if (new := edit(row)) is not None)

    return replace(unit, maps=tuple(replace(declared, rows=rows(declared)) for declared in unit.maps))


# --- drop ---------------------------------------------------------------------------------------------


def _without_segment(units: Units, name: str) -> Units:
    def kept(row: AnyRow) -> AnyRow | None:
        if isinstance(row, Segments):
            return None if row.name == name else row
        if isinstance(row, (Field, One)):
            return None if row.at.startswith(f"{name}-") else row
        return None if spans(row)[0] == name else row

    found: list[Unit] = []
    for unit in units:
        if unit.opener == name:
            continue
        if name in unit.segments:
            leads, members, many = (
                tuple(one for one in names if one != name) for names in (unit.leads, unit.members, unit.many)
            )
            unit = replace(_edited(unit, kept), leads=leads, members=members, many=many)
            there = frozenset(at for at in unit.structural if not at.startswith(f"{name}-"))
            unit = replace(unit, structural=there)
        found.append(unit)
    return tuple(found)


def _without(units: Units, name: str, number: int, parts: tuple[Part, ...]) -> Units:
    """Without a field, or without some parts of it."""
    at = f"{name}-{number}"

    def edit(row: AnyRow) -> AnyRow | None:
        if isinstance(row, Segments):
            inside = tuple((number, component) for component, _ in parts) or ((number, 0),)
            return replace(row, rows=(Hidden(row.rows, inside),)) if row.name == name else row
        if isinstance(row, (Field, One)):
            if row.at != at:
                return row
            return replace(row, rows=(Hidden(row.rows, parts),)) if parts else None
        segment, numbers = spans(row)
        return HiddenAcross(row, ((number, parts),)) if segment == name and number in numbers else row

    return tuple(
        replace(_edited(_guarded(unit, at, parts), edit), structural=unit.structural - {at})
        if name in unit.segments
        else unit
        for unit in units
    )


def _guarded(unit: Unit, at: str, parts: tuple[Part, ...]) -> Unit:
    """A unit in which what a dropped field alone would say is not written into another one."""
    marks = {
        row.path: row.tag for row in declared(unit) if isinstance(row, Field) and row.at == at and row.tag
    }

    def guard(row: AnyRow) -> AnyRow:
        if isinstance(row, Field) and row.path in marks and not parts:
            return replace(row, never=(*row.never, marks[row.path]))
        return row

    return _edited(unit, guard)


# --- move ---------------------------------------------------------------------------------------------


def _moved(units: Units, source: Place, target: Place, key: tuple[str | int, ...]) -> Units:
    n = _unit_of(units, target.segment, key)
    unit = units[n]
    row = next((row for row in declared(unit) if getattr(row, "at", "") == target.field), None)
    if not isinstance(row, (Field, One)):
        raise Refused(key, f"{target.field} is read together with other fields", "leave it where it stands")
    unit = _with_member(units, n, source.segment, key)
    unit = _edited(unit, lambda row: None if getattr(row, "at", "") == source.field else row)
    if any(source.field in numbers(row) for row in declared(unit)):
        raise Refused(key, f"{source.field} is read together with other fields", "leave it where it stands")
    rows = tuple(replace(declared, rows=_doubled(declared.rows, source, target)) for declared in unit.maps)
    structural = unit.structural - {source.field}
    return (*units[:n], replace(unit, maps=rows, structural=structural), *units[n + 1 :])


def _doubled(rows: tuple[Any, ...], source: Place, target: Place) -> tuple[Any, ...]:
    """Rows of which those at the target also read the source, which is written rather than the target."""
    found: list[Any] = []
    for row in rows:
        if isinstance(row, One) and row.at == target.field:
            found += [replace(row, at=source.field, secondary=True), replace(row, secondary=True)]
        else:
            if isinstance(row, Field) and row.at == target.field:
                found.append(replace(row, at=source.field))
            found.append(row)
    return tuple(found)


def _unit_of(units: Units, segment: str, key: tuple[str | int, ...]) -> int:
    found = next((n for n, unit in enumerate(units) if segment in unit.segments), None)
    if found is None:
        raise Refused(key, f"the maps have no {segment}", "name a field that they translate")
    return found


def _with_member(units: Units, n: int, segment: str, key: tuple[str | int, ...]) -> Unit:
    """A unit to which a segment belongs that so far belonged to none, or to it."""
    unit = units[n]
    if segment in unit.segments and segment not in unit.many:
        return unit
    if any(segment in other.segments for other in units):
        what = f"{segment} and {unit.opener} do not speak of the same resource"
        raise Refused(key, what, f"name a field of {', '.join(unit.segments)}, or of a segment of your own")
    return replace(unit, members=(*unit.members, segment))


# --- extension and identifier -------------------------------------------------------------------------


def _with_added(units: Units, added: tuple[tuple[tuple[str | int, ...], Added], ...]) -> Units:
    homes: dict[tuple[int, int, str, int], list[tuple[Place, Added]]] = {}
    for key, one in added:
        place = Place.of(one.source)
        n, slot = _home(units, place, one, key)
        units = (*units[:n], _with_member(units, n, place.segment, key), *units[n + 1 :])
        homes.setdefault((n, slot, place.segment, place.number), []).append((place, one))
        _refuse_overlap(homes[n, slot, place.segment, place.number], key)
    for (n, slot, _, _), mine in homes.items():
        units = (*units[:n], _with_row(units[n], slot, mine), *units[n + 1 :])
    return units


def _home(units: Units, place: Place, one: Added, key: tuple[str | int, ...]) -> tuple[int, int]:
    """The unit and the slot of the resource that a field of the partner's own speaks of."""
    homes = [
        (bool(unit.when and declared.says), slot, bool(declared.says), n)  # those of some only come last
        for n, unit in enumerate(units)
        for slot, declared in enumerate(unit.maps)
        if isinstance(declared, ResourceMap) and declared.kind == one.resource != "Bundle"
    ]
    if not homes:
        what = f"no segment speaks of a {one.resource}"
        kinds = {d.kind for unit in units for d in unit.maps if isinstance(d, ResourceMap)}
        raise Refused((*key, "to"), what, f"name one of {', '.join(sorted(kinds - {'Bundle'}))}")
    there = [(n, slot) for _, slot, _, n in homes if place.segment in units[n].segments]
    _, slot, _, n = min(homes)
    return there[0] if there else (n, slot)


def _refuse_overlap(mine: list[tuple[Place, Added]], key: tuple[str | int, ...]) -> None:
    taken = [((place.component or 1), (place.sub or 1)) for place, _ in mine]
    whole = [one for place, one in mine if one.type == "CodeableConcept" and not place.component]
    inner = {place.component for place, one in mine if one.type == "CodeableConcept" and place.component}
    if (
        len(set(taken)) < len(taken)
        or (whole and len(mine) > 1)
        or any(sum(component == one for component, _ in taken) > 1 for one in inner)
    ):
        raise Refused((*key, "from"), "this place is taken by another one", "name a component each")


def _with_row(unit: Unit, slot: int, mine: list[tuple[Place, Added]]) -> Unit:
    """A unit with a row for a field of the partner's own; no other field takes its identifiers."""
    declared = unit.maps[slot]
    tags = tuple(one.tag for _, one in mine if one.list == "identifier")

    def beside(row: Any) -> Any:
        if isinstance(row, Field) and row.path == "identifier" and tags:
            return replace(row, never=(*row.never, *tags))
        return row

    row = One(mine[0][0].field, "", _leaf_rows(mine))
    rows = (*map(beside, declared.rows), row)
    changed = replace(declared, rows=rows)
    return replace(unit, maps=(*unit.maps[:slot], changed, *unit.maps[slot + 1 :]))


def _leaf_rows(mine: list[tuple[Place, Added]]) -> tuple[Row, ...]:
    parted = {place.component for place, _ in mine if place.sub}
    found: list[Row] = []
    for component in sorted({place.component for place, _ in mine}):
        here = [(place, one) for place, one in mine if place.component == component]
        if component in parted:
            inside = tuple(_listed(one, str(place.sub or 1)) for place, one in here)
            found.append(Nested(str(component), inside))
        else:
            found += [_listed(one, str(component or 1), nested=bool(component)) for _, one in here]
    return tuple(found)


def _listed(one: Added, at: str, nested: bool = False) -> Listed:
    if one.list == "identifier":
        return Listed("identifier", one.tag, Item(at, "value"))
    if one.type == "CodeableConcept":
        rows: tuple[Row, ...] = (At("valueCodeableConcept", (Concept(),)),)
        return Listed("extension", one.tag, Nested(at, rows) if nested else rows[0])
    name = "value" + one.type[0].upper() + one.type[1:]
    return Listed("extension", one.tag, Item(at, name, CODECS[one.type]))


# --- who a patient is ---------------------------------------------------------------------------------


def _naming_patients(units: Units, systems: tuple[frozenset[str], ...]) -> Units:
    """Units in which a patient is known by the identifiers of some authorities first."""
    if not systems:
        return units

    def named(declared: ResourceMap) -> ResourceMap:
        fallback = declared.seed

        def seed(node: Any, around: Any) -> str:
            for wanted in systems:
                for one in node.get("identifier", ()):
                    names = {one.get("system", ""), one.get("assigner", {}).get("display", "")}
                    if names & wanted and one.get("value"):
                        return f"{one.get('system', '')}|{one['value']}"
            return fallback(node, around)

        return replace(declared, seed=seed)

    return tuple(
        replace(unit, maps=(named(unit.maps[0]), *unit.maps[1:]))
        if isinstance(unit.maps[0], ResourceMap) and unit.maps[0].kind == "Patient"
        else unit
        for unit in units
    )
