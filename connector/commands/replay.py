"""``connector replay``: put a dead letter, or what was delivered, back into its lane."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.status import CONFIG
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from connector.pipeline.replay import Replay


@click.command(short_help="Put a dead letter, or what was delivered, back into its lane.")
@CONFIG
@click.option("--link", required=True, help="The link, by the name in its profile.")
@click.option("--to", "target", type=click.Choice(["fhir", "v2"]), required=True, help="Its direction.")
@click.option("--message", "messages", type=int, multiple=True, help="Translate this one again.")
@click.option("--delivery", "deliveries", type=int, multiple=True, help="Send this one again.")
@click.option("--dead", is_flag=True, help="All dead letters of the lane.")
@click.option("--as", "operator", help="Who does it, for the audit trail; the user's name if left out.")
def command(
    config: Path,
    link: str,
    target: str,
    messages: tuple[int, ...],
    deliveries: tuple[int, ...],
    dead: bool,
    operator: str | None,
) -> None:
    """Put messages back. "connector status --dead" lists the dead letters with their numbers.

    The running service takes them up within seconds. What was delivered already goes out under the same
    control id, or to the same resource ids, so a partner knows it again. Every replay is audited.
    """
    if not (messages or deliveries or dead):
        raise ConfigurationError("nothing is named", fix="give --message, --delivery or --dead")

    async def all_back(replay: Replay) -> int:
        for number in messages:
            await replay.message(number)
        for number in deliveries:
            await replay.delivery(number)
        return len(messages) + len(deliveries) + (await replay.dead() if dead else 0)

    by = operator or getpass.getuser()
    click.echo(f"{asyncio.run(_replayed(config, link, f'to_{target}', by, all_back))} put back")


async def _replayed(
    config: Path, link: str, direction: str, operator: str, work: Callable[[Replay], Awaitable[int]]
) -> int:
    from connector import app, settings
    from connector.pipeline.replay import Replay
    from connector.store import Direction

    configuration = settings.load(config)
    if link not in {profile.name for profile in configuration.profiles}:
        names = ", ".join(profile.name for profile in configuration.profiles)
        raise ConfigurationError("there is no such link", fix=f"one of {names}")
    store = app.open_store(configuration.settings)
    try:
        return await work(Replay(store, app.now, link, Direction(direction), operator))
    finally:
        await store.close()
