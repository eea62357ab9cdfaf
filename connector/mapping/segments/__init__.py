"""One file a segment: rows in the order of the HL7 v2-to-FHIR guide's segment maps."""
