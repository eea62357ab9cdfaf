"""FHIR that never was v2: a small hospital in the style of US Core, and how it is written."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from connector.edges.judge_worker import findings
from connector.hl7v2 import structure
from connector.hl7v2.tree import Message
from connector.mapping import Envelope, Translator
from tests.shipped import TRANSLATOR as MADE

Json = dict[str, Any]

CORE = "http://hl7.org/fhir/us/core/"
BASE = "https://ehr.example/fhir"
TERMS = "http://terminology.hl7.org/CodeSystem/"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"


def coded(system: str, code: str, display: str = "") -> Json:
    return {"coding": [{"system": system, "code": code} | ({"display": display} if display else {})]}


def to(reference: str, display: str = "") -> Json:
    return {"reference": reference} | ({"display": display} if display else {})


def core(name: str) -> Json:
    return {"profile": [f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{name}"]}


def measured(value: int, unit: str, code: str) -> Json:
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": code}


PATIENT: Json = {
    "resourceType": "Patient",
    "id": "amy",
    "meta": {**core("patient"), "lastUpdated": "2026-11-02T08:00:00Z"},
    "identifier": [
        {
            "use": "usual",
            "type": coded(TERMS + "v2-0203", "MR"),
            "system": "urn:oid:2.999.1",
            "value": "1032702",
        }
    ],
    "name": [{"use": "official", "family": "Shaw", "given": ["Amy", "V."]}],
    "telecom": [{"system": "phone", "value": "555-5555", "use": "home"}],
    "gender": "female",
    "birthDate": "1987-02-20",
    "address": [
        {"line": ["49 Meadow St"], "city": "Mounds", "state": "OK", "postalCode": "74047", "country": "US"}
    ],
}
NPI = "http://hl7.org/fhir/sid/us-npi"
DOCTOR: Json = {
    "resourceType": "Practitioner",
    "id": "bone",
    "meta": core("practitioner"),
    "identifier": [{"system": NPI, "value": "9941339108"}],
    "name": [{"family": "Bone", "given": ["Ronald"], "prefix": ["Dr."]}],
}
HOSPITAL: Json = {
    "resourceType": "Organization",
    "id": "hospital",
    "meta": core("organization"),
    "identifier": [{"system": NPI, "value": "1407071236"}],
    "active": True,
    "name": "Valley Hospital",
}
ROLE: Json = {
    "resourceType": "PractitionerRole",
    "id": "bone-at-valley",
    "meta": core("practitionerrole"),
    "practitioner": to("Practitioner/bone"),
    "organization": to("Organization/hospital"),
    "specialty": [coded("http://nucc.org/provider-taxonomy", "207R00000X")],
}
WARD: Json = {
    "resourceType": "Location",
    "id": "ward",
    "meta": core("location"),
    "status": "active",
    "name": "4 West",
    "managingOrganization": to("Organization/hospital"),
}
VISIT: Json = {
    "resourceType": "Encounter",
    "id": "stay",
    "meta": core("encounter"),
    "identifier": [{"system": "urn:oid:2.999.2", "value": "V77"}],
    "status": "in-progress",
    "class": {"system": TERMS + "v3-ActCode", "code": "IMP", "display": "inpatient encounter"},
    "type": [coded(SNOMED, "183807002", "Inpatient stay 9 days")],
    "subject": to("Patient/amy"),
    "participant": [
        {
            "type": [coded(TERMS + "v3-ParticipationType", "ATND", "attender")],
            "individual": to("Practitioner/bone", "Dr. Bone"),
        }
    ],
    "period": {"start": "2026-11-02T09:00:00+01:00"},
    "location": [{"location": to("Location/ward")}],
    "serviceProvider": to("Organization/hospital"),
}
KIN: Json = {
    "resourceType": "RelatedPerson",
    "id": "sam",
    "meta": core("relatedperson"),
    "active": True,
    "patient": to("Patient/amy"),
    "relationship": [coded(TERMS + "v3-RoleCode", "SPS", "spouse")],
    "name": [{"family": "Shaw", "given": ["Sam"]}],
    "telecom": [{"system": "phone", "value": "555-6666"}],
}
PAYOR: Json = {
    "resourceType": "Organization",
    "id": "insurer",
    "meta": core("organization"),
    "identifier": [{"system": "urn:oid:2.999.3", "value": "INS1"}],
    "active": True,
    "name": "Insure Co",
}
COVERAGE: Json = {
    "resourceType": "Coverage",
    "id": "plan",
    "meta": core("coverage"),
    "identifier": [{"type": coded(TERMS + "v2-0203", "MB"), "system": "urn:oid:2.999.3.1", "value": "M-1"}],
    "status": "active",
    "subscriberId": "77",
    "beneficiary": to("Patient/amy"),
    "relationship": coded(TERMS + "subscriber-relationship", "self"),
    "period": {"start": "2026-01-01"},
    "payor": [to("Organization/insurer")],
}
ALLERGY: Json = {
    "resourceType": "AllergyIntolerance",
    "id": "nuts",
    "meta": core("allergyintolerance"),
    "clinicalStatus": coded(TERMS + "allergyintolerance-clinical", "active"),
    "verificationStatus": coded(TERMS + "allergyintolerance-verification", "confirmed"),
    "category": ["food"],
    "criticality": "high",
    "code": coded(SNOMED, "91935009", "Allergy to peanuts"),
    "patient": to("Patient/amy"),
    "reaction": [{"manifestation": [coded(SNOMED, "271807003", "skin rash")]}],
}
PROBLEM: Json = {
    "resourceType": "Condition",
    "id": "asthma",
    "meta": core("condition-problems-health-concerns"),
    "clinicalStatus": coded(TERMS + "condition-clinical", "active"),
    "verificationStatus": coded(TERMS + "condition-ver-status", "confirmed"),
    "category": [coded(TERMS + "condition-category", "problem-list-item")],
    "code": coded(SNOMED, "195967001", "Asthma"),
    "subject": to("Patient/amy"),
    "onsetDateTime": "2012-11-01",
    "recordedDate": "2026-11-01",
}
DIAGNOSIS: Json = {
    "resourceType": "Condition",
    "id": "fracture",
    "meta": core("condition-encounter-diagnosis"),
    "clinicalStatus": coded(TERMS + "condition-clinical", "active"),
    "verificationStatus": coded(TERMS + "condition-ver-status", "confirmed"),
    "category": [coded(TERMS + "condition-category", "encounter-diagnosis")],
    "code": coded("http://hl7.org/fhir/sid/icd-10-cm", "S42.001A", "Fracture of clavicle"),
    "subject": to("Patient/amy"),
    "encounter": to("Encounter/stay"),
    "recordedDate": "2026-11-02",
}
PROCEDURE: Json = {
    "resourceType": "Procedure",
    "id": "repair",
    "meta": core("procedure"),
    "status": "completed",
    "code": coded(SNOMED, "274474001", "Bone repair"),
    "subject": to("Patient/amy"),
    "encounter": to("Encounter/stay"),
    "performedDateTime": "2026-11-02T11:00:00+01:00",
}
SODIUM: Json = {
    "resourceType": "Observation",
    "id": "sodium",
    "meta": core("observation-lab"),
    "status": "final",
    "category": [coded(TERMS + "observation-category", "laboratory")],
    "code": coded(LOINC, "2951-2", "Sodium"),
    "subject": to("Patient/amy"),
    "effectiveDateTime": "2026-11-02T10:00:00+01:00",
    "valueQuantity": {
        "value": 140,
        "unit": "mmol/L",
        "system": "http://unitsofmeasure.org",
        "code": "mmol/L",
    },
    "interpretation": [coded(TERMS + "v3-ObservationInterpretation", "N")],
    "referenceRange": [{"text": "135-145"}],
}
PRESSURE: Json = {
    "resourceType": "Observation",
    "id": "pressure",
    "meta": core("blood-pressure"),
    "status": "final",
    "category": [coded(TERMS + "observation-category", "vital-signs")],
    "code": coded(LOINC, "85354-9", "Blood pressure panel"),
    "subject": to("Patient/amy"),
    "encounter": to("Encounter/stay"),
    "effectiveDateTime": "2026-11-02T10:00:00+01:00",
    "component": [
        {
            "code": coded(LOINC, "8480-6", "Systolic blood pressure"),
            "valueQuantity": {
                "value": 109,
                "unit": "mmHg",
                "system": "http://unitsofmeasure.org",
                "code": "mm[Hg]",
            },
        },
        {
            "code": coded(LOINC, "8462-4", "Diastolic blood pressure"),
            "valueQuantity": {
                "value": 44,
                "unit": "mmHg",
                "system": "http://unitsofmeasure.org",
                "code": "mm[Hg]",
            },
        },
    ],
}
REPORT: Json = {
    "resourceType": "DiagnosticReport",
    "id": "metabolic",
    "meta": core("diagnosticreport-lab"),
    "identifier": [{"type": coded(TERMS + "v2-0203", "FILL"), "system": "urn:oid:2.999.4", "value": "L-1"}],
    "status": "final",
    "category": [coded(TERMS + "v2-0074", "LAB")],
    "code": coded(LOINC, "51990-0", "Basic metabolic panel"),
    "subject": to("Patient/amy"),
    "effectiveDateTime": "2026-11-02T10:00:00+01:00",
    "issued": "2026-11-02T12:00:00+01:00",
    "result": [to("Observation/sodium")],
}
ORDER: Json = {
    "resourceType": "ServiceRequest",
    "id": "order",
    "meta": core("servicerequest"),
    "identifier": [{"type": coded(TERMS + "v2-0203", "PLAC"), "system": "urn:oid:2.999.5", "value": "O-1"}],
    "status": "active",
    "intent": "order",
    "category": [coded(SNOMED, "108252007", "Laboratory procedure")],
    "code": coded(LOINC, "24320-4", "Basic metabolic panel"),
    "subject": to("Patient/amy"),
    "encounter": to("Encounter/stay"),
    "occurrenceDateTime": "2026-11-02",
    "authoredOn": "2026-11-02T09:30:00+01:00",
    "requester": to("Practitioner/bone", "Dr. Bone"),
}
PRESCRIPTION: Json = {
    "resourceType": "MedicationRequest",
    "id": "script",
    "meta": core("medicationrequest"),
    "identifier": [{"system": "urn:oid:2.999.6", "value": "RX-1"}],
    "status": "active",
    "intent": "order",
    "medicationCodeableConcept": coded(
        "http://www.nlm.nih.gov/research/umls/rxnorm", "1049221", "Oxycodone 5 MG"
    ),
    "subject": to("Patient/amy"),
    "encounter": to("Encounter/stay"),
    "authoredOn": "2026-11-02T13:00:00+01:00",
    "requester": to("Practitioner/bone"),
    "dosageInstruction": [
        {
            "text": "one tablet every 4 hours",
            "timing": {"repeat": {"frequency": 1, "period": 4, "periodUnit": "h"}},
            "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
        }
    ],
}
DISPENSE: Json = {
    "resourceType": "MedicationDispense",
    "id": "dispensed",
    "meta": core("medicationdispense"),
    "status": "completed",
    "medicationCodeableConcept": PRESCRIPTION["medicationCodeableConcept"],
    "subject": to("Patient/amy"),
    "authorizingPrescription": [to("MedicationRequest/script")],
    "quantity": {"value": 20, "unit": "tablet"},
    "whenHandedOver": "2026-11-02T14:00:00+01:00",
}
GIVEN: Json = {
    "resourceType": "MedicationAdministration",
    "id": "given",
    "status": "completed",
    "medicationCodeableConcept": PRESCRIPTION["medicationCodeableConcept"],
    "subject": to("Patient/amy"),
    "effectiveDateTime": "2026-11-02T15:00:00+01:00",
    "request": to("MedicationRequest/script"),
    "dosage": {"dose": {"value": 1, "unit": "tablet"}},
}
VACCINE: Json = {
    "resourceType": "Immunization",
    "id": "flu",
    "meta": core("immunization"),
    "status": "completed",
    "vaccineCode": coded("http://hl7.org/fhir/sid/cvx", "158", "influenza, quadrivalent"),
    "patient": to("Patient/amy"),
    "occurrenceDateTime": "2026-11-02",
    "primarySource": True,
    "lotNumber": "LOT9",
}
APPOINTMENT: Json = {
    "resourceType": "Appointment",
    "id": "checkup",
    "identifier": [{"system": "urn:oid:2.999.7", "value": "A-1"}],
    "status": "booked",
    "serviceType": [coded(TERMS + "service-type", "124", "General Practice")],
    "start": "2026-12-01T09:00:00+01:00",
    "end": "2026-12-01T09:15:00+01:00",
    "participant": [
        {"actor": to("Patient/amy"), "status": "accepted"},
        {"actor": to("Practitioner/bone"), "status": "accepted"},
        {"actor": to("Location/ward"), "status": "accepted"},
    ],
}
DOCUMENT: Json = {
    "resourceType": "DocumentReference",
    "id": "letter",
    "meta": core("documentreference"),
    "identifier": [{"system": "urn:oid:2.999.8", "value": "D-1"}],
    "status": "current",
    "docStatus": "final",
    "type": coded(LOINC, "18842-5", "Discharge summary"),
    "category": [
        coded("http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category", "clinical-note")
    ],
    "subject": to("Patient/amy"),
    "date": "2026-11-02T16:00:00+01:00",
    "author": [to("Practitioner/bone")],
    "content": [{"attachment": {"contentType": "text/plain", "data": "V2VsbCBhZ2Fpbi4="}}],
    "context": {"encounter": [to("Encounter/stay")], "period": {"start": "2026-11-02"}},
}
CHARGE: Json = {
    "resourceType": "ChargeItem",
    "id": "charge",
    "identifier": [{"system": "urn:oid:2.999.9", "value": "C-1"}],
    "status": "billable",
    "code": coded("http://www.ama-assn.org/go/cpt", "99213"),
    "subject": to("Patient/amy"),
    "context": to("Encounter/stay"),
    "occurrenceDateTime": "2026-11-02",
    "quantity": {"value": 1},
}


def bundle(*resources: Json, urls: dict[str, str] | None = None) -> Json:
    """A transaction; ``urls``: other addresses of some of them, by id."""
    known = urls or {}
    entries = [
        {"fullUrl": known.get(one["id"], f"{BASE}/{one['resourceType']}/{one['id']}"), "resource": one}
        for one in map(deepcopy, resources)
    ]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "timestamp": "2026-11-02T17:00:00+01:00",
        "entry": entries,
    }


def written(*resources: Json, event: str = "", using: Translator = MADE) -> tuple[Message, list[str]]:
    """The message of a bundle and what is lost; it is whole, or this fails."""
    envelope = Envelope(event) if event else None
    made = using.to_v2(bundle(*resources), envelope=envelope)
    said = Message.parse(made.message)
    found = structure.of(said.version, said.message_code, said.trigger_event, said.structure)
    assert found is not None
    assert structure.missing(found, tuple(segment.name for segment in said.segments)) == ()
    return said, made.lost


def judged(said: Message) -> list[str]:
    """What hl7apy finds wrong."""
    return [f"{kind} {where}" for kind, where in findings(str(said))]
