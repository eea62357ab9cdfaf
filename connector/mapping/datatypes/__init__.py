"""v2 datatypes <-> FHIR datatypes, after the HL7 v2-to-FHIR guide's datatype maps."""
