"""People who log in, built from the settings: the provider, the sessions, the addresses."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from starlette.routing import Route

from connector.edges.issuer_site import IssuerSite
from connector.edges.login_desk import LoginDesk
from connector.edges.login_http import routes
from connector.edges.login_provider import Provider
from connector.errors import ConnectorError
from connector.pipeline.ports import Clock
from connector.profile.login import Login
from connector.store import Store
from connector.wiring import now
from connector.wiring.access import Secures
from connector.wiring.beliefs import ISSUERS

TIDY_SECONDS: Final = 20.0
_log: Final = structlog.get_logger(__name__)


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
        self._tidying: asyncio.Task[None] | None = None

    def start(self) -> None:
        """See to it that sessions that end by themselves are written down when they do."""
        self._tidying = asyncio.create_task(self._tidy(), name="logins")

    async def close(self) -> None:
        """Log everybody off, and ask nobody any more."""
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        await self.desk.close()
        await self._provider.close()
        await self._site.close()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            try:
                await self.desk.tidy()
            except ConnectorError as error:  # they have ended all the same
                _log.error("the end of a session could not be written down", exc=error)
