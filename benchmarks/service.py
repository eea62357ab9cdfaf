"""The service as it runs in life, on a throw-away site: ``connector serve`` in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import psutil

from connector.demo.processes import Processes
from connector.demo.site import Ports, Site, make_site
from connector.errors import UnableToWork
from connector.store import Counts, Direction, FileKeyProvider, Store

Prepare = Callable[[Site], Awaitable[None]]

CORES: Final = 2  # for the service and the sender together
_LINK: Final = ("demo", Direction.TO_FHIR)


class Running:
    """A service that is ready; it took ``seconds`` to start."""

    def __init__(self, site: Site, process: psutil.Process, seconds: float) -> None:
        self.site, self.process, self.seconds = site, process, seconds

    async def send(self, **plan: Any) -> dict[str, Any]:
        """Have a sender process carry out a plan (see ``benchmarks.sender``)."""
        options = [f"--{name}={value}" for name, value in plan.items()]
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "benchmarks.sender", str(self.site.folder), *options),
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[1],
        )
        answer, _ = await child.communicate()
        if child.returncode:
            raise RuntimeError(f"the sender failed; see {self.site.log}")
        seen: dict[str, Any] = json.loads(answer)
        return seen

    async def counts(self) -> Counts:
        """What the service's store says of the link, read beside it."""
        keys = FileKeyProvider(self.site.folder / "kek.key")
        store = await asyncio.to_thread(Store.open, self.site.store, keys, None, read_only=True)  # type: ignore[arg-type]
        try:
            return (await store.counts()).get(_LINK, Counts())
        finally:
            await store.close()

    def memory(self) -> tuple[float, float]:
        """Resident memory of the service now and at its most, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return self.process.memory_info().rss / 2**20, int(peak.split()[1]) / 2**10


@contextlib.asynccontextmanager
async def running(
    *, fhir_side: bool, together: bool = False, prepare: Prepare | None = None
) -> AsyncIterator[Running]:
    """A fresh site and its service, on two cores.

    ``fhir_side``: with the sandbox, on the other cores, or, ``together``, on the same. ``prepare``: done to
    the site before anything starts.
    """
    with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder, _cores() as (ours, others):
        site = make_site(Path(folder) / "site", _ports())
        if prepare is not None:
            await prepare(site)
        with Processes(site) as processes:
            if fhir_side:
                os.sched_setaffinity(0, ours if together else others)
                await processes.sandbox()
            os.sched_setaffinity(0, ours)
            start = perf_counter()
            try:
                await processes.connector()
            except UnableToWork as error:  # its folder goes: say here what its log says
                error.add_note((site.log / "connector.log").read_text()[-2_000:])
                raise
            yield Running(site, _service(site), perf_counter() - start)


@contextlib.contextmanager
def _cores() -> Iterator[tuple[set[int], set[int]]]:
    """Two cores, and the rest (the same two where there are no more); children take what is set."""
    before = os.sched_getaffinity(0)
    ours = set(sorted(before)[-CORES:])
    try:
        yield ours, (before - ours) or before
    finally:
        os.sched_setaffinity(0, before)


def _service(site: Site) -> psutil.Process:
    for child in psutil.Process().children():
        if str(site.config) in child.cmdline():
            return child
    raise RuntimeError("the service has ended")


def _ports() -> Ports:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(4)]
        return Ports(*(int(one.getsockname()[1]) for one in sockets))
