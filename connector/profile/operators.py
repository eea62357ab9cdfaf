"""The section ``[operators]`` of the service's settings: who may operate it over HTTPS."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from connector.profile.endpoint import ALGORITHMS, SELF, Algorithm
from connector.profile.section import FilePath, Fingerprint, Found, Section, Table, Word, fault, faults

OperatorScope = Literal["operator:read", "operator:content", "operator:act", "operator:edit", "audit:export"]
OPERATOR_SCOPES: Final[tuple[OperatorScope, ...]] = get_args(OperatorScope)


class Operators(Section):
    """Who may operate the service over HTTPS, under `/operator`: the tokens that count, and the certificates.
    Without this table there is no such API.

    The scopes: `operator:read` sees lanes, findings, counts and where messages stand; `operator:content` sees
    what messages say; `operator:act` replays, skips, pauses, resumes, drains and decides conflicts;
    `operator:edit` puts corrected copies in the place of messages; `audit:export` takes the audit log away,
    which is for auditors. None holds another.
    """

    issuer: Word
    """The authorization server, as `iss` names it; `self`: our own token endpoint, `[authorization]`."""
    jwks: FilePath | None = None
    """The file with the issuer's public keys (JWK set); none for `self`."""
    audience: Word
    """This API, as `aud` names it; best another name than in any `[fhir.from]`."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ALGORITHMS
    """The accepted signature algorithms."""
    clients: Annotated[Table[Word, tuple[OperatorScope, ...]], Field(json_schema_extra={"minProperties": 1})]
    """The client ids that may come, each with the scopes it can have at most, whatever its token says:
    `"console" = ["operator:read", "operator:act"]`."""
    certificates: tuple[Fingerprint, ...] = ()
    """The client certificates that may connect, as `sha256:` and 64 hex digits; empty: every certificate
    that the service trusts."""
    certificate_bound: bool = True
    """Take only tokens that are bound to the caller's certificate (RFC 8705)."""

    @model_validator(mode="after")
    def _keys_of_the_issuer(self) -> Self:
        if (self.issuer == SELF) == (self.jwks is not None):
            fix = "name the file with them, except for our own issuer"
            raise fault("the issuer's keys come from nowhere, or from two places", fix=fix, key=("issuer",))
        return self

    @field_validator("clients")
    @classmethod
    def _may_something(
        cls, clients: Table[str, tuple[OperatorScope, ...]]
    ) -> Table[str, tuple[OperatorScope, ...]]:
        if not clients:
            raise fault("no client may operate", fix="name one, or leave out the table [operators]")
        idle = [client for client, scopes in clients.items() if not scopes]
        if idle:
            raise faults(Found("this client may do nothing", "give it a scope", (one,)) for one in idle)
        return clients
