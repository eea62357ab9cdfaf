"""``connector serve``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "--config",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The service's settings, connector.toml.",
)
def command(config: Path) -> None:
    """Run the connector until SIGTERM or Ctrl-C; then finish what is in hand.

    A lane whose partner does not let us in waits for a person, and /health/ready names it; SIGHUP says that
    it is mended.
    """
    from connector import app

    sys.exit(asyncio.run(app.serve(config)))
