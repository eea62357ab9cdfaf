"""``connector edit``: a corrected copy in the place of a message that nobody takes."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, Desk, Kind, at_desk
from connector.commands.queue import KIND, NUMBER


@click.command(short_help="Put a corrected copy in the place of a dead letter.")
@CONFIG
@KIND
@NUMBER
@click.option("--file", "source", type=click.File("rb"), required=True, help='The copy; "-": stdin.')
@BECAUSE
@OPERATOR
def command(
    config: Path, kind: Kind, number: int, source: BinaryIO, because: str, operator: str | None
) -> None:
    """Put a corrected copy in the place of a dead letter, or of a refused message that stops its lanes.

    "connector queue show" with --content gives what it says now. The copy of a received message is translated
    at the end of the queue; that of a made one goes out in the place that the original had. The original is
    kept, and who corrected it and why is audited.
    """
    payload = source.read()

    async def corrected(desk: Desk) -> str:
        one = await desk.one(kind, number)
        charset = desk.profile(one.link).v2.charset or None
        new = await desk.by(because).correct(one, payload, charset)
        return f"{'message' if kind == 'message' else 'the original is kept as delivery'} {new}"

    click.echo(at_desk(config, corrected, operator=operator))
