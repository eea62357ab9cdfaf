"""Who may operate the service over HTTPS: tokens of the issuer in ``[operators]``, and their scopes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from connector.edges.authorization_keys import OwnIssuer
from connector.edges.http_ports import Peer
from connector.edges.issuer_keys import IssuerKeys
from connector.edges.oauth import Issuer, Principal, TokenGuard
from connector.errors import ConfigurationError, Forbidden, Unauthenticated, UntrustedPeer
from connector.profile.operators import Operators, OperatorScope
from connector.profile.roles import Permission

LONGEST_NAME = 200  # characters of a subject; it stands in the audit trail and on operators' screens


class OperatorGuard:
    """Deny by default: a request without a good token with the scope of its route gets no further.

    ``clock`` gives seconds since the epoch; ``own``: our own issuer, where there is one. Raises
    ``ConfigurationError`` where the keys cannot be read.
    """

    def __init__(
        self, chosen: Operators, clock: Callable[[], float] = time.time, own: OwnIssuer | None = None
    ) -> None:
        self._chosen = chosen
        if own is not None and own.is_named(chosen.issuer):
            self._guard = own.guard(chosen.audience, chosen.clients, clock)
        else:
            self._guard = _guard(chosen, clock)

    async def check(self, authorization: Sequence[str], peer: Peer | None) -> Principal:
        """Who asks. Raises ``UntrustedPeer``, ``Unauthenticated``, ``Forbidden``, ``IssuerUnavailable``."""
        if peer is None:
            what, fix = "the connection has no verified client certificate", "connect with mutual TLS"
            raise UntrustedPeer(what, fix=fix, location="http.connection")
        principal = await self._guard.check(authorization, peer.fingerprint)
        if self._chosen.certificates and peer.fingerprint not in self._chosen.certificates:
            raise Forbidden(
                "this certificate may not operate the service",
                fix="name its fingerprint under [operators] in the settings",
                location="http.connection",
            )
        if not principal.subject.isprintable() or len(principal.subject) > LONGEST_NAME:
            raise Unauthenticated(
                "the access token has a subject that is no name",
                fix=f"ask the issuer for one of at most {LONGEST_NAME} characters",
                location="http.authorization",
            )
        return principal

    def granted(self, principal: Principal) -> frozenset[Permission]:
        """What both the token and the settings grant."""
        clients = self._chosen.clients[principal.client_id]
        return frozenset(scope for scope in clients if scope in principal.others)

    def may(self, principal: Principal, scope: OperatorScope) -> None:
        """Raises ``Forbidden`` unless both the token and the settings grant the scope to its client."""
        if scope not in principal.others:
            fix = f"ask the authorization server for the scope {scope}"
            raise Forbidden("the token has not the scope for this", fix=fix, location="http.authorization")
        if scope not in self._chosen.clients[principal.client_id]:
            fix = f"give its client {scope} under [operators] in the settings"
            raise Forbidden("the client may not have this scope", fix=fix, location="http.authorization")


def _guard(chosen: Operators, clock: Callable[[], float]) -> TokenGuard:
    """Over the keys in a file."""
    if chosen.jwks is None:
        raise ConfigurationError("the issuer of operators' tokens has no keys", fix="add [authorization]")
    issuer = Issuer(
        issuer=chosen.issuer,
        audience=chosen.audience,
        clients=frozenset(chosen.clients),
        algorithms=chosen.algorithms,
        bound=chosen.certificate_bound,
    )
    return TokenGuard(issuer, IssuerKeys.of_file(chosen.jwks, chosen.algorithms), clock)
