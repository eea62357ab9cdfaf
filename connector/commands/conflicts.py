"""``connector conflicts``: what both sides changed at once: what lost, and what waits for a decision."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.operating import BECAUSE, CONFIG, LINK, OPERATOR, Desk, at_desk
from connector.errors import ConfigurationError
from connector.pipeline.findings import clock

if TYPE_CHECKING:
    from connector.store import Clash

NUMBER = click.argument("number", type=int)
_STATES = ("held", "lost", "v2", "fhir")


@click.group(short_help="See and decide what both sides changed at once.")
def command() -> None:
    """What both sides changed at once: what lost by the profile's authorities, and what a person decides."""


@command.command("list")
@CONFIG
@LINK
@click.option("--state", type=click.Choice(_STATES), default="held", show_default=True, help="As shown.")
def list_(config: Path, link: str | None, state: str) -> None:
    """List conflicts: those that are held, that lost, or that were decided for one side; no content."""

    async def looked(desk: Desk) -> list[str]:
        names = dict.fromkeys(name for name, _ in desk.ways(link, None))
        return [_line(one) for name in names for one in await desk.store.clashes(name, state)]

    click.echo("\n".join(at_desk(config, looked, read_only=True)) or "no conflicts")


def _line(one: Clash) -> str:
    kind = one.resource.partition("/")[0]
    return f"{one.state}  conflict {one.id}  {one.link}  {one.path} of a {kind}  {clock(one.at)}"


@command.command()
@CONFIG
@NUMBER
@BECAUSE
@OPERATOR
def show(config: Path, number: int, because: str, operator: str | None) -> None:
    """Print what both sides say of the field, as JSON, for this audited reason."""

    async def looked(desk: Desk) -> bytes:
        return await desk.by(because).sides(await _one(desk, number))

    sys.stdout.buffer.write(at_desk(config, looked, operator=operator) + b"\n")


@command.command()
@CONFIG
@NUMBER
@click.argument("winner", type=click.Choice(["v2", "fhir"]))
@BECAUSE
@OPERATOR
def take(config: Path, number: int, winner: str, because: str, operator: str | None) -> None:
    """Say whose change stands in a conflict that is held; then replay the message that it held."""

    async def decided(desk: Desk) -> None:
        one = await _one(desk, number)
        if one.state != "held":
            raise ConfigurationError(f"conflict {number} is not held", fix='see "connector conflicts list"')
        await desk.by(because).decide(one, "v2" if winner == "v2" else "fhir")

    at_desk(config, decided, operator=operator)
    click.echo('decided; "connector queue why" shows the message to replay')


async def _one(desk: Desk, number: int) -> Clash:
    found = await desk.store.one_clash(number)
    if found is None:
        raise ConfigurationError(f"there is no conflict {number}", fix='see "connector conflicts list"')
    return found
