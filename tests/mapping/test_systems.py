"""Names of coding systems and their URIs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mapping import systems
from connector.mapping.codes import CodeTable

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
TABLE_0396 = CodeTable.load("HL70396")


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("LN", "http://loinc.org"),
        ("SCT", "http://snomed.info/sct"),
        ("I10C", "http://hl7.org/fhir/sid/icd-10-cm"),
        ("I9C", "http://hl7.org/fhir/sid/icd-9-cm"),
        ("RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"),
        ("NDC", "http://hl7.org/fhir/sid/ndc"),
        ("CVX", "http://hl7.org/fhir/sid/cvx"),
        ("MVX", "http://hl7.org/fhir/sid/mvx"),
        ("UCUM", "http://unitsofmeasure.org"),
        ("C4", "http://www.ama-assn.org/go/cpt"),
        ("CDCREC", "urn:oid:2.16.840.1.113883.6.238"),
        ("ISO639", "urn:ietf:bcp:47"),
        ("ISO3166_1", "urn:iso:std:iso:3166"),
        ("HL70078", V2 + "0078"),
    ],
)
def test_the_name_that_is_written_is_the_one_of_table_0396(name: str, uri: str) -> None:
    assert systems.to_uri(name) == uri
    assert systems.to_name(uri) == name


@pytest.mark.parametrize(
    ("alias", "preferred"),
    [
        ("LOINC", "LN"),
        ("SNOMED-CT", "SCT"),
        ("ICD-10", "I10"),
        ("I9CDX", "I9C"),
        ("CPT4", "C4"),
        ("ISO3166", "ISO3166_1"),
        ("HL7-0354", "HL70354"),
    ],
)
def test_what_senders_write_instead_is_understood(alias: str, preferred: str) -> None:
    assert systems.to_uri(alias) == systems.to_uri(preferred) is not None


@pytest.mark.parametrize("name", ["ln", " LN ", "Ln", "snomed-ct", "hl70001", "Ucum"])
def test_names_are_compared_without_case_and_outer_blanks(name: str) -> None:
    assert systems.to_uri(name) == systems.to_uri(name.strip().upper()) is not None


def test_uris_are_compared_exactly() -> None:
    assert systems.to_name("http://LOINC.org") is None
    assert systems.to_name("http://loinc.org/") is None


@pytest.mark.parametrize("name", ["L", "l", "LB", "99ABC", "99", "99zzz"])
def test_a_local_system_has_no_uri(name: str) -> None:
    assert systems.to_uri(name) is None
    assert systems.is_local(name)


@pytest.mark.parametrize("name", ["", "LN", "HL70001", "ISO+", "LNC"])
def test_other_names_are_not_local(name: str) -> None:
    assert not systems.is_local(name)


@pytest.mark.parametrize("name", ["", "ISO+", "WHATEVER", "HL7001", "HL7000001", "HL7٠٠٠١"])
def test_an_unknown_name_has_no_uri(name: str) -> None:
    assert systems.to_uri(name) is None


def test_snomed_international_is_not_snomed_ct() -> None:
    assert systems.to_uri("SNM3") != systems.to_uri("SCT")


@given(number=st.integers(min_value=0, max_value=9999))
def test_every_hl7_table_is_named_by_its_number(number: int) -> None:
    name = f"HL7{number:04}"
    assert systems.to_uri(name) == f"{V2}{number:04}"
    assert systems.to_name(f"{V2}{number:04}") == name


@given(uri=st.sampled_from(sorted({code for _, code in TABLE_0396.to_v2})))
def test_the_name_of_a_uri_leads_to_a_uri_of_the_same_name(uri: str) -> None:
    name = systems.to_name(uri)
    assert name is not None
    assert systems.to_name(systems.to_uri(name) or "") == name


@given(text=st.text())
def test_any_text_is_answered(text: str) -> None:
    assert (
        systems.to_name(text) is None or text in {code for _, code in TABLE_0396.to_v2} or text.startswith(V2)
    )
    uri = systems.to_uri(text)
    assert uri is None or systems.to_name(uri) is not None


def test_names_differ_not_only_by_case() -> None:
    assert len({name.upper() for name in TABLE_0396.to_fhir}) == len(TABLE_0396.to_fhir)
