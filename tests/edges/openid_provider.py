"""An OpenID provider for tests, over real mutual TLS: discovery, authorize, token, keys.

It is as strict as it ought to be (exact redirect URI, PKCE, codes that count once and for one client); a test
has it say something else by changing ``metadata``, ``claims``, ``header``, ``key``, ``answer`` or ``token``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from authlib.oidc.core.util import create_half_hash
from joserfc import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from .oauth_site import ec, keyset, signed

CLIENT = "connector"
SECRET = "geheim: 7/ü"
ACCESS = "opaque-access-token"

Json = dict[str, Any]


@dataclass
class OpenIdProvider:
    """``person``: claims of who logs in next; None in a dict of changes leaves a member out."""

    issuer: str
    redirect_uri: str
    clock: Callable[[], float]
    method: str = "private_key_jwt"
    person: Json = field(default_factory=lambda: {"sub": "mia", "groups": ["ops", "everybody"]})
    metadata: Json = field(default_factory=dict)
    claims: Json = field(default_factory=dict)
    header: Json = field(default_factory=dict)
    key: Any = None
    answer: Json = field(default_factory=dict)
    token: Json = field(default_factory=dict)
    lax: bool = False  # takes any verifier
    codes: dict[str, Json] = field(default_factory=dict)
    asked: list[Json] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        at = "/realm"
        return Starlette(
            routes=[
                Route(f"{at}/.well-known/openid-configuration", self._metadata),
                Route(f"{at}/authorize", self._authorize),
                Route(f"{at}/token", self._token, methods=["POST"]),
                Route(f"{at}/keys", self._keys),
            ]
        )

    async def _metadata(self, request: Request) -> Response:
        good = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse(_changed(good, self.metadata))

    async def _keys(self, request: Request) -> Response:
        return JSONResponse({"keys": keyset()})

    async def _authorize(self, request: Request) -> Response:
        said = dict(request.query_params)
        assert (said["client_id"], said["redirect_uri"]) == (CLIENT, self.redirect_uri)
        assert (said["response_type"], said["code_challenge_method"]) == ("code", "S256")
        assert "openid" in said["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**said, "person": dict(self.person)}
        good = {"code": code, "state": said["state"], "iss": self.issuer}
        return RedirectResponse(f"{self.redirect_uri}?{urlencode(_changed(good, self.answer))}", 303)

    async def _token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.asked.append(form)
        if not self._known(request, form):
            return JSONResponse({"error": "invalid_client"}, 401)
        begun = self.codes.pop(form.get("code", ""), None)
        if begun is None or form.get("redirect_uri") != begun["redirect_uri"] or begun["client_id"] != CLIENT:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if not self.lax and _challenge(form.get("code_verifier", "")) != begun["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        good = {"access_token": ACCESS, "token_type": "Bearer", "id_token": self._id_token(begun)}
        return JSONResponse(_changed(good, self.token))

    def _known(self, request: Request, form: Json) -> bool:
        """Whether our client proves who it is, in the one way that was agreed on."""
        sent = request.headers.get("authorization", "")
        if self.method == "client_secret_basic":
            name, _, secret = base64.b64decode(sent.removeprefix("Basic ")).decode().partition(":")
            return (unquote(name), unquote(secret), "client_assertion" in form) == (CLIENT, SECRET, False)
        if self.method == "tls_client_auth":
            shown = request.scope["state"]["peer"].subject
            return "CN=connector-own" in shown and form.get("client_id") == CLIENT and not sent
        proof = jwt.decode(form["client_assertion"], ec("P-384", "client"), algorithms=["ES384"]).claims
        return (proof["iss"], proof["sub"], proof["aud"]) == (CLIENT, CLIENT, f"{self.issuer}/token")

    def _id_token(self, begun: Json) -> str:
        now = int(self.clock())
        half = create_half_hash(ACCESS, "ES384")
        good = {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": begun["nonce"],
            "at_hash": half.decode() if isinstance(half, bytes) else "",
            **begun["person"],
        }
        said = _changed(good, self.claims)
        if self.header.get("alg") == "none":
            return f"{_encoded({'alg': 'none', 'typ': 'JWT'})}.{_encoded(said)}.AAAA"
        return signed(said, {"typ": "JWT", **self.header}, self.key)


def _encoded(part: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _changed(good: Json, changed: Json) -> Json:
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def key_file() -> str:
    """Our private key at the provider, as a file holds it."""
    return json.dumps({**ec("P-384", "client").as_dict(private=True), "kid": "client-1"})
