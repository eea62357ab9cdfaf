"""The section ``[authorization]`` of the service's settings: a token endpoint of our own.

Sources: SMART App Launch 2.2 (Backend Services), RFC 6749, RFC 7523, RFC 8705, RFC 9068.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from connector.fhir.elements import resource_types
from connector.profile.endpoint import OptionalUrl, not_held
from connector.profile.operators import OPERATOR_SCOPES
from connector.profile.partner_tls import MaySpeak
from connector.profile.section import (
    Bytes,
    Count,
    FilePath,
    Form,
    Found,
    Scope,
    Seconds,
    Section,
    Word,
    check_url,
    fault,
    faults,
)

LONGEST: Final = 300  # seconds of a token's life (SMART Backend Services)
Method = Literal["private_key_jwt", "tls_client_auth"]

_SMART: Final[Form] = get_args(Scope)[1]
ClientId = Annotated[str, Form(r"[!-~]{1,200}", "at most 200 visible ASCII characters")]
ClientScope = Annotated[
    str,
    Form(
        f"{_SMART.pattern}|{'|'.join(OPERATOR_SCOPES)}",
        "a SMART system scope such as system/Patient.cu, or an operator's such as operator:read",
    ),
]
Origin = Annotated[
    str, Form(r"https://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", "https://host:port, no path")
]


class AuthorizationClient(MaySpeak):
    """A client of our token endpoint, and how it proves who it is: with `jwks` or `jwks_url` by an assertion
    that it signs (`private_key_jwt`), with `certificates`, `subjects` or `names` alone by its certificate
    (`tls_client_auth`). With both it must show both. A subject or a name counts below the authorities of the
    listener alone: one of a partner's own could say anything. Every token is bound to the certificate over
    whose connection it was given out."""

    id: ClientId
    """Its client id."""
    jwks: FilePath | None = None
    """The file with its public keys (JWK set), read again when it changes."""
    jwks_url: OptionalUrl = ""
    """Where it publishes them, `https://host/path`, called with our certificate and the trust of `[tls]`."""
    scopes: Annotated[tuple[ClientScope, ...], Field(min_length=1)]
    """What it can have at most: SMART system scopes, and `operator:read` and the like."""
    audience: Word
    """For whom its tokens are: the `audience` of a `[fhir.from]` or of `[operators]`."""

    @property
    def party(self) -> str:
        """Its name among those whose certificates are known; no link has one like it."""
        return f"client {self.id}"

    @property
    def method(self) -> Method:
        """How it proves who it is."""
        return "private_key_jwt" if self.jwks or self.jwks_url else "tls_client_auth"

    @field_validator("scopes")
    @classmethod
    def _grants_what_there_is(cls, scopes: tuple[str, ...]) -> tuple[str, ...]:
        if found := [fault for number, scope in enumerate(scopes) for fault in _faults_of(scope, number)]:
            raise faults(found)
        return scopes

    @field_validator("jwks_url")
    @classmethod
    def _safe(cls, url: str) -> str:
        return check_url(url) if url else url

    @model_validator(mode="after")
    def _proves_itself(self) -> Self:
        if self.jwks and self.jwks_url:
            raise fault("there is a file and an address of its keys", fix="leave one out", key=("jwks_url",))
        if self.method == "tls_client_auth" and not (self.certificates or self.subjects or self.names):
            fix = "give it jwks, jwks_url, certificates, subjects or names"
            raise fault("nothing says how this client proves who it is", fix=fix)
        return self


def _faults_of(scope: str, number: int) -> Iterator[Found]:
    kind = scope.removeprefix("system/").partition(".")[0]
    if scope.startswith("system/") and kind not in ("*", *resource_types()):
        yield Found(
            "this scope names no resource type of FHIR R4", "write such as system/Patient.cu", (number,)
        )
    elif error := not_held(scope):
        yield Found(error.what, error.fix, (number,))


class Authorization(Section):
    """A token endpoint of our own (OAuth 2.0 client credentials, SMART Backend Services), for a site without
    an identity provider: `POST /oauth/token`, with `GET /oauth/jwks` and
    `GET /.well-known/oauth-authorization-server`. Without this table there is none. Its tokens count where
    a `[fhir.from]` or `[operators]` has `issuer = "self"`."""

    issuer: Origin
    """How clients reach the HTTPS side, `https://host:port`: `iss` of the tokens. The audience of an
    assertion is this and `/oauth/token`."""
    keys: FilePath
    """The file with the keys that sign tokens, which only its owner may read; `connector authorization
    rotate` makes it and changes it."""
    token_seconds: Annotated[int, Field(ge=10, le=LONGEST)] = LONGEST
    """The life of a token."""
    client_requests: Count = 60
    """Tokens that a client may ask for in a minute."""
    address_requests: Count = 300
    """Requests from an address in a minute, whoever asks."""
    body_bytes: Bytes = 16 * 1024
    """The largest request."""
    body_seconds: Seconds = 10.0
    """The longest time for one request to arrive."""
    clients: Annotated[tuple[AuthorizationClient, ...], Field(min_length=1)]
    """Who may ask for tokens."""

    @property
    def token_url(self) -> str:
        """The address of the token endpoint."""
        return f"{self.issuer}/oauth/token"

    @field_validator("clients")
    @classmethod
    def _known_by_one_id(cls, clients: tuple[AuthorizationClient, ...]) -> tuple[AuthorizationClient, ...]:
        seen: set[str] = set()
        again = [n for n, one in enumerate(clients) if one.id in seen or seen.add(one.id)]  # type: ignore[func-returns-value]
        if again:
            raise faults(Found("another client has this id", "give each its own", (n, "id")) for n in again)
        return clients
