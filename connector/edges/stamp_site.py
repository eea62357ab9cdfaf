"""An authority for time-stamps, asked over HTTP (RFC 3161, 3.4)."""

from __future__ import annotations

import ssl
from typing import Final

from connector.edges.http_exchange import BoundedTransport, Waits
from connector.edges.http_reading import Answer

_LONGEST: Final = 64 * 1024  # bytes of an answer


class StampSite:
    """The connection to one authority. ``seconds``: the longest time for each part of an answer."""

    def __init__(self, url: str, context: ssl.SSLContext, seconds: float) -> None:
        waits = Waits(seconds, seconds, seconds, seconds, seconds)
        self._server = BoundedTransport(url, context, waits=waits, answer_limit=_LONGEST, connections=1)

    async def ask(self, query: bytes, kind: str, wanted: str) -> Answer:
        """Its answer, whatever it is. ``kind``: the media type of the query, ``wanted``: of the answer.

        Raises ``DeliveryError`` where there is none.
        """
        headers = {
            "Content-Type": kind,
            "Accept": wanted,
            "Accept-Encoding": "identity",
            "User-Agent": "connector",
        }
        return await self._server.ask("POST", self._server.path or "/", headers, query)

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next request on."""
        self._server.reload(context)

    def cut(self) -> None:
        """End the connection at once; what is under way has failed."""
        self._server.cut()

    async def close(self) -> None:
        """Close the connection."""
        await self._server.aclose()
