"""People who log in, built from the settings: the provider, the sessions, the addresses."""

from __future__ import annotations

from starlette.routing import Route

from connector.edges.issuer_site import IssuerSite
from connector.edges.login_desk import LoginDesk
from connector.edges.login_http import routes
from connector.edges.login_provider import Provider
from connector.pipeline.ports import Clock
from connector.profile.login import Login
from connector.store import Store
from connector.wiring import now
from connector.wiring.access import Secures
from connector.wiring.beliefs import ISSUERS


class People:
    """``desk``: who is logged in; ``routes``: the addresses for logging in and off.

    Raises ``ConfigurationError``, ``KeyUnavailable`` where our key or secret at the provider cannot be used;
    the provider itself is asked when the first person comes.
    """

    def __init__(self, chosen: Login, store: Store, secured: Secures, clock: Clock = now) -> None:
        self._site = IssuerSite(secured.context(ISSUERS))
        secured.calls(ISSUERS, self._site)
        self._provider = Provider(chosen, self._site, lambda: clock().timestamp())
        self.desk = LoginDesk(chosen, self._provider, store, clock)
        self.routes: list[Route] = routes(self.desk)

    async def close(self) -> None:
        """Ask nobody any more."""
        await self._provider.close()
        await self._site.close()
