"""``connector serve`` as a process, for tests that start, ask and end it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from connector.demo import tls
from connector.demo.messages import Answer, frame, read_answer
from connector.demo.site import Site
from connector.demo.status import Counted, StoreStatus
from tests.forked import Forked, Nursery
from tests.store.site import rows

Start = Callable[..., subprocess.Popen[bytes]]
PARTS = {"audit": True, "demo answer": True, "demo to_fhir": True, "demo to_v2": True, "tls": True}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("connector.app", "connector.commands.serve") as made:
        yield made


class Connector:
    """``connector serve`` over a site; what it writes to stderr goes to a file."""

    def __init__(self, site: Site, nursery: Nursery) -> None:
        self.site, self._nursery = site, nursery
        self._errors = site.log / "connector.log"
        self.process: Forked | None = None

    def begin(self) -> Forked:
        with self._errors.open("wb") as errors:
            self.process = self._nursery.start(
                ["connector", "serve", "--config", str(self.site.config)], errors
            )
        return self.process

    def up(self) -> None:
        """Start it and wait until it answers."""
        process = self.begin()
        deadline = time.monotonic() + 30
        while ready(self.site) is None:
            assert process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def refuses(self) -> tuple[int, str]:
        """Start it where it cannot start: its exit code, and the one line that it says."""
        code = self.begin().wait(30)
        said = self.said()
        assert "Traceback" not in said, said
        (line,) = [line for line in said.splitlines() if not line.startswith("{")]
        assert line.startswith("connector: "), said
        return code, line

    def said(self) -> str:
        return self._errors.read_text()


@pytest.fixture
def connector(site: Site, nursery: Nursery) -> Iterator[Connector]:
    made = Connector(site, nursery)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(10)


def ready(site: Site) -> httpx2.Response | None:
    """The answer of the readiness check; None where nobody answers yet."""
    context = tls.client_context(site.folder, "analyst")
    try:
        with httpx2.Client(verify=context, timeout=5) as client:
            return client.get(f"{site.connector_url}/health/ready")
    except httpx2.HTTPError:
        return None


def send(site: Site, message: str) -> Answer:
    """Send one message as the hospital does; the answer."""
    context = tls.client_context(site.folder, "hospital")
    with (
        socket.create_connection(("127.0.0.1", site.ports.mllp), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(frame(message.encode()))
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            answer += secure.recv(65536)
    return read_answer(answer[1:-2])


def counted(site: Site, direction: str = "to_fhir") -> Counted:
    async def read() -> Counted:
        status = StoreStatus(site)
        found = await status.counts()
        await status.close()
        return found.get(direction, Counted())

    return asyncio.run(read())


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def tags(site: Site) -> list[str]:
    return [
        json.loads(leaf)["tag"] for (leaf,) in rows(site.folder, "SELECT entry FROM audit_entry ORDER BY seq")
    ]
