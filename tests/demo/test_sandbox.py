"""The sandbox as its clients meet it: over mutual TLS, with tokens, after a kill."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from connector.demo import tls, tokens
from connector.demo.site import Site
from tests.demo.conftest import fhir_client, get_token, token_form

Start = Callable[..., subprocess.Popen[bytes]]
PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Beispiel"}]}


@pytest.fixture
def client(site: Site, start: Start) -> Iterator[httpx2.Client]:
    start("sandbox", site.ports.sandbox, "--no-notify")
    with fhir_client(site) as client:
        yield client


def authorised(client: httpx2.Client, site: Site, scope: str = "system/*.cruds") -> httpx2.Client:
    client.headers["Authorization"] = f"Bearer {get_token(client, site, scope)}"
    return client


def issue(response: httpx2.Response) -> str:
    assert response.headers["content-type"] == "application/fhir+json"
    assert response.json()["resourceType"] == "OperationOutcome"
    return str(response.json()["issue"][0]["code"])


def test_without_a_valid_certificate_nobody_is_let_in(site: Site, client: httpx2.Client) -> None:
    bare = ssl.create_default_context(cafile=site.folder / "ca.pem")
    for refused in (bare, tls.client_context(site.folder, "revoked")):
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(f"{site.sandbox_url}/fhir/metadata", verify=refused)
    assert client.get("/fhir/metadata").json()["fhirVersion"] == "4.0.1"


def test_every_call_needs_a_token_of_the_sandbox(site: Site, client: httpx2.Client) -> None:
    assert issue(client.get("/fhir/Patient/p1")) == "login"
    foreign = tokens.connector_token(site.folder, "connector", "system/*.cruds")
    answer = client.get("/fhir/Patient/p1", headers={"Authorization": f"Bearer {foreign}"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_assertion_that_does_not_fit_gets_no_token(site: Site, client: httpx2.Client) -> None:
    url = f"{site.sandbox_url}/token"
    own, other = tokens.read_key(site.folder, "client"), tokens.read_key(site.folder, "issuer")
    for assertion in (
        tokens.client_assertion(other, client="connector", audience=url),
        tokens.client_assertion(own, client="connector", audience=f"{url}/other"),
        tokens.client_assertion(own, client="somebody", audience=url),
        tokens.client_assertion(own, client="connector", audience=url, life=3600),
        tokens.client_assertion(own, client="connector", audience=url, life=-10),
        "no.jwt.atall",
    ):
        answer = client.post("/token", data=token_form(assertion))
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_an_assertion_is_good_once(site: Site, client: httpx2.Client) -> None:
    key = tokens.read_key(site.folder, "client")
    assertion = tokens.client_assertion(key, client="connector", audience=f"{site.sandbox_url}/token")
    assert client.post("/token", data=token_form(assertion)).json()["expires_in"] == 300
    assert client.post("/token", data=token_form(assertion)).status_code == 401


def test_a_scope_outside_the_grammar_is_refused(site: Site, client: httpx2.Client) -> None:
    key = tokens.read_key(site.folder, "client")
    for scope in ("", "openid", "system/Patient.dc"):
        assertion = tokens.client_assertion(key, client="connector", audience=f"{site.sandbox_url}/token")
        answer = client.post("/token", data=token_form(assertion, scope))
        assert answer.json()["error"] == "invalid_scope"


def test_a_scope_allows_its_verbs_on_its_types_alone(site: Site, client: httpx2.Client) -> None:
    authorised(client, site, "system/Patient.cu system/Observation.rs")
    assert client.put("/fhir/Patient/p1", json=PATIENT).status_code == 201
    assert issue(client.get("/fhir/Patient/p1")) == "forbidden"
    assert client.get("/fhir/Observation").status_code == 200
    entry = {"request": {"method": "DELETE", "url": "Patient/p1"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    assert client.post("/fhir", json=bundle).status_code == 403


def test_versions_travel_in_the_headers(site: Site, client: httpx2.Client) -> None:
    authorised(client, site)
    created = client.put("/fhir/Patient/p1", json=PATIENT)
    assert (created.status_code, created.headers["etag"]) == (201, 'W/"1"')
    assert created.headers["location"].endswith("/fhir/Patient/p1/_history/1")
    assert created.headers["last-modified"].endswith("GMT")
    changed = {**PATIENT, "gender": "female"}
    assert client.put("/fhir/Patient/p1", json=changed, headers={"If-Match": 'W/"1"'}).status_code == 200
    late = client.put("/fhir/Patient/p1", json=PATIENT, headers={"If-Match": 'W/"1"'})
    assert (late.status_code, issue(late)) == (412, "conflict")
    read = client.get("/fhir/Patient/p1").json()
    assert (read["meta"]["versionId"], read["gender"]) == ("2", "female")
    assert client.delete("/fhir/Patient/p1").status_code == 204
    assert client.get("/fhir/Patient/p1").status_code == 410


def transaction(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in resources
        ],
    }


def test_a_transaction_is_answered_entry_by_entry_and_searched_page_by_page(
    site: Site, client: httpx2.Client
) -> None:
    authorised(client, site)
    patients = [{"resourceType": "Patient", "id": f"p{n}"} for n in range(5)]
    answer = client.post("/fhir", json=transaction(*patients))
    assert answer.json()["type"] == "transaction-response"
    assert [entry["response"]["status"] for entry in answer.json()["entry"]] == ["201"] * 5
    page = client.get("/fhir/Patient", params={"_count": "2"}).json()
    assert (page["total"], len(page["entry"])) == (5, 2)
    following = client.get(page["link"][0]["url"]).json()
    assert [entry["resource"]["id"] for entry in following["entry"]] == ["p2", "p3"]


def test_a_refused_transaction_leaves_nothing(site: Site, client: httpx2.Client) -> None:
    authorised(client, site)
    broken = {"resourceType": "Observation", "id": "o1", "status": ""}
    answer = client.post("/fhir", json=transaction(PATIENT, broken))
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Observation.status"]
    assert client.get("/fhir/Patient/p1").status_code == 404


def test_what_cannot_be_read_or_is_not_offered_gets_an_outcome(site: Site, client: httpx2.Client) -> None:
    authorised(client, site)
    assert issue(client.put("/fhir/Patient/p1", content=b"{")) == "structure"
    assert client.patch("/fhir/Patient/p1", json={}).status_code == 405
    assert client.get("/fhir/Patient/p1/_history").status_code == 404
    assert client.get("/fhir/Patient?colour=blue").status_code == 400
    assert client.post("/fhir", json={"resourceType": "Bundle", "type": "document"}).status_code == 400


def test_what_was_answered_is_there_after_a_kill(site: Site, start: Start) -> None:
    process = start("sandbox", site.ports.sandbox, "--no-notify")
    with fhir_client(site) as client:
        authorised(client, site).put("/fhir/Patient/p1", json=PATIENT)
        client.put("/admin/Patient/p1", json={**PATIENT, "gender": "female"})
    process.kill()
    process.wait(10)
    start("sandbox", site.ports.sandbox, "--no-notify")
    with fhir_client(site) as client:
        stats = client.get("/admin/stats").json()
    assert stats["resources"]["Patient/p1"]["version"] == 2
    assert stats["writes"] == {"connector": 1, "person": 1}
    assert stats["notices"] == {"waiting": 1}


TRANSACTION = {"resourceType": "Bundle", "type": "transaction"}
ODD = [
    ("/fhir", {**TRANSACTION, "entry": {"a": 1}}),
    ("/fhir", {**TRANSACTION, "entry": ["x"]}),
    ("/fhir", {**TRANSACTION, "entry": [{"request": {"method": 1}}]}),
    ("/fhir", {**TRANSACTION, "entry": [{"request": {"method": "PATCH", "url": "Patient/1"}}]}),
    ("/fhir", {**TRANSACTION, "type": ["transaction"]}),
    ("/fhir", [1]),
    ("/fhir/Patient", {"resourceType": "Patient", "meta": "x"}),
    ("/fhir/Patient", "x"),
]


def test_odd_bodies_get_an_outcome(site: Site, client: httpx2.Client) -> None:
    authorised(client, site)
    for path, body in ODD:
        answer = client.post(path, json=body)
        assert answer.status_code in (400, 403, 422), body
        assert issue(answer)


def test_odd_resources_do_not_disturb_a_search(site: Site, client: httpx2.Client) -> None:
    authorised(client, site)
    odd = {"resourceType": "Patient", "identifier": "x", "subject": "y"}
    assert client.post("/fhir/Patient", json=odd).status_code == 201
    assert client.get("/fhir/Patient?identifier=x").json()["total"] == 0
    assert client.get("/fhir/Patient?subject=y").json()["total"] == 0
