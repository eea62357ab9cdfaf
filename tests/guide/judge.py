"""What the maps do with a row of the guide: found out by translating messages with and without it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from connector.mapping.codes import CodeTable

from . import paths, trials
from .filling import Place, at
from .messages import names_to
from .paths import Target
from .rows import Row
from .tables import TABLES
from .trials import ELSEWHERE, LOST, QUIET, SAID, Trial, User

_RANKS: Final = (SAID, ELSEWHERE, QUIET, LOST)

# Where segment maps stand that no message of the guide uses, or that belong to more messages.
_MORE_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "IAM[AllergyIntolerance]": ("ADT_A60.IAM", "ADT_A60.VISIT_GROUP.IAM"),
    "MSA[MessageHeader]": ("ACK.MSA",),
    "MSH[Encounter]": ("ADT_A01.MSH", "ADT_A02.MSH"),
    "ORC[MedicationAdministration]": ("RAS_O17.ORDER.ORC",),
    "ROL[RelatedPerson]": ("ADT_A01:follow:PID.ROL",),
    "RXO[MedicationRequest]": ("OMP_O09.ORDER.RXO",),
    "RXR[MedicationRequest]": ("OMP_O09.ORDER.RXR", "RDE_O11.ORDER.RXR"),
    "SFT[MessageHeader]": ("ADT_A01.SFT",),
    "TQ1[MedicationRequest]": ("OMP_O09.ORDER.TIMING.TQ1", "RDE_O11.ORDER.TIMING_ENCODED.TQ1"),
}

# fmt: off
_RESOURCES: Final = (
    "Condition", "Device", "DeviceDefinition", "DocumentReference", "Location", "MessageHeader",
    "Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure", "RelatedPerson", "Specimen",
    "Observation", "Medication", "Appointment", "ServiceRequest", "MedicationRequest", "Task",
)
# fmt: on


_OF_DATATYPES: Final = {"TQ[MedicationRequest]": [Place("RDE_O11.ORDER.ORC", "")]}

# The guide writes these places in a way of their own.
_SUB_ID: Final = "http://hl7.org/fhir/StructureDefinition/observation-v2-subid"
_SUB_IDS: Final = {
    "OG.1": "original-sub-identifier",
    "OG.2": "group",
    "OG.3": "sequence",
    "OG.4": "identifier",
}


_USERS: Final = 40  # fields that a row of a datatype map is tried in, at most


class Judge:
    """Judges rows; knows where each segment map and each datatype map is used."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self._places: dict[str, list[Place]] = {}
        self._named: dict[str, dict[str, str]] = {}
        self._fields: dict[str, list[Row]] = {}
        self._components: dict[str, list[Row]] = {}
        for row in rows:
            named = paths.urls_of([(row.fhir_attribute, row.assignment)])
            for place in (row.map, f"{row.map} {row.identifier}"):  # maps count their extensions carelessly
                self._named.setdefault(place, {}).update(named)
            if row.kind == "message" and row.datatype_map:
                self._places.setdefault(row.datatype_map, []).append(_place(row))
            elif row.condition == 'IF OBX-2 EQUALS "RP"' and row.datatype_map == "ED[Attachment]":
                self._fields.setdefault("rp[attachment]", []).append(row)  # a slip of the guide
            elif row.datatype_map and row.kind in ("segment", "datatype"):
                users = self._fields if row.kind == "segment" else self._components
                users.setdefault(row.datatype_map.lower(), []).append(row)
        for name, more in _MORE_PLACES.items():
            self._places.setdefault(name, []).extend(Place(path, "") for path in more)

    def outcome(self, row: Row) -> str:
        """The best that any trial found."""
        if row.kind == "code":
            return of_code(row)
        judged = {"message": self._message, "segment": self._segment, "datatype": self._datatype}[row.kind]
        best = LOST
        for outcome in judged(row):
            best = min(best, outcome, key=_RANKS.index)
            if best == SAID:
                break
        return best

    def places(self, name: str) -> list[Place]:
        """Where a segment map is used, each kind of place once."""
        found: dict[tuple[object, ...], Place] = {}
        for place in self._places.get(name, ()):
            names, position = names_to(place.path)
            before = names[max(position - 1, 0) : position + 1]
            found.setdefault((before, place.condition, place.path[:7]), place)
        return list(found.values()) or [Place(f"ADT_A01.{name.partition('[')[0]}", "")]

    def _urls(self, row: Row) -> Mapping[str, str]:
        """The extensions of a row's map by their place, its own field's before the others'."""
        return {**self._named[row.map], **self._named[f"{row.map} {row.identifier}"]}

    # --- segments and messages

    def target(self, row: Row) -> Target:
        """Where a segment row says something."""
        if row.datatype_map.startswith("OG["):
            return Target(_kind(row.map), f"extension({_SUB_ID})")
        if row.fhir_attribute.startswith("$this") and (of := re.match(r"\w+\[(\w+)", row.datatype_map)):
            return Target(of[1], "")
        return paths.target(_kind(row.map), row.fhir_attribute, row.assignment, self._urls(row))

    def _segment(self, row: Row) -> Iterator[str]:
        target = self.target(row)
        if at(row)[:2] == ("MSH", 0) and not target.text:  # no message can be tried without MSH
            yield ELSEWHERE
            return
        for place in self.places(row.map):
            for trial in trials.of_field(row, place):
                yield trial.outcome(target)

    def _message(self, row: Row) -> Iterator[str]:
        """Said, where any row of the segment map is said in a message of this structure, at this place."""
        place = _place(row)
        if not row.datatype_map:
            segment = row.identifier.split(".")[-1]
            whole = Row("segment", f"{segment}[]", 0, "", segment, "", row.condition, "", "", "", "")
            kind, _, path = row.fhir_attribute.partition(".")
            target = paths.target(re.sub(r"\[.*", "", kind), path, row.assignment, {})
            yield from (trial.outcome(target) for trial in trials.of_field(whole, place))
        for one in self.rows:
            if one.kind == "segment" and one.map == row.datatype_map:
                target = self.target(one)
                if target.kind == _kind(one.map) and row.fhir_attribute.startswith("Observation"):
                    target = target._replace(kind="Observation")  # whose notes the guide maps as an order's
                yield from (trial.outcome(target) for trial in trials.of_field(one, place))

    # --- datatypes

    def _datatype(self, row: Row) -> Iterator[str]:
        """Through the fields of that datatype, wherever the guide uses the datatype map."""
        for user in self.users(row.map)[:_USERS]:
            target = self.inner(row, user.target)
            for place in _OF_DATATYPES.get(row.map) or self.places(user.row.map)[:2]:
                for trial in trials.of_component(row, user, place):
                    yield trial.outcome(target)

    def users(self, name: str, depth: int = 0) -> list[User]:
        """The fields, and through other datatype maps the components, that use a datatype map."""
        name = "TQ[ServiceRequest]" if name == "TQ[MedicationRequest]" else name  # no segment map names it
        found = [User(row, self.target(row), ()) for row in self._fields.get(name.lower(), ())]
        for row in self._components.get(name.lower(), ()) if depth < 2 else ():
            outer, _, component = row.identifier.partition(".")
            for user in self.users(row.map, depth + 1)[:6]:
                inside = (*user.inside, (outer, int(component or 1)))
                found.append(User(user.row, self.inner(row, user.target), inside))
        if not found and not depth:
            found = list(self._alike(name.partition("[")[0], _kind(name)))
        return found

    def _alike(self, datatype: str, kind: str) -> Iterator[User]:
        """For a datatype map that nothing names: fields of that datatype that become the same."""
        for row in self.rows:
            if row.kind == "segment" and row.v2_datatype == datatype and row.fhir_attribute:
                target = self.target(row)
                if target.path and (not row.datatype_map or kind in row.datatype_map):
                    yield User(row, target, ())

    def inner(self, row: Row, outer: Target) -> Target:
        """Where a datatype row says something, within what the field says."""
        kind, _, within = _kind(row.map).partition(".")
        if row.map == "NDL[PractitionerRole]" and row.fhir_attribute.startswith("["):
            kind = "Location"
        own = paths.target(kind, row.fhir_attribute, row.assignment, self._urls(row))
        if kind in _RESOURCES or own.kind != kind:
            return own._replace(path=f"{within}.{own.path}".strip("."))
        if row.map.startswith("OG[") and (name := _SUB_IDS.get(row.identifier)):
            url = f"extension({_SUB_ID})"
            value = row.fhir_attribute.rpartition(".")[2]
            return Target(outer.kind, f"{url}.url" if value == "url" else f"{url}.extension({name}).{value}")
        within_it = outer.path.endswith(own.path)  # XAD.1 becomes lines, and so do its parts
        path = outer.path if within_it else f"{outer.path}.{own.path}"
        return Target(outer.kind, path.strip("."), own.text, own.refers)


def _place(row: Row) -> Place:
    """Where a message row's segment map stands; the guide has one of MSH beside EVN."""
    segment = row.datatype_map.partition("[")[0]
    here = not segment or row.identifier.endswith(f".{segment}")
    return Place(row.identifier if here else f"{row.map}.{segment}", row.condition)


def _kind(name: str) -> str:
    """The kind of resource or datatype that a map is about."""
    return name.partition("[")[2].rstrip("]").partition("-")[0]


def of_code(row: Row) -> str:
    """A code row is said where the table says the same; a concept map that is no table says nothing."""
    if row.map not in TABLES:
        return LOST
    coded = CodeTable.load(TABLES[row.map]).to_fhir.get(row.identifier.split()[0])
    if coded is None:
        return LOST
    return SAID if (coded.code, coded.system) == (row.fhir_attribute, row.assignment) else ELSEWHERE


__all__ = ["Judge", "Trial", "of_code"]
