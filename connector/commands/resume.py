"""``connector resume``: take a pause away."""

from __future__ import annotations

from pathlib import Path

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, TO, Desk, at_desk
from connector.commands.pause import INTAKE, LINK
from connector.errors import ConfigurationError


@click.command(short_help="Take a pause away.")
@CONFIG
@LINK
@TO
@INTAKE
@BECAUSE
@OPERATOR
def command(
    config: Path, link: str, target: str | None, intake: bool, because: str, operator: str | None
) -> None:
    """Take the pause of LINK away that was set with the same options."""

    async def resumed(desk: Desk) -> bool:
        direction = desk.direction(link, target)
        return await desk.by(because).resume(link, direction, intake=intake)

    if not at_desk(config, resumed, operator=operator):
        raise ConfigurationError("there is no such pause", fix='"connector queue why" shows those there are')
    click.echo("resumed")
