"""One witness of the audit log, asked over mutual TLS (C2SP tlog-witness, ``add-checkpoint``)."""

from __future__ import annotations

import ssl
from typing import Final

from connector.edges.http_exchange import BoundedTransport, Waits
from connector.edges.http_reading import Answer

_PATH: Final = "/add-checkpoint"
_LONGEST: Final = 64 * 1024  # bytes of an answer
_HEADERS: Final = {
    "Content-Type": "text/plain; charset=utf-8",
    "Accept-Encoding": "identity",
    "User-Agent": "connector",
}


class WitnessSite:
    """The connection to one witness. ``seconds``: the longest time for each part of an answer."""

    def __init__(self, url: str, context: ssl.SSLContext, seconds: float) -> None:
        waits = Waits(seconds, seconds, seconds, seconds, seconds)
        self._server = BoundedTransport(url, context, waits=waits, answer_limit=_LONGEST, connections=1)

    async def ask(self, body: bytes) -> Answer:
        """Its answer, whatever it is. Raises ``DeliveryError`` where there is none."""
        return await self._server.ask("POST", f"{self._server.path}{_PATH}", _HEADERS, body)

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next request on."""
        self._server.reload(context)

    def cut(self) -> None:
        """End the connection at once; what is under way has failed."""
        self._server.cut()

    async def close(self) -> None:
        """Close the connection."""
        await self._server.aclose()
