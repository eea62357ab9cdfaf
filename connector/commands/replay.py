"""``connector replay``: put a dead letter, or what was delivered, back into its lane."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from connector.commands.status import CONFIG, dead_letters
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from connector.settings import Configuration
    from connector.store import Direction, Store

_MOST = 10_000  # dead letters of a lane that are looked through


class Asked(NamedTuple):
    """What is to be put back; without a link and a direction, they are those of the dead letter."""

    link: str | None
    target: str | None
    messages: tuple[int, ...]
    deliveries: tuple[int, ...]
    dead: bool
    operator: str


@click.command(short_help="Put a dead letter, or what was delivered, back into its lane.")
@CONFIG
@click.option("--link", help="The link, by the name in its profile; needed for what is no dead letter.")
@click.option("--to", "target", type=click.Choice(["fhir", "v2"]), help="Its direction, as --link.")
@click.option("--message", "messages", type=int, multiple=True, help="Translate this one again.")
@click.option("--delivery", "deliveries", type=int, multiple=True, help="Send this one again.")
@click.option("--dead", is_flag=True, help="All dead letters (of the lane, if one is named).")
@click.option("--as", "operator", help="Who does it, for the audit trail; the user's name if left out.")
def command(
    config: Path,
    link: str | None,
    target: str | None,
    messages: tuple[int, ...],
    deliveries: tuple[int, ...],
    dead: bool,
    operator: str | None,
) -> None:
    """Put messages back; without any of them named, list the dead letters with their numbers.

    The running service takes them up within seconds. What was delivered already goes out under the same
    control id, or to the same resource ids, so a partner knows it again. Every replay is audited.
    """
    asked = Asked(link, target, messages, deliveries, dead, operator or getpass.getuser())
    click.echo(asyncio.run(_answered(config, asked)))


async def _answered(config: Path, asked: Asked) -> str:
    from connector import app, settings

    configuration = settings.load(config)
    _check(configuration, asked)
    listing = not (asked.messages or asked.deliveries or asked.dead)
    store = app.open_store(configuration.settings, read_only=listing)
    try:
        if listing:
            return await _listed(store, configuration, asked)
        return f"{await _put_back(store, configuration, asked)} put back"
    finally:
        await store.close()


def _check(configuration: Configuration, asked: Asked) -> None:
    names = [profile.name for profile in configuration.profiles]
    if asked.link is not None and asked.link not in names:
        raise ConfigurationError("there is no such link", fix=f"one of {', '.join(names)}")


def _lanes(configuration: Configuration, asked: Asked) -> list[tuple[str, Direction]]:
    from connector.store import Direction

    return [
        (profile.name, Direction(name))
        for profile in configuration.profiles
        for name in profile.directions
        if asked.link in (None, profile.name) and (asked.target is None or name == f"to_{asked.target}")
    ]


async def _listed(store: Store, configuration: Configuration, asked: Asked) -> str:
    lanes = _lanes(configuration, asked)
    found = [line for link, direction in lanes for line in await dead_letters(store, link, direction)]
    return "\n".join(found) or "no dead letters"


async def _put_back(store: Store, configuration: Configuration, asked: Asked) -> int:
    from connector import app
    from connector.pipeline.replay import Replay

    lanes = _lanes(configuration, asked)
    count = 0
    for kind, numbers in (("message", asked.messages), ("delivery", asked.deliveries)):
        for number in numbers:
            link, direction = lanes[0] if len(lanes) == 1 else await _lane(store, lanes, kind, number)
            replay = Replay(store, app.now, link, direction, asked.operator)
            await (replay.message if kind == "message" else replay.delivery)(number)
            count += 1
    if asked.dead:
        for link, direction in lanes:
            count += await Replay(store, app.now, link, direction, asked.operator).dead()
    return count


async def _lane(
    store: Store, lanes: list[tuple[str, Direction]], kind: str, number: int
) -> tuple[str, Direction]:
    """The lane of a dead letter."""
    for link, direction in lanes:
        received, made = await store.dead_letters(link, direction, _MOST)
        if number in {one.id for one in (received if kind == "message" else made)}:
            return link, direction
    raise ConfigurationError(
        f"there is no dead letter {kind} {number}",
        fix="name its lane with --link and --to, if it is delivered",
    )
