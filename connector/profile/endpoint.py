"""Access in ``[fhir]``: where we get tokens for the FHIR system, and who may send us resources."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from connector.errors import UnsupportedInteraction
from connector.fhir import token_search
from connector.fhir.elements import resource_types
from connector.profile.partner_tls import MaySpeak, PartnerTls
from connector.profile.section import (
    FilePath,
    Fingerprint,
    Form,
    Found,
    Scope,
    Seconds,
    Section,
    Table,
    Text,
    Word,
    check_url,
    fault,
    faults,
)

SELF: Final = "self"  # the issuer that is ours: [authorization] in the settings
Algorithm = Literal["ES256", "ES384", "PS256", "RS256", "RS384"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = ("ES256", "ES384", "PS256", "RS384")
TokenType = Literal["at+jwt", "jwt"]
Url = Annotated[str, Form(r"https?://[^\s?#@]+", "https://host:port/path")]
OptionalUrl = Annotated[str, Form(r"https?://[^\s?#@]+", 'https://host:port/path, or ""', True)]
Scopes = Annotated[str, Form(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*", "scopes with single spaces between them")]


class FhirToken(Section):
    """Where we get access tokens from: SMART backend services (client credentials, signed assertion)."""

    insecure_loopback: bool = False
    """Allow `http` to this machine, for tests."""
    url: Url
    """The token endpoint."""
    client_id: Word
    """Our client id there."""
    key: FilePath
    """The file with our private key (JWK) that signs the assertion; only its owner may read it."""
    scope: Scopes = "system/*.cruds"
    """What we ask for."""
    audience: Text = ""
    """The audience of our assertion; `""`: the token endpoint."""
    tls: PartnerTls | None = None
    """Mutual TLS with the token endpoint; left out: as with the FHIR side."""

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str, info: ValidationInfo) -> str:
        return check_url(url, insecure_loopback=info.data.get("insecure_loopback", False))


class FhirIntrospection(Section):
    """Where the issuer says what a token is worth that is no JWT (RFC 7662). All it says is judged here."""

    url: Url
    """The introspection endpoint, `https`; asked with the files of `[tls]`."""
    client_id: Word
    """Our client id there."""
    key: FilePath | None = None
    """The file with our private key (JWK) that signs assertions; only its owner may read it. Left out where
    the issuer knows us by our certificate."""
    audience: Text = ""
    """The audience of our assertions; `""`: the endpoint."""
    cache_seconds: Annotated[float, Field(ge=0, le=300)] = 30.0
    """How long an answer is remembered, never longer than the token lives: for so long a token counts that
    the issuer has revoked."""

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str) -> str:
        return check_url(url)


class FhirCaller(MaySpeak):
    """Who may send us FHIR: the tokens that count, and the certificates."""

    issuer: Word
    """The authorization server, as `iss` names it; `self`: our own token endpoint, `[authorization]` in the
    settings, whose tokens are always bound to a certificate. It needs no keys to be named."""
    jwks: FilePath | None = None
    """The file with the issuer's public keys (JWK set), read again when it changes. Just one of `jwks`,
    `jwks_url` and `discovery` is needed; none where all tokens are introspected."""
    jwks_url: OptionalUrl = ""
    """Where the issuer publishes its public keys, `https`; asked with the files of `[tls]`."""
    discovery: Literal["", "oauth", "openid"] = ""
    """Find the keys by the issuer's metadata: `oauth` (RFC 8414) or `openid` (OpenID Connect Discovery). The
    metadata must name `issuer` itself, and keys at the same host and port."""
    refresh_seconds: Seconds = 300.0
    """After how long published keys are asked for again; for a key that is not known, at most every 30
    seconds."""
    keep_seconds: Seconds = 3600.0
    """How long published keys count while the issuer cannot be reached; then every token is refused."""
    token_endpoint: OptionalUrl = ""
    """Where clients get tokens, told to them in `.well-known/smart-configuration`; `""`: as the issuer's
    metadata say, with `discovery`, else not told."""
    audience: Word
    """This connector, as `aud` names it."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ALGORITHMS
    """The accepted signature algorithms."""
    token_types: Annotated[tuple[TokenType, ...], Field(min_length=1)] = ("at+jwt",)
    """What `typ` in a token's header may be: `at+jwt` (RFC 9068), or also `jwt` for an issuer that cannot
    mark its access tokens; then an ID token with our audience counts as well."""
    clients: Annotated[Table[Word, tuple[Scope, ...]], Field(json_schema_extra={"minProperties": 1})]
    """The client ids that may come, each with the SMART system scopes it can have at most, whatever its
    token says: `"lab-app" = ["system/Observation.cu"]`. One of SMART v2 may be narrowed by a token parameter
    of its type: `"system/Observation.cu?category=laboratory"`."""
    certificates: tuple[Fingerprint, ...] = ()
    """The client certificates that may connect, as `sha256:` and 64 hex digits; where no certificate, subject
    or name is given: every one that `[fhir.tls]`, else the service, trusts."""
    certificate_bound: bool = False
    """Take only tokens that are bound to the caller's certificate (RFC 8705). A bound token is held to
    its certificate in any case."""

    introspection: FhirIntrospection | None = None
    """Tokens that only the issuer can read; without this table such a token is refused."""

    @field_validator("jwks_url", "token_endpoint")
    @classmethod
    def _safe(cls, url: str) -> str:
        return check_url(url) if url else url

    @model_validator(mode="after")
    def _keys_from_one_place(self) -> Self:
        named = [name for name in ("jwks", "jwks_url", "discovery") if getattr(self, name)]
        needed = self.issuer != SELF and self.introspection is None
        if len(named) > (self.issuer != SELF) or (needed and not named):
            what = (
                "the issuer's keys come from nowhere"
                if not named
                else "the issuer's keys come from two places"
            )
            raise fault(what, fix="name one of jwks, jwks_url and discovery", key=(*named[1:2],))
        if self.discovery:
            check_url(self.issuer)
        return self

    @field_validator("clients")
    @classmethod
    def _may_something(cls, clients: Table[str, tuple[str, ...]]) -> Table[str, tuple[str, ...]]:
        if not clients:
            raise fault("no client may send FHIR", fix="name one, or leave out the table [fhir.from]")
        idle = [client for client, scopes in clients.items() if not scopes]
        if idle:
            raise faults(Found("this client may do nothing", "give it a scope", (one,)) for one in idle)
        if narrowed := list(_not_held(clients)):
            raise faults(narrowed)
        return clients


def _not_held(clients: Table[str, tuple[str, ...]]) -> Iterator[Found]:
    """The scopes that cannot be held to."""
    for client, scopes in clients.items():
        for number, scope in enumerate(scopes):
            if error := not_held(scope):
                yield Found(error.what, error.fix, (client, number))


def not_held(scope: str) -> UnsupportedInteraction | None:
    """Why a SMART scope is of no known type, or narrowed by what cannot be asked of a resource; None: it is
    neither, or no SMART scope."""
    plain, narrowed, query = scope.partition("?")
    system, _, rest = plain.partition("/")
    kind = rest.partition(".")[0]
    if system == "system" and kind != "*" and kind not in resource_types():
        return UnsupportedInteraction("this is no resource type of FHIR R4")
    try:
        if narrowed:
            token_search.read(kind, query)
    except UnsupportedInteraction as error:
        return error
    return None
