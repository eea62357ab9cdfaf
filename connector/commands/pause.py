"""``connector pause``: let nothing go out of a link, or nothing come in."""

from __future__ import annotations

from pathlib import Path

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, TO, Desk, at_desk

LINK = click.argument("link")
INTAKE = click.option("--intake", is_flag=True, help="What comes in, in place of what goes out.")


@click.command(short_help="Let nothing go out of a link, or nothing come in.")
@CONFIG
@LINK
@TO
@INTAKE
@BECAUSE
@OPERATOR
def command(
    config: Path, link: str, target: str | None, intake: bool, because: str, operator: str | None
) -> None:
    """Let nothing go out of LINK (or in one direction), until connector resume; messages still come in.

    With --intake messages are turned away (AE, 503) and their senders keep them, while what waits goes out.
    The service heeds it within a second, and after a restart too.
    """

    async def paused(desk: Desk) -> None:
        direction = desk.direction(link, target)
        await desk.by(because).pause(link, direction, intake=intake)

    at_desk(config, paused, operator=operator)
    click.echo("paused")
