"""``connector backup``: a copy of the store that may be carried away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from connector.commands.operating import CONFIG, OPERATOR


@click.command(short_help="Write an encrypted copy of the store, while the service runs.")
@CONFIG
@OPERATOR
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
def command(config: Path, operator: str | None, out: Path) -> None:
    """Write the store as it is now to OUT, a new file, encrypted as a whole and read back before it counts.

    The service may run meanwhile. The key-encryption key is not in the file: keep a copy of it, and of
    connector.toml, profiles and certificates, in another place. "connector restore --drill" shows that the
    file would do.
    """
    from connector import settings
    from connector.commands.admitting import admit
    from connector.wiring import backups

    chosen = settings.load(config).settings
    head = asyncio.run(backups.make(chosen, out, admit(chosen, operator).name))
    click.echo(f"{head.size} bytes, {head.entries} audit entries, under key {head.key}")
