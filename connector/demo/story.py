"""The story that ``connector demo`` tells: a day at the hospital, then changes on the FHIR side."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from rich.console import Console
from rich.live import Live

from connector.demo.hospital import drop
from connector.demo.messages import split
from connector.demo.people import People
from connector.demo.processes import Processes
from connector.demo.reckoning import reckon
from connector.demo.rows import day, lines, rows_to_fhir, rows_to_v2, said_before
from connector.demo.show import Row, balances, how_to_play, marked, table
from connector.demo.site import Site
from connector.demo.status import Status, StoreStatus
from connector.errors import ConnectorError

_PATIENCE: Final = 60.0  # seconds until what should happen is taken for lost
_STEP: Final = 0.1
_FILE_WIDTH: Final = 150  # columns
_PACE: Final = 0.4  # seconds between two messages: a person can follow


def run_demo(site: Site, *, once: bool, console: Console | None = None) -> int:
    """Run the demo on a made site; 0 where everything reconciles, 1 where not.

    ``once``: return at the end; otherwise stay until Ctrl-C. The processes end in any case.
    """
    return asyncio.run(_until_told_to_end(Demo(site, console or _console()), once))


def _console() -> Console:
    """The terminal; a file or pipe has no width of its own, and gets one that the table fits."""
    console = Console()
    return console if console.is_terminal else Console(width=_FILE_WIDTH)


async def _until_told_to_end(demo: Demo, once: bool) -> int:
    task = asyncio.ensure_future(demo.run(once))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return demo.verdict
    except ConnectorError as error:
        demo.console.print(f"[red]{error}[/red]")
        return 1


class Demo:
    """One run: what was seen so far, and what is asked next."""

    def __init__(self, site: Site, console: Console) -> None:
        self.site, self.console = site, console
        self.rows: list[Row] = []
        self.verdict = 1  # until everything reconciles
        self._processes = Processes(site)
        self._people = People(site)

    async def run(self, once: bool) -> int:
        """The whole story."""
        with self._processes:
            async with self._everything_started() as status:
                with Live(table(self.rows), console=self.console, refresh_per_second=10) as live:
                    await self._the_day(status, live)
                    await self._the_way_back(status, live)
                await self._close(status)
                if not once:
                    self.console.print("Up until Ctrl-C.")
                    while True:
                        await asyncio.sleep(1)
                        self._processes.check()
        return self.verdict

    @contextlib.asynccontextmanager
    async def _everything_started(self) -> AsyncIterator[Status]:
        try:
            with self.console.status("starting the FHIR sandbox, the connector and the hospital"):
                await self._processes.sandbox()
                await self._processes.connector()
                await self._processes.hospital(_PACE)
            status = StoreStatus(self.site)
            try:
                yield status
            finally:
                await status.close()
        finally:
            await self._people.close()

    async def _the_day(self, status: Status, live: Live) -> None:
        for name, content in day():
            drop(self.site, name.removesuffix(".hl7"), content)
        expected = sum(len(split(content)) for _, content in day())

        async def over() -> bool:
            await self._look(status, live)
            counts = (await status.counts()).get("to_fhir")
            waiting = counts is None or counts.waiting
            return len(lines(self.site.sent)) >= expected and not waiting

        await self._wait(over)

    async def _the_way_back(self, status: Status, live: Live) -> None:
        patient = await self._people.patient()
        if patient is None:
            live.console.print("[red]The patient of the day did not arrive at the FHIR side.[/red]")
            return
        for act, title in (
            (self._people.move, "A person changes the address at the FHIR side; the hospital is told:"),
            (self._people.report, "A practice reports there; the hospital is told:"),
        ):
            known = len(lines(self.site.received))
            await act(patient)
            await self._wait(self._more_received_than(known, status, live))
            for line in lines(self.site.received)[known:]:
                live.console.print(f"\n[bold]{title}[/bold]")
                live.console.print(marked(line["message"], said_before(line["message"])))

    def _more_received_than(self, known: int, status: Status, live: Live) -> Callable[[], Awaitable[bool]]:
        async def condition() -> bool:
            await self._look(status, live)
            counts = (await status.counts()).get("to_v2")
            waiting = counts is None or counts.waiting
            return len(lines(self.site.received)) > known and not waiting

        return condition

    async def _close(self, status: Status) -> None:
        sides = reckon(
            lines(self.site.sent),
            lines(self.site.received),
            await self._people.statistics(),
            await status.counts(),
        )
        self.verdict = 0 if all(side.holds for side in sides) else 1
        self.console.print()
        self.console.print(balances(sides))
        self.console.print(how_to_play(self.site), highlight=False, markup=False, soft_wrap=True)

    async def _look(self, status: Status, live: Live) -> None:
        listed = await status.recent(1000)
        sent, received = lines(self.site.sent), lines(self.site.received)
        sizes = (await self._people.statistics())["sizes"]
        self.rows = [
            *rows_to_fhir(sent, listed, sizes["to_fhir"]),
            *rows_to_v2(received, listed, sizes["to_v2"]),
        ]
        live.update(table(self.rows))

    async def _wait(self, condition: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it came true in time; a process that ended meanwhile is an error."""
        for _ in range(int(_PATIENCE / _STEP)):
            self._processes.check()
            if await condition():
                return True
            await asyncio.sleep(_STEP)
        return False
