"""``connector replay``: put messages back into their lanes: one, many, or all dead letters."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from connector.commands.operating import BECAUSE, CONFIG, LINK, OPERATOR, TIME, TO, Desk, Kind, at_desk
from connector.commands.queue import filters
from connector.errors import ConfigurationError

_STATES = ("dead", "refused", "delivered")


@click.command(short_help="Put messages back into their lanes.")
@CONFIG
@LINK
@TO
@click.option("--message", "messages", type=int, multiple=True, help="Translate this one again.")
@click.option("--delivery", "deliveries", type=int, multiple=True, help="Send this one again.")
@click.option("--dead", is_flag=True, help="All dead letters of the links and directions meant.")
@click.option("--state", type=click.Choice(_STATES), help="All that stand there, as queue find shows them.")
@click.option("--reason", default="", help="Of these, those with this error.")
@click.option("--kind", default="", help="Of these, those such as ADT^A08.")
@click.option("--since", type=TIME, help="Of these, those received at or after this time (UTC).")
@click.option("--until", type=TIME, help="Of these, those received before this time (UTC).")
@BECAUSE
@OPERATOR
def command(
    config: Path,
    link: str | None,
    target: str | None,
    messages: tuple[int, ...],
    deliveries: tuple[int, ...],
    dead: bool,
    state: str | None,
    because: str,
    operator: str | None,
    **narrower: Any,
) -> None:
    """Put messages back; "connector queue find" lists them with their numbers.

    The running service takes them up within seconds. What was delivered already goes out under the same
    control id, or to the same resource ids, so a partner knows it again. Every replay is audited.
    """
    _check(messages, deliveries, dead, state, narrower)

    async def put_back(desk: Desk) -> int:
        by, count = desk.by(because), 0
        numbers: list[tuple[Kind, int]] = [("message", one) for one in messages]
        for kind, number in [*numbers, *(("delivery", one) for one in deliveries)]:
            await by.replay(await desk.one(kind, number))
            count += 1
        if dead:
            for way in desk.ways(link, target):
                count += await by.replay_dead(*way)
        if state:
            for one in filters(desk, link=link, target=target, state=state, **narrower):
                count += await by.replay_all(one)
        return count

    click.echo(f"{at_desk(config, put_back, operator=operator)} put back")


def _check(
    messages: tuple[int, ...],
    deliveries: tuple[int, ...],
    dead: bool,
    state: str | None,
    narrower: dict[str, str | dt.datetime | None],
) -> None:
    if not (messages or deliveries or dead or state):
        fix = 'name --message, --delivery, --dead or --state; "connector queue find" lists them'
        raise ConfigurationError("nothing is named to put back", fix=fix)
    if any(narrower.values()) and not state:
        raise ConfigurationError("--reason, --kind, --since and --until go with --state", fix="add --state")
