"""Which v2 message a change of FHIR becomes: the table, and how one of its rows is chosen.

A row's key is the type of the resource, what happens to it and, where it matters, its kind:

    Encounter.create              it was not known before
    Encounter.finished            it comes to this status, from another one or as it is created
    Encounter.onleave>in-progress it comes from one status to another
    Encounter.location            one aspect of it is another than before (``aspects.ASPECTS``)
    Encounter.update              anything else about it
    Encounter.delete              it is taken away
    Encounter.create.emergency    the same, of one kind only (``aspects.KINDS``)

The special is tried before the general: from one status to another, a status, an aspect, the rest; and each
of one kind before that of any. A profile's ``[events]`` have the same form and override row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, NamedTuple

from ..places import Json
from .aspects import ASPECTS, changed, is_kind, status_of, statuses_of

INTERACTIONS: Final = ("create", "update", "delete")

DEFAULTS: Final[Mapping[str, str]] = {
    # --- people (HL7 v2.5.1 ch. 3.3.24, 3.3.28, 3.3.29, 3.3.31, 3.3.40)
    "Patient.create": "ADT^A28",
    "Patient.update": "ADT^A31",
    "Patient.delete": "ADT^A29",
    "Patient.replaced-by": "ADT^A40",
    "Patient.see-also": "ADT^A24",
    "RelatedPerson.create": "ADT^A31",
    "RelatedPerson.update": "ADT^A31",
    "RelatedPerson.delete": "ADT^A31",
    "Coverage.create": "ADT^A31",
    "Coverage.update": "ADT^A31",
    "Coverage.delete": "ADT^A31",
    "Account.create": "ADT^A31",
    "Account.update": "ADT^A31",
    # --- visits (ch. 3.3.1 to 3.3.38)
    "Encounter.create": "ADT^A01",
    "Encounter.create.ambulatory": "ADT^A04",
    "Encounter.create.emergency": "ADT^A04",
    "Encounter.create.preadmission": "ADT^A05",
    "Encounter.planned": "ADT^A05",
    "Encounter.planned>arrived": "ADT^A01",
    "Encounter.planned>arrived.ambulatory": "ADT^A04",
    "Encounter.planned>arrived.emergency": "ADT^A04",
    "Encounter.planned>triaged": "ADT^A01",
    "Encounter.planned>triaged.ambulatory": "ADT^A04",
    "Encounter.planned>triaged.emergency": "ADT^A04",
    "Encounter.planned>in-progress": "ADT^A01",
    "Encounter.planned>in-progress.ambulatory": "ADT^A04",
    "Encounter.planned>in-progress.emergency": "ADT^A04",
    "Encounter.planned>cancelled": "ADT^A38",
    "Encounter.planned>entered-in-error": "ADT^A38",
    "Encounter.onleave": "ADT^A21",
    "Encounter.onleave>in-progress": "ADT^A22",
    "Encounter.finished": "ADT^A03",
    "Encounter.finished>in-progress": "ADT^A13",
    "Encounter.cancelled": "ADT^A11",
    "Encounter.entered-in-error": "ADT^A11",
    "Encounter.class.inpatient": "ADT^A06",
    "Encounter.class.ambulatory": "ADT^A07",
    "Encounter.location": "ADT^A02",
    "Encounter.update": "ADT^A08",
    "Encounter.delete": "ADT^A23",
    # --- what is known of a patient (ch. 3.3.8, 3.3.31, 3.3.60, 12.3.1)
    "AllergyIntolerance.create": "ADT^A60",
    "AllergyIntolerance.update": "ADT^A60",
    "AllergyIntolerance.delete": "ADT^A60",
    "Condition.create": "ADT^A31",
    "Condition.create.visit": "ADT^A08",
    "Condition.create.problem": "PPR^PC1",
    "Condition.update": "ADT^A31",
    "Condition.update.visit": "ADT^A08",
    "Condition.update.problem": "PPR^PC2",
    "Condition.entered-in-error.problem": "PPR^PC3",
    "Condition.delete": "ADT^A31",
    "Condition.delete.visit": "ADT^A08",
    "Condition.delete.problem": "PPR^PC3",
    "Procedure.create": "ADT^A31",
    "Procedure.create.visit": "ADT^A08",
    "Procedure.update": "ADT^A31",
    "Procedure.update.visit": "ADT^A08",
    "Procedure.delete": "ADT^A31",
    "Procedure.delete.visit": "ADT^A08",
    # --- orders and results (ch. 4.4, 7.3, 11.3)
    "ServiceRequest.create": "OMG^O19",
    "ServiceRequest.create.laboratory": "OML^O21",
    "ServiceRequest.create.referral": "REF^I12",
    "ServiceRequest.update": "OMG^O19",
    "ServiceRequest.update.laboratory": "OML^O21",
    "ServiceRequest.update.referral": "REF^I13",
    "ServiceRequest.revoked.referral": "REF^I14",
    "DiagnosticReport.create": "ORU^R01",
    "DiagnosticReport.update": "ORU^R01",
    "Observation.create": "ORU^R01",
    "Observation.update": "ORU^R01",
    # --- medication and vaccines (ch. 4.13, 4A)
    "MedicationRequest.create": "OMP^O09",
    "MedicationRequest.update": "OMP^O09",
    "MedicationDispense.create": "RDS^O13",
    "MedicationDispense.update": "RDS^O13",
    "MedicationAdministration.create": "RAS^O17",
    "MedicationAdministration.update": "RAS^O17",
    "Immunization.create": "VXU^V04",
    "Immunization.update": "VXU^V04",
    # --- appointments (ch. 10.4)
    "Appointment.create": "SIU^S12",
    "Appointment.booked": "SIU^S12",
    "Appointment.start": "SIU^S13",
    "Appointment.update": "SIU^S14",
    "Appointment.cancelled": "SIU^S15",
    "Appointment.noshow": "SIU^S26",
    "Appointment.entered-in-error": "SIU^S17",
    "Appointment.delete": "SIU^S17",
    # --- documents (ch. 9.6)
    "DocumentReference.create": "MDM^T02",
    "DocumentReference.replaces": "MDM^T10",
    "DocumentReference.appends": "MDM^T06",
    "DocumentReference.doc-status": "MDM^T04",
    "DocumentReference.update": "MDM^T08",
    "DocumentReference.superseded": "MDM^T04",
    "DocumentReference.entered-in-error": "MDM^T11",
    "DocumentReference.delete": "MDM^T11",
    # --- charges (ch. 6.4.3)
    "ChargeItem.create": "DFT^P03",
    "ChargeItem.update": "DFT^P03",
}


class Rule(NamedTuple):
    """One row: when a ``resource`` changes like this, ``event`` is sent; ``""`` sends nothing, on purpose.

    ``on``: ``create``, ``update`` or ``delete``, empty where another word says it. ``was`` and ``status``:
    the statuses before and after. ``aspect``: what is another than before. ``kind``: of this kind only.
    """

    resource: str
    event: str
    on: str = ""
    was: str = ""
    status: str = ""
    aspect: str = ""
    kind: str = ""

    def fits(self, now: Json | None, old: Json | None) -> bool:
        """Whether a change is this one; ``now`` is None after a delete, ``old`` where nothing was known."""
        there = now if now is not None else old or {}
        if self.kind and not is_kind({**there, "resourceType": self.resource}, self.kind):
            return False
        if self.on:
            return self.on == ("delete" if now is None else "update" if old is not None else "create")
        if now is None:
            return False
        if self.aspect:
            return changed(self.aspect, {**now, "resourceType": self.resource}, old)
        before = status_of(old) if old is not None else ""
        return status_of(now) == self.status != before and self.was in ("", before)


def rules(events: Mapping[str, str] | None = None) -> tuple[Rule, ...]:
    """The rows of a table over the defaults, in the order to try them: the special before the general."""
    found = [_rule(key, event) for key, event in {**DEFAULTS, **(events or {})}.items()]
    return tuple(sorted(found, key=lambda one: (not one.was, not one.status, not one.aspect, not one.kind)))


def event_for(table: Iterable[Rule], kind: str, now: Json | None, old: Json | None) -> str | None:
    """The event of the first row that fits; "" where it says that nothing is sent; None without a row."""
    return next((row.event for row in table if row.resource == kind and row.fits(now, old)), None)


def _rule(key: str, event: str) -> Rule:
    resource, what, kind = split(key)
    was, arrow, status = what.rpartition(">")
    if what in INTERACTIONS:
        return Rule(resource, event, on=what, kind=kind)
    if arrow or what in statuses_of(resource):
        return Rule(resource, event, was=was, status=status, kind=kind)
    return Rule(resource, event, aspect=what, kind=kind)


def split(key: str) -> tuple[str, str, str]:
    """The type, what happens, and the kind or an empty text."""
    resource, _, rest = key.partition(".")
    what, _, kind = rest.partition(".")
    return resource, what, kind


@cache
def happenings(resource: str) -> tuple[str, ...]:
    """What may happen to a resource of this type, but for coming from one status to another."""
    return (*INTERACTIONS, *ASPECTS.get(resource, ()), *sorted(statuses_of(resource)))


def may_happen(resource: str, what: str) -> bool:
    """Whether this may happen to a resource of this type."""
    was, arrow, status = what.partition(">")
    return {was, status} <= statuses_of(resource) if arrow else what in happenings(resource)
