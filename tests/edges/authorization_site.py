"""A connector with a token endpoint of its own, over real mutual TLS and a real store, and its clients."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from connector.edges.acceptor import listen
from connector.edges.authorization_keys import Rotation
from connector.edges.http_api import create_app
from connector.edges.http_server import HttpServer, serve_http
from connector.edges.partners import Caller, Callers
from connector.edges.tls import TlsFiles, client_context
from connector.profile.authorization import Authorization
from connector.profile.endpoint import FhirCaller
from connector.store import AuditPort
from connector.wiring.authorization import OwnAuthorization
from tests.mllp.loopback import Site as Tls
from tests.store.site import open_store, rows

from .http_site import PATIENT, Notebook
from .oauth_site import ec, rsa, signed
from .operator_site import fingerprint
from .partner_site import Open

ISSUER = "https://connector.test:8443"
TOKEN_URL = f"{ISSUER}/oauth/token"
AUDIENCE = "https://connector.test/fhir"
SCOPE = "system/Patient.cu"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LAB_KEYS = [
    {**ec("P-384", "lab").as_dict(private=False), "kid": "lab-es"},
    {**rsa("lab").as_dict(private=False), "kid": "lab-rs"},
]


@dataclass
class TokenSite:
    """``lab`` signs assertions; ``ward`` shows its certificate; ``both`` must do both."""

    folder: Path
    changed: dict[str, Any] = field(default_factory=dict)
    ahead: float = 0.0  # seconds that the server's clock is ahead of the true time
    monotonic: float = 0.0
    audit: AuditPort | None = None
    notebook: Notebook = field(default_factory=Notebook)
    clients: list[dict[str, Any]] = field(default_factory=list)
    context: Callable[[], ssl.SSLContext] | None = None  # with which clients are asked for their keys
    url: str = ""
    app: FastAPI = field(default_factory=FastAPI)

    def __post_init__(self) -> None:
        self.tls = Tls(self.folder)
        self.ward = self.tls.ca.write(self.folder, "ward", sans=["ward.hospital.example"])
        self.tls.ca.write(self.folder, "thief")
        (self.folder / "lab.jwks.json").write_text(json.dumps({"keys": LAB_KEYS}))
        bound = {"certificates": (fingerprint(self.folder / "ward.pem"),)}
        common = {"scopes": (SCOPE, "system/Observation.read", "operator:read"), "audience": AUDIENCE}
        keys = {"jwks": self.folder / "lab.jwks.json"}
        self.clients = self.clients or [
            {"id": "lab", **keys, **common},
            {"id": "ward", **bound, **common},
            {"id": "both", **keys, **bound, **common},
        ]
        self.rotate()

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.ahead)

    def rotate(self) -> str:
        made = Rotation(self.keys, int(self.now().timestamp()), 300)
        made.take_effect()
        return made.kid

    @property
    def keys(self) -> Path:
        return self.folder / "authorization.keys.json"

    @property
    def settings(self) -> Authorization:
        said = {"issuer": ISSUER, "keys": self.keys, "clients": tuple(self.clients)}
        return Authorization(**{**said, **self.changed})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[TokenSite]:
        """Started; a second time on the same store, it is a restart."""
        store = open_store(self.folder, self.audit)
        own = self.built(store)
        server = await self._served(own)
        try:
            yield self
        finally:
            await server.close(grace=0.2)
            await own.close()
            await store.close()

    def built(self, store: Any) -> OwnAuthorization:
        context = self.context or self.tls.client_context
        return OwnAuthorization(self.settings, store, Open(context), self.now, lambda: self.monotonic)

    async def _served(self, own: OwnAuthorization) -> HttpServer:
        asked = FhirCaller(issuer=ISSUER, audience=AUDIENCE, jwks=self.keys, clients={"lab": (SCOPE,)})
        guard = own.issuer.guard(AUDIENCE, ["lab"], lambda: self.now().timestamp())
        caller = Caller(asked, lambda _: True, guard)
        self.app = create_app(self.notebook, Callers([caller]), base=AUDIENCE)
        self.app.router.routes.extend(own.routes)
        server = serve_http(self.app, listen("127.0.0.1", 0), self.tls.server_context())
        await server.start()
        self.url = f"https://localhost:{server.address[1]}"
        return server

    # --- a client's side ----------------------------------------------------------------------------

    @asynccontextmanager
    async def client(self, certificate: str = "client") -> AsyncIterator[httpx2.AsyncClient]:
        context = self._context(certificate)
        async with httpx2.AsyncClient(base_url=self.url, verify=context, trust_env=False) as client:
            yield client

    def _context(self, certificate: str) -> Any:

        files = TlsFiles(
            self.folder / f"{certificate}.pem", self.folder / f"{certificate}.key", self.tls.client.trust
        )
        return client_context(files)

    def assertion(self, header: dict[str, Any] | None = None, key: Any = None, **changed: Any) -> str:
        now = int(self.now().timestamp())
        good = {"iss": "lab", "sub": "lab", "aud": TOKEN_URL, "exp": now + 240, "iat": now}
        good["jti"] = uuid.uuid4().hex
        content = {name: value for name, value in {**good, **changed}.items() if value is not None}
        head = {"typ": "JWT", "kid": "lab-es", **(header or {})}
        return signed(content, head, key or ec("P-384", "lab"))

    def form(self, assertion: str | None = None, **changed: Any) -> dict[str, str]:
        good = {
            "grant_type": "client_credentials",
            "scope": SCOPE,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion or self.assertion(),
        }
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    def ward_form(self, **changed: Any) -> dict[str, str]:
        good = {"grant_type": "client_credentials", "scope": SCOPE, "client_id": "ward"}
        return {name: value for name, value in {**good, **changed}.items() if value is not None}

    async def ask(self, form: dict[str, str] | None = None, certificate: str = "client") -> httpx2.Response:
        async with self.client(certificate) as client:
            return await client.post("/oauth/token", data=form or self.form())

    async def token(self, certificate: str = "client") -> str:
        answer = await self.ask(certificate=certificate)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def create(self, token: str, certificate: str = "client") -> httpx2.Response:
        """A patient, sent to the FHIR API."""
        headers = {"authorization": f"Bearer {token}", "content-type": "application/fhir+json"}
        async with self.client(certificate) as client:
            return await client.post("/fhir/Patient", content=json.dumps({**PATIENT}), headers=headers)

    def audited(self, tag: str) -> list[dict[str, Any]]:
        found = [json.loads(leaf) for (leaf,) in rows(self.folder, "SELECT entry FROM audit_entry")]
        return [one for one in found if one["tag"] == tag]


@asynccontextmanager
async def authorizing(folder: Path, **changed: Any) -> AsyncIterator[TokenSite]:
    """The endpoint as it runs; ``changed``: keys of the section."""
    async with TokenSite(folder, changed).running() as site:
        yield site


def assert_refused(site: TokenSite, answer: httpx2.Response, code: str, status: int = 400) -> dict[str, Any]:
    """RFC 6749, 5.2; audited; nothing of what was sent is repeated. The audit entry."""
    assert answer.status_code == status, answer.text
    said = answer.json()
    assert said["error"] == code, said
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"
    entry = site.audited("oauth:token:refused")[-1]
    assert entry["object"]["error"] == code
    assert "access_token" not in said
    assert site.audited("oauth:token:issued") == []
    return entry
