"""Our own token endpoint, built from the settings: its clients, its keys, its addresses."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.routing import Route

from connector.edges.authorization_assertion import ALGORITHMS
from connector.edges.authorization_clients import Client
from connector.edges.authorization_http import Limits, TokenEndpoint, routes
from connector.edges.authorization_keys import OwnIssuer, SigningKeys
from connector.edges.authorization_server import AuthorizationServer
from connector.edges.issuer_keys import IssuerKeys
from connector.edges.issuer_site import IssuerSite, PublishedKeys
from connector.errors import ConnectorError
from connector.pipeline.entries import reason
from connector.pipeline.ports import Clock
from connector.profile.authorization import Authorization, AuthorizationClient
from connector.store import Store
from connector.wiring import now
from connector.wiring.access import Secures
from connector.wiring.beliefs import ISSUERS


class OwnAuthorization:
    """``issuer``: for who checks its tokens here; ``routes``: its addresses.

    ``secured``: TLS for asking clients for their keys, and whose certificates speak for them. Raises
    ``KeyUnavailable``, ``ConfigurationError`` where our keys, or a client's in a file, cannot be used.
    """

    def __init__(
        self,
        chosen: Authorization,
        store: Store,
        secured: Secures,
        clock: Clock = now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secured = secured
        self._site: IssuerSite | None = None
        self._keys: list[IssuerKeys] = []
        keys = SigningKeys(chosen.keys, lambda: clock().timestamp())
        self.issuer = OwnIssuer(chosen.issuer, keys)
        server = AuthorizationServer(chosen, [self._client(one) for one in chosen.clients], keys, clock)
        endpoint = TokenEndpoint(server, chosen, store, clock, Limits.of(chosen, seconds))
        self.routes: list[Route] = routes(endpoint, chosen, keys)

    def ready(self) -> dict[str, bool | str]:
        """Whether tokens can be signed and checked: True, or the name of what is wrong."""
        try:
            self.issuer.keys.signing()
        except ConnectorError as error:
            return {"authorization": reason(error)}
        return {"authorization": True}

    async def close(self) -> None:
        """Ask nobody any more."""
        for keys in self._keys:
            await keys.close()
        if self._site is not None:
            await self._site.close()

    def _client(self, chosen: AuthorizationClient) -> Client:
        keys = self._keys_of(chosen)
        self._keys += [keys] if keys else []
        return Client(chosen, self._secured.may_send(chosen.party), keys)

    def _keys_of(self, chosen: AuthorizationClient) -> IssuerKeys | None:
        if chosen.jwks is not None:
            return IssuerKeys.of_file(chosen.jwks, ALGORITHMS)
        if not chosen.jwks_url:
            return None
        if self._site is None:
            self._site = IssuerSite(self._secured.context(ISSUERS))
            self._secured.calls(ISSUERS, self._site)
        return IssuerKeys(PublishedKeys(self._site, chosen.jwks_url, ALGORITHMS).keys, where=chosen.jwks_url)
