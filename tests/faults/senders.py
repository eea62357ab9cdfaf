"""Hospital systems that send at once, each over its own connection, one message after the other.

A message is sent again under the same control id until it is acknowledged; then it stands in ``taken``, in
the order of its sender.
"""

from __future__ import annotations

import random
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Final, NamedTuple

from connector.demo import tls
from connector.demo.messages import frame, read_answer
from connector.demo.site import Site
from connector.errors import ConnectorError

_PATIENCE: Final = 10.0  # seconds for one acknowledgment
_PAUSE: Final = 0.05  # before the next attempt


class Said(NamedTuple):
    """One message to send: its control id, whom it speaks of, and which of its revisions it says."""

    identity: str
    subject: str
    revision: int
    text: str


class Taken(NamedTuple):
    """An acknowledged message."""

    said: Said
    tries: int


Next = Callable[[random.Random], Said]


class Sender(threading.Thread):
    """One sending system. ``make`` gives the next message; after ``stop`` it finishes the one in hand."""

    def __init__(self, site: Site, make: Next, pace: float, seed: int, over: threading.Event) -> None:
        super().__init__(name=f"sender-{seed}")
        self.taken: list[Taken] = []
        self.wrong: list[str] = []  # answers that are none to what was sent
        self._site, self._make, self._pace, self._over = site, make, pace, over
        self._chance = random.Random(seed)
        self._context = tls.client_context(site.folder, "hospital")
        self._connection: ssl.SSLSocket | None = None

    def run(self) -> None:
        """Send until the end."""
        while not self._over.wait(self._chance.uniform(0, 2 * self._pace)):
            self.say(self._make(self._chance))
        self._hang_up()

    def say(self, said: Said) -> None:
        """Send one message until it is acknowledged."""
        tries = 1
        while not self._acknowledged(said):
            tries += 1
            self._hang_up()
            threading.Event().wait(_PAUSE)
        self.taken.append(Taken(said, tries))

    def _acknowledged(self, said: Said) -> bool:
        try:
            connection = self._connected()
            connection.sendall(frame(said.text.encode()))
            answer = read_answer(self._answer(connection)[1:-2])
        except (OSError, EOFError, ConnectorError):
            return False
        if answer.acknowledges != said.identity:
            self.wrong.append(said.identity)
        return answer.code == "AA"

    def _answer(self, connection: ssl.SSLSocket) -> bytes:
        received = b""
        while not received.endswith(b"\x1c\r"):
            more = connection.recv(65536)
            if not more:
                raise EOFError
            received += more
        return received

    def _connected(self) -> ssl.SSLSocket:
        if self._connection is None:
            plain = socket.create_connection(("127.0.0.1", self._site.ports.mllp), _PATIENCE)
            self._connection = self._context.wrap_socket(plain, server_hostname="localhost")
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
