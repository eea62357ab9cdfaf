"""HL7 v2 as text: read without loss, found by location, grouped by structure. Pure: no I/O, no clock."""
