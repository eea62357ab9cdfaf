"""Our authorization server: who asks for a token, what it may have, and the token (RFC 9068).

Authlib decides in which order things are asked (its grant registry, its client credentials grant, its list of
ways to prove who one is). What it would do itself is ours where it is not sound: it decodes assertions with
default algorithms, signs access tokens without ``kid`` and ``cnf``, writes them into its debug log, and
repeats what was sent in the texts of its errors (decision 31).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from authlib.oauth2.rfc6749 import AuthorizationServer as Flow
from authlib.oauth2.rfc6749 import InvalidClientError, OAuth2Error, OAuth2Request, UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from joserfc import jwt

from connector.edges import authorization_assertion as assertions
from connector.edges import scopes
from connector.edges.authorization_assertion import Proven, Shown
from connector.edges.authorization_clients import GRANT, Client, unknown
from connector.edges.authorization_keys import ALGORITHM, SigningKeys
from connector.edges.jwks import SigningKey
from connector.edges.oauth import thumbprint_of
from connector.edges.tls import Peer
from connector.errors import (
    AudienceNotGranted,
    ClientNotAuthenticated,
    Forbidden,
    GrantNotOffered,
    InvalidTokenRequest,
    ScopeNotGranted,
)
from connector.pipeline.ports import Clock
from connector.profile.authorization import Authorization

METHODS: Final = ("private_key_jwt", "tls_client_auth")
_ASK: Final = "ask for the scopes that [authorization] gives the client, separated by single spaces"

Form = Mapping[str, str]


class Granted(NamedTuple):
    """A token that nobody has yet. ``proven``: the assertion that it is given for; None: a certificate."""

    client: str
    method: str
    token: str
    jti: str
    scope: str
    audience: str
    kid: str
    seconds: int
    proven: Proven | None

    @property
    def body(self) -> dict[str, Any]:
        """The answer (RFC 6749, 5.1)."""
        return {
            "access_token": self.token,
            "token_type": "Bearer",
            "expires_in": self.seconds,
            "scope": self.scope,
        }


@dataclass(frozen=True, slots=True)
class Asking:
    """What is known of a request before Authlib goes through it."""

    form: Form
    peer: Peer
    now: float  # seconds since the epoch
    shown: Shown | None = None
    key: SigningKey | None = None  # that the assertion names


class _Request(OAuth2Request):  # type: ignore[misc]
    """As Authlib reads it; ``proven`` is set when the assertion is found good."""

    def __init__(self, url: str, asking: Asking) -> None:
        super().__init__("POST", url)
        self.payload = BasicOAuth2Payload(dict(asking.form))
        self.asking = asking
        self.proven: Proven | None = None


class _Grant(ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_requested_scope(self) -> None:
        chosen = self.request.client.settings
        self.request.scope = granted(self.request.payload.scope or "", chosen.scopes)
        if self.request.asking.form.get("resource", chosen.audience) != chosen.audience:
            raise AudienceNotGranted("the resource is not the audience of this client", fix="leave it out")

    def create_token_response(self) -> tuple[int, Granted, list[tuple[str, str]]]:
        return 200, self.server.granted(self.request), []  # Authlib's own logs the token


class AuthorizationServer(Flow):  # type: ignore[misc]
    """Gives out tokens; what must be on the disk before one leaves is its caller's."""

    def __init__(
        self, chosen: Authorization, clients: Iterable[Client], keys: SigningKeys, clock: Clock
    ) -> None:
        super().__init__()
        self._chosen, self._keys, self._clock = chosen, keys, clock
        self._clients = {one.id: one for one in clients}
        self.register_grant(_Grant)
        self.register_client_auth_method("private_key_jwt", self._by_assertion)
        self.register_client_auth_method("tls_client_auth", self._by_certificate)

    async def token(self, form: Form, peer: Peer) -> Granted:
        """The token that a request asks for, over the connection of ``peer``.

        Raises ``TokenRefused`` of the kind that fits, ``IssuerUnavailable`` (the client's keys cannot be
        had), ``KeyUnavailable``, ``ConfigurationError`` (ours cannot).
        """
        _well_formed(form)
        given, key = None, None
        if "client_assertion" in form:
            given = assertions.shown(form["client_assertion"])
            key = await self._known(given.client_id).key(given)
        asking = Asking(form, peer, self._clock().timestamp(), given, key)
        found: Granted = self.create_token_response(_Request(self._chosen.token_url, asking))
        return found

    def granted(self, request: Any) -> Granted:
        """A signed token for a request that was found good, bound to the certificate (RFC 8705, 3.1)."""
        chosen, key = request.client.settings, self._keys.signing()
        now, jti = int(request.asking.now), uuid.uuid4().hex
        claims = {
            "iss": self._chosen.issuer,
            "sub": chosen.id,
            "client_id": chosen.id,
            "aud": chosen.audience,
            "iat": now,
            "exp": now + self._chosen.token_seconds,
            "jti": jti,
            "scope": request.scope,
            "cnf": {"x5t#S256": thumbprint_of(request.asking.peer.fingerprint)},
        }
        if not claims["cnf"]["x5t#S256"]:
            raise ClientNotAuthenticated("the connection shows no certificate", fix="connect with mutual TLS")
        token = jwt.encode({"alg": ALGORITHM, "typ": "at+jwt", "kid": key.kid}, claims, key.key, [ALGORITHM])
        return Granted(
            chosen.id,
            request.auth_method,
            token,
            jti,
            request.scope,
            chosen.audience,
            key.kid,
            self._chosen.token_seconds,
            request.proven,
        )

    def _known(self, client_id: str) -> Client:
        found = self._clients.get(client_id)
        if found is None:
            raise unknown("there is no such client")
        return found

    def _by_assertion(self, query_client: Any, request: _Request) -> Client | None:
        asking = request.asking
        if asking.shown is None or asking.key is None:
            return None
        client = self._known(asking.shown.client_id)
        if not client.owns(asking.peer):
            raise unknown("the certificate of the connection is not the client's")
        request.proven = assertions.proven(asking.shown, asking.key, self._chosen.token_url, asking.now)
        if asking.form.get("client_id", client.id) != client.id:
            raise InvalidTokenRequest("client_id is not the one of the assertion", fix="leave it out")
        return client

    def _by_certificate(self, query_client: Any, request: _Request) -> Client | None:
        asking = request.asking
        if asking.shown is not None or "client_id" not in asking.form:
            return None
        client = self._known(asking.form["client_id"])
        if client.settings.method != "tls_client_auth" or not client.owns(asking.peer):
            raise unknown("the certificate of the connection is not the client's, or not enough for it")
        return client

    # --- what Authlib asks of who embeds it ---------------------------------------------------------

    def query_client(self, client_id: str) -> Client:
        """The client of an id."""
        return self._known(client_id)

    def create_oauth2_request(self, request: _Request) -> _Request:
        """Made by ``token`` already."""
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Any:
        """What the grant made."""
        return body

    def handle_error_response(self, request: _Request, error: OAuth2Error) -> Any:
        """An error of Authlib's own, as ours: its texts repeat what was sent."""
        if isinstance(error, UnsupportedGrantTypeError):
            raise GrantNotOffered("this grant is not offered", fix=f"use {GRANT}") from None
        if isinstance(error, InvalidClientError):
            raise unknown("the client shows neither an assertion nor a client_id") from None
        raise InvalidTokenRequest("the token request cannot be read", fix="see RFC 6749, 4.4.2") from None

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""


def granted(asked: str, most: Iterable[str]) -> str:
    """The scopes that a client asks for, each once, when every one of them lies within ``most``.

    Raises ``ScopeNotGranted``: for one that does not, for none, and for what is no list of scopes.
    """
    words = list(dict.fromkeys(asked.split(" ")))
    ceiling = scopes.parse(" ".join(most))
    if not asked or not all(_within(word, ceiling, frozenset(most)) for word in words):
        what = "a scope is not granted to this client" if asked else "no scope is asked for"
        raise ScopeNotGranted(what, fix=_ASK)
    return " ".join(words)


def _within(word: str, ceiling: frozenset[scopes.Scope], most: frozenset[str]) -> bool:
    try:
        asked = scopes.parse(word)
    except Forbidden:
        return False
    if not asked:
        return word in most  # no system scope: an operator's, by its very name
    return all(_covered(one, verb, ceiling) for one in asked for verb in one.verbs)


def _covered(asked: scopes.Scope, verb: str, ceiling: frozenset[scopes.Scope]) -> bool:
    """Whether one scope grants this on every resource for which it is asked: narrowed no further."""
    return any(
        one.type in (scopes.ANY, asked.type) and verb in one.verbs and one.constraints <= asked.constraints
        for one in ceiling
    )


def _well_formed(form: Form) -> None:
    if not form.get("grant_type"):
        raise InvalidTokenRequest("there is no grant_type", fix=f"send grant_type={GRANT}")
    if ("client_assertion" in form) != ("client_assertion_type" in form):
        raise InvalidTokenRequest(
            "one of client_assertion and client_assertion_type is missing", fix="send both"
        )
    if form.get("client_assertion_type", assertions.TYPE) != assertions.TYPE:
        raise ClientNotAuthenticated("this type of assertion is not taken", fix=f"send {assertions.TYPE}")
    if "client_secret" in form:
        raise InvalidTokenRequest(
            "a secret proves nothing here", fix="see token_endpoint_auth_methods_supported"
        )
