"""A service that is its own issuer: from the first key to a token at each API, as a site would do it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc import jws

from connector.demo import tls, tokens
from connector.demo.site import Ports, Site, make_site, peer
from tests.ports import free_ports
from tests.test_cli import CONNECTOR, run
from tests.test_cli_service import until

BECAUSE = ("--because", "the yearly change", "--as", "mia")
OPERATOR = "https://connector.demo.invalid/operator"
SETTINGS = """
[authorization]
issuer = "https://localhost:{port}"
keys = "authorization.keys.json"

[[authorization.clients]]
id = "analyst"
certificates = ["{analyst}"]
scopes = ["system/*.cruds"]
audience = "{fhir}"

[[authorization.clients]]
id = "console"
jwks = "client.jwks.json"
scopes = ["operator:read"]
audience = "{operator}"

[operators]
issuer = "https://localhost:{port}"
jwks = "issuer.jwks.json"
audience = "{operator}"
clients = {{ console = ["operator:read"] }}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return own_issuer(tmp_path_factory.mktemp("own-issuer"))


def own_issuer(folder: Path) -> Site:
    ports = Ports(*free_ports(2), hospital=1, sandbox=1)
    made = make_site(folder / "site", ports)
    named = {"port": ports.https, "analyst": peer(made, "analyst"), "operator": OPERATOR}
    said = SETTINGS.format(**named, fhir=tokens.CONNECTOR_AUDIENCE)
    made.config.write_text(made.config.read_text() + said)
    profile = made.profile.read_text().replace('issuer = "https://issuer.demo.invalid"', 'issuer = "self"')
    made.profile.write_text(profile.replace('jwks = "../../issuer.jwks.json"\n', ""))
    return made


@pytest.fixture(scope="module")
def service(site: Site) -> Iterator[None]:
    assert rotate(site)
    command = [str(CONNECTOR), "serve", "--config", str(site.config)]
    with (site.log / "out").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until(lambda: b'"ready"' in (site.log / "out").read_bytes())
            yield
        finally:
            process.kill()


def rotate(site: Site, *options: str) -> str:
    result = run("authorization", "rotate", "--config", site.config, *options, *BECAUSE)
    assert result.exit_code == 0, result.output
    return result.stdout.split()[0]


def asking(site: Site, **options: Any) -> httpx2.Client:
    context = tls.client_context(site.folder, "analyst")
    return httpx2.Client(base_url=site.connector_url, verify=context, trust_env=False, **options)


def token(site: Site, **form: str) -> str:
    with asking(site) as client:
        answer = client.post("/oauth/token", data={"grant_type": "client_credentials", **form})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def create(site: Site, access: str) -> int:
    headers = {"authorization": f"Bearer {access}", "content-type": "application/fhir+json"}
    with asking(site, headers=headers) as client:
        return client.post("/fhir/Patient", content=json.dumps({"resourceType": "Patient"})).status_code


def entries(site: Site, tag: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(site.store)) as connection:
        found = [json.loads(leaf) for (leaf,) in connection.execute("SELECT entry FROM audit_entry")]
    return [one for one in found if one["tag"] == tag]


def test_without_a_first_key_nothing_starts_and_the_command_is_named(tmp_path: Path) -> None:
    site = own_issuer(tmp_path)
    done = subprocess.run(
        [CONNECTOR, "serve", "--config", site.config], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert "connector authorization rotate" in done.stderr


def test_a_token_is_given_out_and_taken_before_and_after_a_rotation(site: Site, service: None) -> None:
    before = token(site, client_id="analyst", scope="system/Patient.c")
    assert create(site, before) == 202
    kid = rotate(site)
    after = token(site, client_id="analyst", scope="system/Patient.c")
    assert jws.extract_compact(after.encode()).headers()["kid"] == kid
    assert [create(site, one) for one in (before, after)] == [202, 202]
    listed = run("authorization", "keys", "--config", site.config).stdout.splitlines()
    assert listed[1].split()[0] == kid
    assert [line.endswith("signs") for line in listed[:3]] == [False, True, False]
    turned = entries(site, "keys:rotated")[-1]
    assert (turned["object"]["kid"], turned["object"]["because"]) == (kid, "the yearly change")
    assert turned["actor"]["name"] == "mia"


def test_after_a_rotation_alone_no_older_token_counts(site: Site, service: None) -> None:
    before = token(site, client_id="analyst", scope="system/Patient.c")
    assert create(site, before) == 202
    rotate(site, "--alone")
    assert create(site, before) == 401
    assert create(site, token(site, client_id="analyst", scope="system/Patient.c")) == 202
    assert entries(site, "keys:rotated")[-1]["object"]["ended"]


def test_clients_of_the_api_are_told_where_tokens_are_to_be_had(site: Site, service: None) -> None:
    with asking(site) as client:
        smart = client.get("/fhir/.well-known/smart-configuration").json()
        issuer = client.get("/.well-known/oauth-authorization-server").json()
        resource = client.get("/.well-known/oauth-protected-resource/fhir").json()
    assert smart["token_endpoint"] == issuer["token_endpoint"] == f"{site.connector_url}/oauth/token"
    assert resource["authorization_servers"] == [issuer["issuer"]] == [site.connector_url]
    assert resource["tls_client_certificate_bound_access_tokens"] is True


def test_a_console_that_signs_gets_a_token_for_the_operators_api(site: Site, service: None) -> None:
    key, audience = tokens.read_key(site.folder, "client"), f"{site.connector_url}/oauth/token"
    shown = tokens.client_assertion(key, client="console", audience=audience, life=200)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    access = token(site, scope="operator:read", client_assertion_type=kind, client_assertion=shown)
    with asking(site, headers={"authorization": f"Bearer {access}"}) as client:
        assert client.get("/operator/counts").status_code == 200
        assert client.get("/operator/counts", headers={"authorization": "Bearer x"}).status_code == 401
    assert create(site, access) == 401


def test_a_rotation_that_is_not_written_down_does_not_happen(site: Site, service: None) -> None:
    before = (site.folder / "authorization.keys.json").read_bytes()
    result = run("authorization", "rotate", "--config", site.config, "--because", " ")
    assert result.exit_code != 0
    assert (site.folder / "authorization.keys.json").read_bytes() == before
    assert not list(site.folder.glob(".authorization*"))


def test_a_service_whose_keys_are_gone_says_that_it_is_not_ready(site: Site, service: None) -> None:
    path = site.folder / "authorization.keys.json"
    with asking(site) as client:
        path.rename(site.folder / "away")
        answer = client.get("/health/ready")
        (site.folder / "away").rename(path)
        assert (answer.status_code, answer.json()["parts"]["authorization"]) == (503, "KeyUnavailable")
        assert client.get("/health/ready").json()["parts"]["authorization"] is True


def test_without_a_token_endpoint_there_are_no_keys_to_turn(tmp_path: Path) -> None:
    plain = make_site(tmp_path / "plain", Ports(*free_ports(2), hospital=1, sandbox=1))
    result = run("authorization", "keys", "--config", plain.config)
    assert result.exit_code != 0
