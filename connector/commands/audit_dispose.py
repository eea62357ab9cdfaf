"""``connector audit dispose``: years of the audit log that are past their retention are taken away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, Desk, at_desk, drafting

if TYPE_CHECKING:
    from audit.disposing import Account


@click.command(short_help="Take away the years that are past their retention.")
@CONFIG
@BECAUSE
@OPERATOR
def command(config: Path, because: str, operator: str | None) -> None:
    """Dispose of the years of the audit log that ended more than `retention_years` of [audit] ago: rows,
    bundles, tiles and checkpoints.

    Each is looked through first, and goes whole in one transaction with the entry that tells what it was and
    who did it, so that the rest can still be verified. Nobody else can write to the store meanwhile (seconds
    for each million entries): choose a quiet hour. Nothing is ever disposed of without this command.
    """
    from connector.wiring.disposal import dispose

    async def done(desk: Desk) -> list[Account]:
        said = desk.configuration.settings
        return await dispose(said, desk.store, drafting(desk.person, because))

    gone = at_desk(config, done, operator=operator)
    for one in gone:
        click.echo(f"{one.origin}  entries {one.first} to {one.last}  root {one.root}")
    if not gone:
        click.echo("nothing is past its retention")
