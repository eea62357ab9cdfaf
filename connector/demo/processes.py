"""The processes of a demo site: started in order, watched, and ended whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final

import httpx2

from connector.demo import tls
from connector.demo.site import Ports, Site
from connector.errors import ConfigurationError, UnableToWork

USUAL: Final = Ports()
_READY_TIME: Final = 60.0
_END_TIME: Final = 10.0
_STEP: Final = 0.1
_SERVE: Final = "import sys; sys.argv[0] = 'connector'; from connector.cli import main; main()"


def choose_ports(mllp: int = USUAL.mllp, https: int = USUAL.https) -> Ports:
    """Ports that are free: the connector's as asked, the partners' their usual ones or any other.

    Raises ``ConfigurationError`` where a port that was asked for is taken.
    """
    for port, option in ((mllp, "--port-mllp"), (https, "--port-https")):
        if not _is_free(port):
            raise ConfigurationError(f"port {port} is taken", fix=f"name another one with {option}")
    usual = Ports(mllp, https)
    taken = {mllp, https}
    for name in ("hospital", "sandbox"):
        port = getattr(usual, name)
        port = port if port not in taken and _is_free(port) else _free_port()
        taken.add(port)
        usual = replace(usual, **{name: port})
    return usual


def free_ports() -> Ports:
    """Four ports that nobody uses."""
    return Ports(*(_free_port() for _ in range(4)))


class Processes:
    """Child processes of one site, as a context manager; their output goes to ``log/<name>.log``."""

    def __init__(self, site: Site, **environment: str) -> None:
        self._site, self._environment = site, {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    async def sandbox(self) -> None:
        """Start the FHIR sandbox and wait until it answers."""
        self.start("sandbox", ["-m", "connector.demo.sandbox", "--site", str(self._site.folder)])
        await self._until("sandbox", self._answers(f"{self._site.sandbox_url}/fhir/metadata"))

    async def hospital(self, pace: float) -> None:
        """Start the hospital system and wait until it listens."""
        command = ["-m", "connector.demo.hospital", "--site", str(self._site.folder), "--pace", str(pace)]
        self.start("hospital", command)
        await self._until("hospital", self._listens(self._site.ports.hospital))

    async def connector(self) -> None:
        """Start the connector and wait until it is ready."""
        self.start("connector", ["-c", _SERVE, "serve", "--config", str(self._site.config)])
        await self._until("connector", self._answers(f"{self._site.connector_url}/health/ready"))

    def start(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Start a Python process in a session of its own: a Ctrl-C reaches it only through us."""
        with (self._site.log / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 (our own command)
                [sys.executable, *arguments],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=self._environment,
            )
        return self._running[name]

    def running(self, name: str) -> subprocess.Popen[bytes]:
        """The process of a name that was started."""
        return self._running[name]

    def check(self) -> None:
        """Raise ``UnableToWork`` if a process has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = _shown(self._site.log / f"{name}.log")
                raise UnableToWork(f"the {name} process has ended", fix=f"{log} says why")

    def end(self) -> None:
        """End them all, the sender first, and wait for it: politely, then not."""
        order = [self._running.pop(name) for name in list(self._running)[::-1]]
        for process in order:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_END_TIME)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    async def _until(self, name: str, condition: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(int(_READY_TIME / _STEP)):
            self.check()
            if await condition():
                return
            await asyncio.sleep(_STEP)
        log = _shown(self._site.log / f"{name}.log")
        raise UnableToWork(f"the {name} process does not get ready", fix=f"{log} says why")

    def _answers(self, url: str) -> Callable[[], Awaitable[bool]]:
        context = tls.client_context(self._site.folder, "analyst")

        async def condition() -> bool:
            try:
                async with httpx2.AsyncClient(verify=context, timeout=5.0) as client:
                    return (await client.get(url)).status_code == 200
            except httpx2.HTTPError:
                return False

        return condition

    def _listens(self, port: int) -> Callable[[], Awaitable[bool]]:
        async def condition() -> bool:
            with closing(socket.socket()) as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        return condition


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as held:
        return int(held.getsockname()[1])
