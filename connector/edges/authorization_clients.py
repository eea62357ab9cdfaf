"""The clients of our token endpoint, as Authlib asks about them, and how they prove who they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from connector.edges.authorization_assertion import Shown
from connector.edges.issuer_keys import KeySource
from connector.edges.jwks import SigningKey
from connector.edges.tls import Peer
from connector.errors import ClientNotAuthenticated
from connector.profile.authorization import AuthorizationClient

GRANT = "client_credentials"
_FIX = "compare client id, keys and certificate with [authorization] in the settings"


@dataclass(frozen=True, slots=True)
class Client:
    """One client. ``speaks``: whether the holder of a certificate, by its fingerprint, speaks for it by what
    the certificate says; ``keys``: where its public keys are; None: it shows its certificate alone."""

    settings: AuthorizationClient
    speaks: Callable[[str], bool] = field(repr=False)
    keys: KeySource | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """Its client id."""
        return self.settings.id

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether it proves who it is in this way: Authlib asks."""
        return endpoint == "token" and method == self.settings.method

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it may use this grant: Authlib asks."""
        return grant_type == GRANT

    def owns(self, peer: Peer) -> bool:
        """Whether the certificate of the connection is one of its own, where the settings say which are.

        RFC 8705, 2.1: by its fingerprint, by its subject, or by one of its alternative names.
        """
        chosen = self.settings
        if peer.fingerprint in chosen.certificates:
            return True
        if chosen.subjects or chosen.names:
            return self.speaks(peer.fingerprint)
        return chosen.method == "private_key_jwt" and not chosen.certificates

    async def key(self, given: Shown) -> SigningKey:
        """The key that its assertion names. Raises ``ClientNotAuthenticated``, ``IssuerUnavailable``."""
        jku = given.header.get("jku", self.settings.jwks_url)
        if self.keys is None or jku != self.settings.jwks_url:
            raise unknown("the client has no keys, or not at the address that the assertion names")
        found = await self.keys.find(given.header["kid"], given.algorithm)
        if found is None:
            raise unknown("the client has no key of the assertion's kid for its algorithm")
        return found


def unknown(what: str) -> ClientNotAuthenticated:
    """The error for who is not, or not yet, known to be a client."""
    return ClientNotAuthenticated(what, fix=_FIX)
