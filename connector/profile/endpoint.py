"""Access in ``[fhir]``: where we get tokens for the FHIR system, and who may send us resources."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import Field, ValidationInfo, field_validator

from connector.profile.section import (
    FilePath,
    Fingerprint,
    Form,
    Found,
    Scope,
    Section,
    Table,
    Text,
    Word,
    check_url,
    fault,
    faults,
)

Algorithm = Literal["ES256", "ES384", "PS256", "RS384"]
ALGORITHMS: Final[tuple[Algorithm, ...]] = get_args(Algorithm)
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

    @field_validator("url")
    @classmethod
    def _safe(cls, url: str, info: ValidationInfo) -> str:
        return check_url(url, insecure_loopback=info.data.get("insecure_loopback", False))


class FhirCaller(Section):
    """Who may send us FHIR: the tokens that count, and the certificates."""

    issuer: Word
    """The authorization server, as `iss` names it."""
    jwks: FilePath
    """The file with the issuer's public keys (JWK set)."""
    audience: Word
    """This connector, as `aud` names it."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ALGORITHMS
    """The accepted signature algorithms."""
    clients: Annotated[Table[Word, tuple[Scope, ...]], Field(json_schema_extra={"minProperties": 1})]
    """The client ids that may come, each with the SMART system scopes it can have at most, whatever its
    token says: `"lab-app" = ["system/Observation.cu"]`."""
    certificates: tuple[Fingerprint, ...] = ()
    """The client certificates that may connect, as `sha256:` and 64 hex digits; empty: every certificate
    that the service trusts."""
    certificate_bound: bool = False
    """Take only tokens that are bound to the caller's certificate (RFC 8705). A bound token is held to
    its certificate in any case."""

    @field_validator("clients")
    @classmethod
    def _may_something(cls, clients: Table[str, tuple[str, ...]]) -> Table[str, tuple[str, ...]]:
        if not clients:
            raise fault("no client may send FHIR", fix="name one, or leave out the table [fhir.from]")
        idle = [client for client, scopes in clients.items() if not scopes]
        if idle:
            raise faults(Found("this client may do nothing", "give it a scope", (one,)) for one in idle)
        return clients
