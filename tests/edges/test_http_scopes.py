"""Scopes at the door, entry by entry: each with its own interaction on its own resource."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.fhir import json

from .http_site import PATIENT, TRANSACTION, Site, assert_refused, expressions, post, put

C = "http://terminology.hl7.org/CodeSystem/observation-category"
LAB = f"?category={C}|laboratory"


def observation(category: str = "laboratory", **more: Any) -> dict[str, Any]:
    coded = [{"coding": [{"system": C, "code": category}]}]
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "Hb"},
        "category": coded,
        **more,
    }


def bundle(*entries: tuple[str, str, dict[str, Any] | None], kind: str = "batch") -> dict[str, Any]:
    listed = [
        {**({"resource": resource} if resource else {}), "request": {"method": method, "url": url}}
        for method, url, resource in entries
    ]
    return {"resourceType": "Bundle", "type": kind, "entry": listed}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_a_narrowed_scope_takes_what_its_search_finds_and_nothing_else(site: Site) -> None:
    scope = f"system/Observation.cu{LAB}"
    assert (await post(site, "/fhir/Observation", observation(), scope)).status_code == 202
    assert (await put(site, "/fhir/Observation/o1", observation(id="o1"), scope)).status_code == 202
    site.notebook.taken.clear()
    vital = observation("vital-signs", id="o1")
    assert_refused(site, await post(site, "/fhir/Observation", vital, scope), 403)
    assert_refused(site, await put(site, "/fhir/Observation/o1", vital, scope), 403)
    assert_refused(site, await put(site, "/fhir/Patient/p1", PATIENT, scope), 403)


async def test_a_resource_of_another_type_is_not_let_in_by_its_address(site: Site) -> None:
    report = {**observation(), "resourceType": "DiagnosticReport"}
    scope = f"system/Observation.cu{LAB}"
    assert_refused(site, await post(site, "/fhir/Observation", report, scope), 403)
    assert_refused(site, await post(site, "/fhir", bundle(("POST", "Observation", report)), scope), 403)
    answer = await post(site, "/fhir", bundle(("POST", "Observation", PATIENT)), "system/Observation.c")
    assert_refused(site, answer, 422)


@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_each_entry_is_held_to_the_scope_of_its_own_interaction(site: Site, kind: str) -> None:
    asked = bundle(
        ("POST", "Observation", observation()),
        ("POST", "Observation", observation("vital-signs")),
        ("PUT", "Observation/o2", observation(id="o2")),
        ("PUT", "Patient/p1", PATIENT),
        ("DELETE", "Observation/o3", None),
        ("DELETE", "Encounter/e1", None),
        kind=kind,
    )
    answer = await post(site, "/fhir", asked, f"system/Observation.cd{LAB} system/Patient.u")
    assert_refused(site, answer, 403)
    assert expressions(answer) == ["Bundle.entry[1]", "Bundle.entry[2]", "Bundle.entry[5]"]


@pytest.mark.parametrize(
    "request_",
    [
        {"method": "PATCH", "url": "Observation/o1"},
        {"method": "GET", "url": "Observation/o1"},
        {"method": "HEAD", "url": "Observation"},
        {"method": "put", "url": "Observation/o1"},
        {"method": "PUT", "url": "Observation?category=laboratory"},
        {"method": "DELETE", "url": "Observation?category=laboratory"},
        {"method": "POST", "url": "Observation/$stats"},
        {"method": "POST", "url": "/Observation"},
        {"method": "POST", "url": "https://elsewhere.test/fhir/Observation"},
        {"method": "PUT", "url": "Observation/o1/_history/1"},
        {"method": "PUT", "url": "Patient/../Observation/o1"},
        {"method": "POST", "url": "Observation", "ifNoneExist": "status=final"},
        {"url": "Observation"},
        {"method": "POST"},
    ],
)
async def test_no_other_interaction_gets_through_whatever_the_scopes(
    site: Site, request_: dict[str, Any]
) -> None:
    entry = {"resource": observation(id="o1"), "request": request_}
    answer = await post(site, "/fhir", {"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    assert answer.status_code in (403, 404, 422)
    assert site.notebook.taken == []


async def test_what_a_bundle_in_a_bundle_carries_is_not_let_in(site: Site) -> None:
    inner = ("POST", "Bundle", TRANSACTION)
    answer = await post(site, "/fhir", bundle(inner), "system/Bundle.cruds")
    assert_refused(site, answer, 404)


async def test_a_parameter_that_cannot_be_held_to_refuses_the_whole_token(site: Site) -> None:
    for scope in ("system/Patient.cu?name=Muster", "system/*.cruds system/Observation.rs?date=gt2020"):
        answer = await put(site, "/fhir/Patient/p1", PATIENT, scope)
        assert_refused(site, answer, 403)
        assert "search parameters" in json.loads(answer.content)["issue"][0]["diagnostics"]
