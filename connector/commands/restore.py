"""``connector restore``: the store out of a backup, or only a drill of that."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.operating import CONFIG, OPERATOR

if TYPE_CHECKING:
    from connector.wiring.backups import Drill


@click.command(short_help="Restore the store from a backup, or try whether it would work.")
@CONFIG
@OPERATOR
@click.option("--drill", is_flag=True, help="Restore beside the store, look through it, throw it away.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(config: Path, operator: str | None, drill: bool, file: Path) -> None:
    """Put the backup FILE in the place of the store, where there is none.

    Nothing is written over: move a damaged store away first, with its -wal and -shm files, and leave its
    audit directory where it is: what was signed there since is put back into the audit log, which goes on
    where it was. Database and audit log are checked before anything is in its place. What waited for delivery
    when the backup was made is delivered (again: that changes nothing at a partner); what was taken after it
    is not in it, so ask partners to send again what they sent since.
    """
    from connector import settings
    from connector.commands.admitting import admit
    from connector.wiring import backups

    chosen = settings.load(config).settings
    who = admit(chosen, operator).name
    if drill:
        found = asyncio.run(backups.drill(chosen, file, who))
        click.echo(_told(found))
        if not found.reconciled:
            raise SystemExit(1)
        return
    head, back = asyncio.run(backups.restore(chosen, file, who))
    click.echo(f"restored as it was at {head.made}, with {head.entries} audit entries")
    if back:
        click.echo(f"{back} audit entries that had been signed since were put back")


def _told(found: Drill) -> str:
    lines = (
        f"made        {found.head.made}, under key {found.head.key}",
        f"database    {found.head.size} bytes, whole",
        f"audit log   {found.head.entries} entries, as written; {found.put_back} signed since put back",
        f"messages    {found.received} received, {found.waiting} waiting; {found.seen} opened and readable",
        "counts      reconcile" if found.reconciled else "counts      do NOT reconcile",
    )
    return "\n".join(lines)
