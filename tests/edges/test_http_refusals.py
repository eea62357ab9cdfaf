"""What is not valid is refused at its place, and no refusal repeats a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .http_site import (
    MESSAGE,
    OBSERVATION,
    PATIENT,
    SECRET,
    TRANSACTION,
    Site,
    assert_refused,
    changed,
    expressions,
    post,
    put,
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize(
    ("path", "resource", "status", "place"),
    [
        ("/fhir/Patient", changed(PATIENT, "birthDate", to=SECRET), 422, "Patient.birthDate"),
        ("/fhir/Patient", changed(PATIENT, SECRET, to=SECRET), 422, "Patient"),
        ("/fhir/Patient", OBSERVATION, 422, "resourceType"),
        ("/fhir/Patient", {"resourceType": SECRET}, 422, "resourceType"),
        ("/fhir/Patient", [PATIENT], 422, "http.body"),
        ("/fhir/Patient", SECRET, 422, "http.body"),
        ("/fhir", PATIENT, 422, "Bundle.type"),
        ("/fhir", {**TRANSACTION, "type": "collection"}, 422, "Bundle.type"),
        ("/fhir", {**TRANSACTION, "type": SECRET}, 422, "Bundle.type"),
        ("/fhir/$process-message", TRANSACTION, 422, "Bundle.type"),
        ("/fhir", {"resourceType": "Bundle", "type": "transaction"}, 422, "Bundle.entry"),
        (
            "/fhir",
            changed(TRANSACTION, "entry", 0, "resource", "birthDate", to="x"),
            422,
            "Bundle.entry[0].resource.birthDate",
        ),
        (
            "/fhir",
            changed(TRANSACTION, "entry", 0, "request", "url", to="Patient/p2"),
            422,
            "Bundle.entry[0].request.url",
        ),
        (
            "/fhir",
            changed(TRANSACTION, "entry", 1, to={"resource": OBSERVATION}),
            422,
            "Bundle.entry[1].request",
        ),
        (
            "/fhir",
            changed(TRANSACTION, "entry", 2, "request", to={"method": "GET", "url": "Patient/p1"}),
            404,
            "Bundle.entry[2].request",
        ),
        (
            "/fhir",
            changed(TRANSACTION, "entry", 2, "request", to={"method": "DELETE", "url": "Patient?x=y"}),
            404,
            "Bundle.entry[2].request",
        ),
        (
            "/fhir",
            changed(TRANSACTION, "entry", 2, "request", to={"method": "DELETE", "url": "Banana/1"}),
            404,
            "Bundle.entry[2].request",
        ),
        (
            "/fhir",
            changed(TRANSACTION, "entry", 2, "request", to={"method": "DELETE", "url": f"{SECRET}/1"}),
            404,
            "Bundle.entry[2].request",
        ),
        (
            "/fhir",
            changed(TRANSACTION, "entry", 1, "request", "ifNoneExist", to="identifier=x"),
            404,
            "Bundle.entry[1].request",
        ),
        ("/fhir", changed(MESSAGE, "entry", 0, to={"resource": PATIENT}), 422, "Bundle.entry[0].resource"),
        ("/fhir/Binary", {"resourceType": "Binary", "contentType": "text/plain"}, 404, "http.url"),
        ("/fhir/Bundle", TRANSACTION, 404, "http.url"),
        ("/fhir/Banana", PATIENT, 404, "http.url"),
        ("/fhir/Patient?identifier=x", PATIENT, 404, "http.url"),
    ],
)
async def test_what_is_not_valid_is_refused_at_its_place(
    site: Site, path: str, resource: Any, status: int, place: str
) -> None:
    answer = await post(site, path, resource)
    assert_refused(site, answer, status)
    assert place in expressions(answer)


@pytest.mark.parametrize(
    ("path", "headers", "status", "place"),
    [
        ("/fhir/Patient/p2", {}, 422, "Patient.id"),
        ("/fhir/Observation/p1", {}, 422, "resourceType"),
        ("/fhir/Patient/p1", {"if-match": SECRET}, 422, "http.if-match"),
        ("/fhir/Patient/p1", {"if-match": 'W/"1", W/"2"'}, 422, "http.if-match"),
        ("/fhir/Patient/p1", {"if-match": "*"}, 422, "http.if-match"),
        ("/fhir/Patient/p1", {"if-none-match": "*"}, 404, "http.if-none-match"),
        ("/fhir/Patient/p1?name=x", {}, 404, "http.url"),
    ],
)
async def test_an_update_that_does_not_fit_is_refused(
    site: Site, path: str, headers: dict[str, str], status: int, place: str
) -> None:
    answer = await put(site, path, PATIENT, **headers)
    assert_refused(site, answer, status)
    assert place in expressions(answer)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"<Patient/>", b'{"a":1,"a":2}', b"\xff", b'{"value":NaN}', b"[" * 10_000]
)
async def test_what_is_no_json_is_400(site: Site, body: bytes) -> None:
    async with site.client() as client:
        assert_refused(site, await client.post("/fhir/Patient", content=body), 400)


async def test_all_faults_are_told_at_once(site: Site) -> None:
    answer = await post(site, "/fhir/Patient", {**PATIENT, "birthDate": "x", "gender": "y", "active": 1})
    assert expressions(answer) == ["Patient.birthDate", "Patient.gender", "Patient.active"]
