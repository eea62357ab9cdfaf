"""``connector authorization``: the keys that sign the access tokens of our own token endpoint."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, Desk, at_desk, table
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from connector.profile.authorization import Authorization
    from connector.settings import Settings


@click.group(short_help="See and change the keys that sign our access tokens.")
def command() -> None:
    """The keys that sign the access tokens of our own token endpoint, [authorization] in the settings."""


@command.command(short_help="List the keys.")
@CONFIG
def keys(config: Path) -> None:
    """List the keys: which signs, and until when the tokens of older ones count."""
    from connector import settings
    from connector.commands.admitting import admit
    from connector.edges.authorization_keys import read

    chosen = settings.load(config).settings
    admit(chosen, None)
    found = read(_chosen(chosen).keys)
    rows = [[one.kid, _shown(one.made_at), _shown(one.ends_at) if one.ends_at else "signs"] for one in found]
    click.echo(table(["KEY", "MADE", "UNTIL"], rows))


@command.command(short_help="Make a new key that signs; tokens of the old one go on to count.")
@CONFIG
@click.option("--alone", is_flag=True, help="Forget all other keys: their tokens count no more.")
@BECAUSE
@OPERATOR
def rotate(config: Path, alone: bool, because: str, operator: str | None) -> None:
    """Make a new key that signs from now on, the first one too. Tokens that are out go on to count until they
    end, and the running service takes the new key with the next request. Audited before it takes effect.

    --alone: for a key that others may have seen. Clients ask for new tokens.
    """
    from connector.edges.authorization_keys import Rotation
    from connector.pipeline.entries import instant
    from connector.pipeline.ports import Entry
    from connector.wiring import now

    async def rotated(desk: Desk) -> str:
        chosen = _chosen(desk.configuration.settings)
        made = Rotation(chosen.keys, int(time.time()), chosen.token_seconds, alone=alone)
        try:
            by = desk.by(because)
            what = {"signs": "authorization", "kid": made.kid, "before": made.before, "ended": made.ended}
            what |= {"because": by.because}
            actor = desk.person.actor
            await desk.store.record([Entry(instant(now()), "keys:rotated", actor, what, "success", "", "")])
            made.take_effect()
        finally:
            made.give_up()
        return made.kid

    click.echo(f"{at_desk(config, rotated, operator=operator)} signs")


def _chosen(settings: Settings) -> Authorization:
    if settings.authorization is None:
        raise ConfigurationError("there is no token endpoint of our own", fix="add [authorization]")
    return settings.authorization


def _shown(at: int) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%d %H:%M:%S}Z"
