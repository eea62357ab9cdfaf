"""The coded values of audit events, with the names of their systems in both forms.

FHIR names a code system by a URI, DICOM by a short name or an OID (PS3.15 A.5.2.1). Sources: DICOM PS3.16
CID 400 to 403, IHE ITI TF-2 3.20, HL7 Terminology, and the fixed codes of the profiles of IHE BALP 1.1.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class System(NamedTuple):
    """A code system: its URI for FHIR, its ``codeSystemName`` for DICOM."""

    uri: str
    name: str


class Code(NamedTuple):
    """One coded value."""

    system: System
    code: str
    display: str


_HL7: Final = "http://terminology.hl7.org/CodeSystem/"
DCM: Final = System("http://dicom.nema.org/resources/ontology/DCM", "DCM")
IHE: Final = System("", "IHE")  # never said in FHIR, which has codes of its own for it
TRANSACTIONS: Final = System("urn:ihe:event-type-code", "IHE Transactions")
LIFECYCLE: Final = System(f"{_HL7}iso-21089-lifecycle", "ISO 21089")
REST: Final = System("http://hl7.org/fhir/restful-interaction", "FHIR restful-interaction")
EVENT_TYPE: Final = System(f"{_HL7}audit-event-type", "FHIR audit-event-type")
PARTICIPATION: Final = System(f"{_HL7}v3-ParticipationType", "HL7 ParticipationType")
SECURITY_ROLE: Final = System(f"{_HL7}extra-security-role-type", "FHIR extra-security-role-type")
PROVENANCE: Final = System(f"{_HL7}provenance-participant-type", "FHIR provenance-participant-type")
SNOMED: Final = System("http://snomed.info/sct", "SNOMED CT")
ENTITY_TYPE: Final = System(f"{_HL7}audit-entity-type", "FHIR audit-entity-type")
OBJECT_ROLE: Final = System(f"{_HL7}object-role", "FHIR object-role")
DATA_LIFECYCLE: Final = System(f"{_HL7}dicom-audit-lifecycle", "FHIR dicom-audit-lifecycle")
SOURCE_TYPE: Final = System(f"{_HL7}security-source-type", "FHIR security-source-type")
PURPOSE: Final = System(f"{_HL7}v3-ActReason", "HL7 ActReason")
BALP_ENTITY: Final = System(
    "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "IHE BasicAuditEntityType"
)
OBJECT_ID: Final = System("urn:ietf:rfc:3881", "RFC-3881")  # kinds of identifiers of objects
TAGS: Final = System("urn:x-audit:tag", "audit tag")  # our own: what the log calls the event


# --- events: DICOM CID 400 and 401, ISO 21089 where DICOM knows no such event --------------------------
APPLICATION_ACTIVITY: Final = Code(DCM, "110100", "Application Activity")
AUDIT_LOG_USED: Final = Code(DCM, "110101", "Audit Log Used")
EXPORT: Final = Code(DCM, "110106", "Export")
IMPORT: Final = Code(DCM, "110107", "Import")
PATIENT_RECORD: Final = Code(DCM, "110110", "Patient Record")
QUERY: Final = Code(DCM, "110112", "Query")
SECURITY_ALERT: Final = Code(DCM, "110113", "Security Alert")
USER_AUTHENTICATION: Final = Code(DCM, "110114", "User Authentication")
TRANSFORM: Final = Code(LIFECYCLE, "transform", "Transform/Translate Record Lifecycle Event")
ARCHIVE: Final = Code(LIFECYCLE, "archive", "Archive Record Lifecycle Event")
RESTORE: Final = Code(LIFECYCLE, "restore", "Restore Record Lifecycle Event")
DESTROY: Final = Code(LIFECYCLE, "destroy", "Destroy/Delete Record Lifecycle Event")
VERIFY: Final = Code(LIFECYCLE, "verify", "Verify Record Lifecycle Event")

# --- kinds of events: DICOM CID 401 to 403, IHE --------------------------------------------------------
START: Final = Code(DCM, "110120", "Application Start")
STOP: Final = Code(DCM, "110121", "Application Stop")
LOGIN: Final = Code(DCM, "110122", "Login")
LOGOUT: Final = Code(DCM, "110123", "Logout")
NODE_AUTHENTICATION: Final = Code(DCM, "110126", "Node Authentication")
EMERGENCY_STARTED: Final = Code(DCM, "110127", "Emergency Override Started")
NETWORK_CONFIGURATION: Final = Code(DCM, "110128", "Network Configuration")
SECURITY_CONFIGURATION: Final = Code(DCM, "110129", "Security Configuration")
HARDWARE_CONFIGURATION: Final = Code(DCM, "110130", "Hardware Configuration")
SOFTWARE_CONFIGURATION: Final = Code(DCM, "110131", "Software Configuration")
RESTRICTED_FUNCTION: Final = Code(DCM, "110132", "Use of Restricted Function")
RECORDING_STOPPED: Final = Code(DCM, "110133", "Audit Recording Stopped")
RECORDING_STARTED: Final = Code(DCM, "110134", "Audit Recording Started")
OBJECT_SECURITY: Final = Code(DCM, "110135", "Object Security Attributes Changed")
EMERGENCY_STOPPED: Final = Code(DCM, "110138", "Emergency Override Stopped")
DISCLOSURE: Final = Code(IHE, "IHE0006", "Disclosure")  # ITI TF-2 3.20.8
DISCLOSE: Final = Code(LIFECYCLE, "disclose", "Disclose Record Lifecycle Event")
GET_TOKEN: Final = Code(TRANSACTIONS, "ITI-71", "Get Access Token")
RESTFUL: Final = Code(EVENT_TYPE, "rest", "Restful Operation")  # BALP 1.1.0 fixed the display like this

# --- roles of who takes part: DICOM CID 402, and what the profiles of BALP fix -------------------------
APPLICATION: Final = Code(DCM, "110150", "Application")
DESTINATION: Final = Code(DCM, "110152", "Destination Role ID")
SOURCE: Final = Code(DCM, "110153", "Source Role ID")
RECIPIENT: Final = Code(PARTICIPATION, "IRCP", "information recipient")
AUTHOR: Final = Code(PARTICIPATION, "AUT", "author (originator)")
KEEPER: Final = Code(PARTICIPATION, "CST", "custodian")
HUMAN: Final = Code(SECURITY_ROLE, "humanuser", "human user")
AUTHORIZER: Final = Code(SECURITY_ROLE, "authserver", "authorization server")
CUSTODIAN: Final = Code(PROVENANCE, "custodian", "Custodian")
RECORD_KEEPING: Final = Code(SNOMED, "159541003", "Record keeping/library clerk")

# --- objects -------------------------------------------------------------------------------------------
PERSON: Final = Code(ENTITY_TYPE, "1", "Person")
SYSTEM_OBJECT: Final = Code(ENTITY_TYPE, "2", "System Object")
OTHER: Final = Code(ENTITY_TYPE, "4", "Other")
REQUEST_ID: Final = Code(BALP_ENTITY, "XrequestId", "X-Request-Id")
PATIENT: Final = Code(OBJECT_ROLE, "1", "Patient")
DOMAIN_RESOURCE: Final = Code(OBJECT_ROLE, "4", "Domain Resource")
SECURITY_RESOURCE: Final = Code(OBJECT_ROLE, "13", "Security Resource")
JOB: Final = Code(OBJECT_ROLE, "20", "Job")
QUERIED: Final = Code(OBJECT_ROLE, "24", "Query")
BREAK_THE_GLASS: Final = Code(PURPOSE, "BTG", "break the glass")
SERVER: Final = Code(SOURCE_TYPE, "4", "Application Server")

LIFECYCLES: Final = {
    code: Code(DATA_LIFECYCLE, code, display)
    for code, display in {
        "1": "Origination / Creation",
        "2": "Import / Copy",
        "3": "Amendment",
        "4": "Verification",
        "5": "Translation",
        "6": "Access / Use",
        "9": "Report",
        "10": "Export",
        "11": "Disclosure",
        "12": "Receipt of disclosure",
        "13": "Archiving",
        "15": "Permanent erasure / Physical destruction",
    }.items()
}
