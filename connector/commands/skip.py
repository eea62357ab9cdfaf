"""``connector skip``: a refused message stops its lanes no longer."""

from __future__ import annotations

from pathlib import Path

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, Desk, at_desk
from connector.errors import ConfigurationError


@click.command(short_help="Make a dead letter of what stops its lane.")
@CONFIG
@click.argument("number", type=int)
@BECAUSE
@OPERATOR
def command(config: Path, number: int, because: str, operator: str | None) -> None:
    """Make a dead letter of delivery NUMBER, which stops its lanes, and let them go on."""
    from connector.store import Made

    async def skipped(desk: Desk) -> None:
        one = await desk.one("delivery", number)
        if not isinstance(one, Made):
            raise ConfigurationError("only deliveries are skipped")
        await desk.by(because).skip(one)

    at_desk(config, skipped, operator=operator)
    click.echo("skipped")
