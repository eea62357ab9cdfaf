"""The section ``[login]`` of the service's settings: people log in at an OpenID provider.

Sources: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 9207, RFC 7523, RFC 8705.
"""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator

from connector.profile.authorization import ClientId, Origin
from connector.profile.endpoint import ALGORITHMS, Algorithm, Scopes, Url
from connector.profile.roles import Role
from connector.profile.section import FilePath, Fingerprint, Section, Table, Text, Word, check_url, fault

CALLBACK: Final = "/login/callback"


class Login(Section):
    """People log in at an OpenID provider (code flow with PKCE), and operate the service by the roles that it
    tells. `GET /login` begins. Without this table nobody logs in, and only tokens of `[operators]` count."""

    issuer: Url
    """The OpenID provider, `https`, as `iss` names it. Its metadata (OpenID Connect Discovery) are believed
    of addresses at the same host and port alone; asked with the files of `[tls]`."""
    client_id: ClientId
    """Our client id there."""
    key: FilePath | None = None
    """The file with our private key (JWK) that signs assertions (`private_key_jwt`); only its owner may read
    it. Without `key` and `secret` the provider knows us by our certificate (`tls_client_auth`)."""
    secret: FilePath | None = None
    """The file with our client secret (`client_secret_basic`); only its owner may read it."""
    audience: Text = ""
    """The audience of our assertions; `""`: the provider's token endpoint."""
    base: Origin
    """How browsers reach the HTTPS side, `https://host:port`. The redirect URI to enter at the provider is
    this and `/login/callback`; a request that changes something must come from here."""
    scope: Scopes = "openid profile"
    """What we ask for; `openid` among it."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = (*ALGORITHMS, "RS256")
    """The accepted signature algorithms of ID tokens."""
    name: Word = "sub"
    """The claim that names the person, in the audit log too; the provider must never give it to another."""
    groups: Word = "groups"
    """The claim with the person's groups: a text or a list."""
    roles: Annotated[Table[Word, Role], Field(json_schema_extra={"minProperties": 1})]
    """Groups and the role that each gives, `"connector-ops" = "operator"`, from login to log-off."""
    certificates: tuple[Fingerprint, ...] = ()
    """The client certificates that people may log in with, as `sha256:` and 64 hex digits; empty: every one
    that the service trusts. A session counts over connections with the certificate of its login alone."""
    idle_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 15
    """How long a session may do nothing; then it ends."""
    hours: Annotated[int, Field(ge=1, le=24)] = 8
    """How long it lasts at most."""
    sessions: Annotated[int, Field(ge=1, le=10_000)] = 200
    """How many there may be at once."""

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends people back to."""
        return f"{self.base}{CALLBACK}"

    @field_validator("issuer")
    @classmethod
    def _safe(cls, issuer: str) -> str:
        return check_url(issuer)

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if not self.roles:
            raise fault("nobody gets a role", fix='add such as "ops" = "operator"', key=("roles",))
        if "openid" not in self.scope.split():
            raise fault("openid is not asked for", fix="add openid to the scope", key=("scope",))
        if self.key and self.secret:
            raise fault("there is a key and a secret", fix="leave one out", key=("secret",))
        return self
