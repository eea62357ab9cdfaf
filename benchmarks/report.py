"""What is measured, and the one table it is printed as."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    """One figure. ``target``: what it should be, in words; ``met``: None where nothing is asked."""

    part: str
    what: str
    figure: str
    ratio: str = ""
    target: str = ""
    met: bool | None = None


Say = Callable[[str], None]
WIDTH: Final = 136  # characters, where the output is no terminal


def table(rows: Iterable[Row]) -> Table:
    """All rows; a line between the parts."""
    shown = Table(title=f"Benchmarks ({machine()})", title_justify="left", header_style="bold")
    shown.add_column("Part", no_wrap=True)
    shown.add_column("What")
    shown.add_column("Figure", justify="right", no_wrap=True)
    shown.add_column("Ratio", justify="right")
    shown.add_column("Target")
    shown.add_column("")
    last = ""
    for row in rows:
        if last and row.part != last:
            shown.add_section()
        verdict = {None: "", True: "[green]met[/green]", False: "[red]missed[/red]"}[row.met]
        shown.add_row("" if row.part == last else row.part, *row[1:5], verdict)
        last = row.part
    return shown


def show(rows: Sequence[Row]) -> None:
    """Print the table."""
    Console(width=max(Console().width, WIDTH)).print(table(rows))


def machine() -> str:
    """What it ran on."""
    return f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"


def times(calls: Sequence[Callable[[], object]], rounds: int, *, warm: int = 3) -> list[list[float]]:
    """Microseconds of each call in each round. The calls take turns, so that all see the same machine."""
    found: list[list[float]] = [[] for _ in calls]
    for at in range(warm + rounds):
        for call, taken in zip(calls, found):
            start = perf_counter()
            call()
            if at >= warm:
                taken.append((perf_counter() - start) * 1e6)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of all values do not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
