"""``connector break-glass``: for a time and a reason more than one's roles grant, and all hear of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.operating import CONFIG, OPERATOR, Desk, at_desk
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from connector.pipeline.emergency import Glass, Who


@click.command(short_help="See and do for a time, and a reason, what one's roles do not grant.")
@CONFIG
@click.option("--because", help="Why, for the audit trail; nothing of a patient belongs there.")
@click.option("--minutes", type=int, help="How long; as long as the settings allow if left out.")
@click.option("--end", is_flag=True, help="End it now.")
@OPERATOR
def command(config: Path, because: str | None, minutes: int | None, end: bool, operator: str | None) -> None:
    """In an emergency: see content, act and edit for some minutes, though one's roles do not grant it.

    For people whose role [break_glass] in the settings names. It stands in the audit log before it counts,
    and so does everything that is done by it; "connector queue why" shows it as long as it lasts. It ends by
    itself. While it lasts it cannot be prolonged: end it, and say anew why.
    """
    if end == (because is not None) or (end and minutes is not None):
        raise ConfigurationError(
            "this does not go together", fix="either --because, with --minutes, or --end"
        )

    async def done(desk: Desk) -> str:
        glass, who = _glass(desk), desk.person.who
        if end:
            await glass.end(who)
            return "ended"
        return await _broken(glass, who, str(because), minutes)

    click.echo(at_desk(config, done, operator=operator))


async def _broken(glass: Glass, who: Who, because: str, minutes: int | None) -> str:
    from connector.pipeline.findings import clock

    broken = await glass.break_it(who, because, minutes)
    return f"until {clock(broken.until)}; everything you do by it is written down"


def _glass(desk: Desk) -> Glass:
    from connector import log, wiring
    from connector.pipeline.emergency import Glass

    chosen = desk.configuration.settings
    if chosen.people is None:
        raise ConfigurationError("nobody has a role here, so all may everything", fix="add [people]")
    log.setup(chosen.log.level)
    return Glass(desk.store, wiring.now, chosen.break_glass)
