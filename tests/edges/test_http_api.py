"""The FHIR side's way in: what is taken, and what each refusal says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.edges.http_api import Limits
from connector.edges.http_ports import Kind
from connector.errors import AuditRefused, Forbidden, NotTranslatable, StoreUnavailable
from connector.fhir import json, validate

from .http_site import (
    FHIR,
    MESSAGE,
    OBSERVATION,
    PATIENT,
    SECRET,
    TRANSACTION,
    KnownPeer,
    Notebook,
    Site,
    assert_refused,
    changed,
    expressions,
    post,
    put,
)
from .oauth_site import claims, ec, signed


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_a_transaction_is_stored_and_answered_entry_by_entry(site: Site) -> None:
    answer = await post(site, "/fhir", TRANSACTION)
    assert answer.status_code == 200
    assert answer.headers["x-correlation-id"] == "inbox-1"
    assert answer.json() == {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": [{"response": {"status": "202 Accepted"}}] * 3,
    }
    [taken] = site.notebook.taken
    assert (taken.kind, taken.verb, taken.resource_type, taken.resource_id) == (
        Kind.TRANSACTION,
        "",
        "Bundle",
        "",
    )
    assert taken.raw == json.dumps(TRANSACTION)
    assert taken.resource == TRANSACTION
    assert taken.principal.client_id == "fhir-side"
    assert taken.peer == KnownPeer()


async def test_a_batch_is_answered_as_a_batch(site: Site) -> None:
    answer = await post(site, "/fhir", {**TRANSACTION, "type": "batch"})
    assert answer.json()["type"] == "batch-response"
    assert site.notebook.taken[0].kind is Kind.BATCH


@pytest.mark.parametrize("path", ["/fhir", "/fhir/$process-message", "/fhir/%24process-message"])
async def test_a_message_is_accepted(site: Site, path: str) -> None:
    answer = await post(site, path, MESSAGE)
    assert answer.status_code == 202
    assert answer.json()["issue"][0]["severity"] == "information"
    assert site.notebook.taken[0].kind is Kind.MESSAGE


async def test_a_create_is_accepted(site: Site) -> None:
    answer = await post(site, "/fhir/Observation", OBSERVATION)
    assert answer.status_code == 202
    assert answer.headers["x-correlation-id"] == "inbox-1"
    [taken] = site.notebook.taken
    assert (taken.kind, taken.verb, taken.resource_type, taken.resource_id) == (
        Kind.CREATE,
        "c",
        "Observation",
        "",
    )
    assert taken.resource["valueQuantity"]["value"].as_tuple() == Decimal("0.40").as_tuple()


async def test_an_update_passes_its_version_on(site: Site) -> None:
    answer = await put(site, "/fhir/Patient/p1", PATIENT, **{"if-match": 'W/"7"'})
    assert answer.status_code == 202
    [taken] = site.notebook.taken
    assert (taken.kind, taken.verb, taken.resource_id, taken.if_match) == (Kind.UPDATE, "u", "p1", 'W/"7"')


async def test_a_duplicate_is_told_as_one(site: Site) -> None:
    site.notebook.duplicate = True
    answer = await put(site, "/fhir/Patient/p1", PATIENT)
    assert answer.status_code == 202
    assert "already" in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    "kind",
    [
        FHIR,
        "application/json",
        f"{FHIR}; charset=UTF-8",
        f"{FHIR};fhirVersion=4.0",
        'application/json; charset="utf-8"',
    ],
)
async def test_the_content_types_that_are_taken(site: Site, kind: str) -> None:
    assert (await post(site, "/fhir/Observation", OBSERVATION, **{"content-type": kind})).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/fhir+xml"},
        {"content-type": "application/xml"},
        {"content-type": "text/json"},
        {"content-type": ""},
        {"content-type": f"{FHIR}; charset=iso-8859-1"},
        {"content-type": f"{FHIR}; fhirVersion=3.0"},
        {"content-type": "application/json-patch+json"},
        {"content-type": "multipart/form-data"},
        {"content-encoding": "gzip"},
    ],
)
async def test_other_content_is_refused(site: Site, headers: dict[str, str]) -> None:
    assert_refused(site, await post(site, "/fhir/Observation", OBSERVATION, **headers), 415)


@pytest.mark.parametrize("path", ["/fhir", "/fhir/Patient", "/fhir/$process-message"])
async def test_no_token_is_401_with_a_challenge(site: Site, path: str) -> None:
    answer = await post(site, path, PATIENT, scope=None)
    assert_refused(site, answer, 401)
    assert answer.headers["www-authenticate"].startswith('Bearer realm="fhir", resource_metadata=')
    assert answer.json()["issue"][0]["code"] == "login"


async def test_a_wrong_token_is_401_and_says_so(site: Site) -> None:
    wrong = signed(claims(), key=ec("P-384", "stranger"))
    answer = await post(site, "/fhir/Patient", PATIENT, authorization=f"Bearer {wrong}")
    assert_refused(site, answer, 401)
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_token_in_the_address_is_no_token(site: Site) -> None:
    answer = await post(site, f"/fhir/Patient?access_token={signed(claims())}", PATIENT, scope=None)
    assert_refused(site, answer, 401)


@pytest.mark.parametrize(
    ("scope", "path", "resource", "places"),
    [
        ("", "/fhir", TRANSACTION, ["http.authorization"]),
        ("system/*.rs", "/fhir", TRANSACTION, ["http.authorization"]),
        ("system/Patient.cu", "/fhir/Observation", OBSERVATION, ["http.authorization"]),
        ("system/Observation.u", "/fhir/Observation", OBSERVATION, ["http.authorization"]),
        ("system/Patient.u system/Observation.c", "/fhir", TRANSACTION, ["Bundle.entry[2]"]),
        ("system/Patient.c system/*.d", "/fhir", TRANSACTION, ["Bundle.entry[0]", "Bundle.entry[1]"]),
        (
            "system/Patient.cruds",
            "/fhir",
            {**TRANSACTION, "type": "batch"},
            ["Bundle.entry[1]", "Bundle.entry[2]"],
        ),
        ("system/MessageHeader.c", "/fhir", MESSAGE, ["Bundle.entry[1]"]),
        ("system/MessageHeader.c system/Patient.u", "/fhir/$process-message", MESSAGE, ["Bundle.entry[1]"]),
    ],
)
async def test_a_scope_that_does_not_cover_it_is_403(
    site: Site, scope: str, path: str, resource: Any, places: list[str]
) -> None:
    answer = await post(site, path, resource, scope)
    assert_refused(site, answer, 403)
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert expressions(answer) == places
    principal, peer, error = site.notebook.refusals[0]
    assert principal is not None
    assert principal.client_id == "fhir-side"
    assert peer == KnownPeer()
    assert isinstance(error, Forbidden)


async def test_an_update_needs_the_scope_for_updates(site: Site) -> None:
    assert_refused(site, await put(site, "/fhir/Patient/p1", PATIENT, "system/Patient.crds"), 403)


@pytest.mark.parametrize(
    "scope", ["system/Patient.u system/Observation.c system/Encounter.d", "system/*.write", "system/*.*"]
)
async def test_scopes_that_cover_every_entry_are_enough(site: Site, scope: str) -> None:
    assert (await post(site, "/fhir", TRANSACTION, scope)).status_code == 200


async def test_without_a_verified_peer_nothing_is_taken(tmp_path: Path) -> None:
    site = Site(tmp_path, peer=None)
    assert_refused(site, await post(site, "/fhir", TRANSACTION), 403)
    async with site.client() as client:
        assert (await client.get("/fhir/metadata")).status_code == 403
        assert (await client.get("/health/live")).status_code == 200


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (StoreUnavailable("the disk is full", location="store"), 503),
        (AuditRefused("no audit", location="store"), 503),
        (NotTranslatable("no v2 message for this", location="Patient"), 422),
        (RuntimeError(SECRET), 500),
        (KeyError(SECRET), 500),
    ],
)
async def test_when_the_intake_fails_the_answer_says_so(site: Site, failure: Exception, status: int) -> None:
    site.notebook.fails = failure
    answer = await post(site, "/fhir/Patient", PATIENT)
    assert answer.status_code == status
    assert SECRET not in answer.text
    assert answer.headers.get("retry-after") == ("5" if status == 503 else None)
    assert len(site.notebook.refusals) == 1


@pytest.mark.parametrize(
    ("failure", "status"), [(AuditRefused("no audit"), 503), (RuntimeError(SECRET), 500)]
)
async def test_a_refusal_that_cannot_be_audited_is_a_refusal_of_ours(
    site: Site, failure: Exception, status: int
) -> None:
    site.notebook.deaf = failure
    answer = await post(site, "/fhir/Patient", PATIENT, scope=None)
    assert answer.status_code == status
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/redoc", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/fhir", 405),
        ("GET", "/fhir/Patient/p1", 405),
        ("DELETE", "/fhir/Patient/p1", 405),
        ("PATCH", "/fhir/Patient/p1", 405),
        ("PUT", "/fhir/Patient", 405),
        ("POST", "/fhir/", 404),
        ("POST", "/fhir/Patient/p1", 405),
        ("POST", "/fhir/Patient/p1/$everything", 404),
        ("OPTIONS", "/fhir", 405),
        ("TRACE", "/fhir", 405),
        ("BREW", "/fhir", 405),
    ],
)
async def test_other_addresses_and_methods_are_refused(
    site: Site, method: str, path: str, status: int
) -> None:
    async with site.client() as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert expressions(answer) == ["http.url"]
    assert ("allow" in answer.headers) == (status == 405)
    assert len(site.notebook.refusals) == 1


async def test_metadata_needs_no_token_and_is_valid(site: Site) -> None:
    async with site.client(None) as client:
        answer = await client.get("/fhir/metadata")
    assert answer.status_code == 200
    statement = json.loads(answer.content)
    assert validate.fast(statement) == []
    assert validate.models(statement) == []
    assert {"type": "Patient"}.items() <= statement["rest"][0]["resource"][13].items()


async def test_health_says_what_works_without_a_token(site: Site) -> None:
    async with site.client(None) as client:
        assert (await client.get("/health/live")).json() == {"status": "live"}
        figures = {"audit_unsealed": 3}
        said = {"status": "ready", "parts": {"store": True}, "warnings": {}, "figures": figures}
        assert (await client.get("/health/ready")).json() == said
        site.notebook.soon["https: our certificate"] = "ends 2026-12-01 04:00Z"
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["warnings"]) == (200, site.notebook.soon)
        site.notebook.parts["lane to_v2"] = "held: the partner refused us"
        answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["parts"]["lane to_v2"].startswith("held")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health/live"),
        ("GET", "/fhir/metadata"),
        ("POST", "/fhir"),
        ("GET", "/nothing"),
        ("PUT", "/fhir/Patient/p1"),
    ],
)
async def test_security_headers_are_on_everything(site: Site, method: str, path: str) -> None:
    async with site.client() as client:
        answer = await client.request(method, path)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


async def test_the_models_can_judge_too(tmp_path: Path) -> None:
    def strict(resource: dict[str, Any]) -> list[Any]:
        return validate.fast(resource) or validate.models(resource)

    site = Site(tmp_path, options={"judge": strict})
    assert (await post(site, "/fhir", TRANSACTION)).status_code == 200
    assert (await put(site, "/fhir/Patient/p1", changed(PATIENT, "active", to="x"))).status_code == 422


async def test_a_large_bundle_is_judged_beside_the_loop(site: Site) -> None:
    many = {**TRANSACTION, "entry": TRANSACTION["entry"][1:2] * 2000}
    answer = await post(site, "/fhir", many)
    assert answer.status_code == 200
    assert len(answer.json()["entry"]) == 2000


async def test_more_than_the_limit_in_hand_is_503(tmp_path: Path) -> None:
    site = Site(tmp_path, options={"limits": Limits(in_hand=0)})
    answer = await post(site, "/fhir/Patient", PATIENT)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"


def test_a_submission_does_not_print_its_content() -> None:
    from connector.edges.http_ports import Submission
    from connector.edges.oauth import Principal

    who = Principal("a", frozenset(), "b")
    shown = repr(Submission(Kind.CREATE, PATIENT, SECRET.encode(), "c", "Patient", "", "", who, KnownPeer()))
    assert SECRET not in shown


def test_the_notebook_is_an_intake() -> None:
    from connector.edges.http_ports import Intake

    intake: Intake = Notebook()
    assert intake is not None
