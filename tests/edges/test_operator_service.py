"""The operators' API in the whole service: only where the settings say who may, beside the FHIR API."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from connector import settings
from connector.app import Service
from connector.demo import tls, tokens
from connector.demo.site import Ports, Site, make_site
from connector.edges.acceptor import listen
from connector.edges.http_server import serve_http
from connector.edges.tls import TlsFiles, server_context
from connector.wiring import open_store
from tests.pki import write_private
from tests.ports import free_ports

from .openid_provider import OpenIdProvider, key_file
from .operator_site import assert_problem

AUDIENCE = "https://connector.demo.invalid/operator"
SECTION = f"""
[operators]
issuer = "{tokens.ISSUER}"
jwks = "issuer.jwks.json"
audience = "{AUDIENCE}"
clients = {{ analyst = ["operator:read", "operator:act"] }}
"""


@asynccontextmanager
async def serving(folder: Path, section: str, ports: Ports | None = None) -> AsyncIterator[Site]:
    site = make_site(folder / "site", ports or Ports(*free_ports(4)))
    write_private(site.folder / "login.key.json", key_file().encode())
    site.config.write_text(site.config.read_text() + section)
    configuration = settings.load(site.config)
    service = Service(configuration, open_store(configuration.settings))
    await service.start()
    try:
        yield site
    finally:
        assert await service.stop()


def client(site: Site, **changed: Any) -> httpx2.AsyncClient:
    asked = {"issuer": tokens.ISSUER, "audience": AUDIENCE, "client": "analyst", "scope": "operator:read"}
    certificate = (site.folder / "analyst.pem").read_bytes()
    key = tokens.read_key(site.folder, "issuer")
    token = tokens.access_token(key, **{"certificate": certificate, **asked, **changed})
    context = tls.client_context(site.folder, "analyst")
    return httpx2.AsyncClient(
        base_url=site.connector_url,
        verify=context,
        headers={"authorization": f"Bearer {token}"},
        trust_env=False,
    )


async def test_without_the_section_there_is_no_such_api(tmp_path: Path) -> None:
    async with serving(tmp_path, "") as site, client(site) as asking:
        answer = await asking.get("/operator/lanes")
    assert answer.status_code == 404
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_operators_see_and_act_and_everybody_else_does_not(tmp_path: Path) -> None:
    async with serving(tmp_path, SECTION) as site:
        async with client(site, scope="operator:read operator:act operator:content") as asking:
            assert (await asking.get("/operator/lanes")).json() == {"lanes": []}
            parts = (await asking.get("/operator/counts")).json()["parts"]
            assert parts == {"demo answer": True, "demo to_fhir": True, "demo to_v2": True}
            body = {"because": "new certificate", "link": "demo"}
            assert (await asking.post("/operator/pause", json=body)).status_code == 200
            found = (await asking.get("/operator/findings")).json()["findings"]
            assert [(one["kind"], one["link"]) for one in found] == [("paused", "demo")]
            shown = await asking.post("/operator/messages/1/content", json={"because": "x"})
            assert_problem(shown, 403, "Forbidden")  # the settings do not give it to the client
            answer = await asking.get("/operator/lanes")
            assert answer.headers["cache-control"] == "no-store"
        async with client(site, certificate=None) as asking:
            assert_problem(await asking.get("/operator/lanes"), 401, "Unauthenticated")
        fhir = {"audience": tokens.CONNECTOR_AUDIENCE, "scope": "system/*.cruds operator:read"}
        async with client(site, **fhir) as asking:
            assert_problem(await asking.get("/operator/lanes"), 401, "Unauthenticated")
        async with client(site) as asking:
            answer = await asking.put("/fhir/Patient/p1", json={"resourceType": "Patient", "id": "p1"})
            assert answer.status_code == 401


# --- people who log in --------------------------------------------------------------------------------

LOGIN = """
[login]
issuer = "{issuer}"
client_id = "connector"
key = "login.key.json"
base = "{base}"
roles = {{ ops = "operator" }}
"""


async def test_people_log_in_to_the_service_and_operate_it(tmp_path: Path) -> None:
    ports = Ports(*free_ports(4))
    base, sock = f"https://localhost:{ports.https}", listen("127.0.0.1", 0)
    issuer = f"https://localhost:{sock.getsockname()[1]}/realm"
    provider = OpenIdProvider(issuer, f"{base}/login/callback", time.time)
    async with serving(tmp_path, LOGIN.format(issuer=issuer, base=base), ports) as site:
        files = TlsFiles(*(site.folder / name for name in ("fhir.pem", "fhir.key", "ca.pem", "crl.pem")))
        server = serve_http(provider.app, sock, server_context(files))
        await server.start()
        context = tls.client_context(site.folder, "analyst")
        async with httpx2.AsyncClient(base_url=base, verify=context, trust_env=False) as browser:
            assert (await browser.get("/operator/me")).status_code == 401
            sent = await browser.get("/login")
            back = await browser.get(sent.headers["location"])
            assert (await browser.get(back.headers["location"])).status_code == 200
            assert (await browser.get("/operator/me")).json()["roles"] == ["operator"]
            body = {"because": "new certificate", "link": "demo"}
            paused = await browser.post("/operator/pause", json=body, headers={"origin": base})
            assert paused.status_code == 200
            assert (await browser.get("/fhir/metadata")).status_code == 200
        await server.close(grace=0.2)
