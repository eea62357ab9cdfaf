"""The clients of our token endpoint, as Authlib asks about them, and how they prove who they are."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
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
    """One client. ``keys``: where its public keys are; None: it shows its certificate alone."""

    settings: AuthorizationClient
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

        RFC 8705, 2.1: by fingerprint, by subject, or by one of the alternative names.
        """
        chosen = self.settings
        if chosen.certificates:
            return peer.fingerprint in chosen.certificates
        if chosen.subjects:
            return peer.subject in chosen.subjects
        if chosen.alternative_names:
            return not _names(peer.sans).isdisjoint(_names(chosen.alternative_names))
        return chosen.method == "private_key_jwt"

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


def _names(names: Iterable[str]) -> set[str]:
    """Alternative names in the one form in which they can be compared (RFC 5280, 7.2, and 4.2.1.6)."""
    return {_name(*one.split(":", 1)) for one in names}


def _name(kind: str, value: str) -> str:
    if kind == "DNS":
        return f"DNS:{value.lower()}"
    if kind == "IP":
        try:
            return f"IP:{ipaddress.ip_address(value)}"
        except ValueError:
            return f"IP:{value}"
    return f"{kind}:{value}"
