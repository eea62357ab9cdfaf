"""FHIR R4 as data: JSON, bundles, references, outcomes and validation. Pure: no I/O, no clock."""
