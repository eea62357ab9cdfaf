"""How often the OAuth clients of a partner may ask, all of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connector.errors import TooManyRequests
from connector.pipeline.quotas import Bucket


class Pace:
    """Called with the client of each request; raises ``TooManyRequests`` where it comes too soon.

    ``clients``: the bucket of each, which the clients of one partner share. A client without one is held by
    no rate. ``seconds``: a clock that only goes forward.
    """

    def __init__(self, clients: Mapping[str, Bucket], seconds: Callable[[], float]) -> None:
        self._clients, self._seconds = clients, seconds

    def __call__(self, client: str) -> None:
        bucket = self._clients.get(client)
        wait = bucket.ask(self._seconds()) if bucket else 0.0
        if wait > 0:
            raise TooManyRequests(
                "the requests of this partner come too fast",
                fix="wait as long as Retry-After says",
                location="http.connection",
                after=wait,
            )
