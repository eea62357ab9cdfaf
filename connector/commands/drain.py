"""``connector drain``: close the intake of a link and wait until what it has is delivered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, Desk, at_desk
from connector.commands.pause import LINK

_LOOK = 0.5  # seconds


@click.command(short_help="Close the intake of a link and wait until its queue is empty.")
@CONFIG
@LINK
@click.option("--seconds", default=300.0, show_default=True, help="How long to wait.")
@BECAUSE
@OPERATOR
def command(config: Path, link: str, seconds: float, because: str, operator: str | None) -> None:
    """Close the intake of LINK and wait until all that it has is delivered: before work on a partner.

    The intake stays closed until "connector resume LINK --intake". The exit code is 1 if something still
    waits at the end, and "connector queue why" says what keeps it.
    """

    async def drained(desk: Desk) -> int:
        ways = desk.ways(link, None)
        await desk.by(because).pause(link, None, intake=True)
        end = monotonic() + seconds
        while True:
            counts = await desk.store.counts()
            here = [counts[way] for way in ways if way in counts]
            waits = sum(one.waiting for one in here)
            if not waits or monotonic() > end:
                return waits
            await asyncio.sleep(_LOOK)

    waits = at_desk(config, drained, operator=operator)
    click.echo(f"{waits} still wait" if waits else "nothing waits; the intake is closed")
    if waits:
        raise SystemExit(1)
