"""``connector audit compare``: whether a message is the one that the audit log committed to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, Desk, Kind, at_desk
from connector.commands.queue import KIND, NUMBER

if TYPE_CHECKING:
    from connector.store.committing import Said


@click.command(short_help="See whether a message is the one that the log committed to.")
@CONFIG
@KIND
@NUMBER
@BECAUSE
@OPERATOR
def command(config: Path, kind: Kind, number: int, because: str, operator: str | None) -> None:
    """Compute the commitment to what a message says now, and compare it with those in the audit log.

    A commitment is made when a message is taken, made or corrected, under a salt that dies with the key of
    its record: it proves that a record is the one of then, and after "connector erase" nothing matches.
    Nothing of the message is shown. The exit code is 1 unless the latest entry about it commits to it.
    """

    async def compared(desk: Desk) -> list[Said]:
        return await desk.by(because).compare(await desk.one(kind, number))

    found = at_desk(config, compared, operator=operator)
    for one in found:
        click.echo(f"entry {one.seq}  {one.time}  {one.tag}  {'the same' if one.same else 'ANOTHER CONTENT'}")
    if not found:
        click.echo("no entry commits to it: it is older than commitments are, or one of very many at once")
    if not (found and found[-1].same):
        raise SystemExit(1)
