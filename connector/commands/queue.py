"""``connector queue``: what waits in each lane, what blocks it, and what to do about that."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from connector.commands.operating import (
    CONFIG,
    LINK,
    OPERATOR,
    TIME,
    TO,
    Desk,
    Kind,
    at_desk,
    table,
    utc,
)
from connector.errors import ConfigurationError
from connector.pipeline.findings import age, clock

if TYPE_CHECKING:
    from connector.store import Filter, LaneState, Listed, Made

_MOST: Final = 50
_STATES: Final = ("dead", "refused", "queued", "sending", "delivered", "waiting", "translated", "replaced")
_HEAD: Final = ["link", "direction", "lane", "depth", "oldest", "head", "state", "attempts", "next", "why"]
KIND: Final = click.argument("kind", type=click.Choice(["message", "delivery"]))
NUMBER: Final = click.argument("number", type=int)


@click.group(short_help="See what waits, what blocks it, and what to do.")
def command() -> None:
    """What waits in each lane, what blocks it, and what to do about that. Works beside the service."""


@command.command("list")
@CONFIG
@LINK
@TO
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(config: Path, link: str | None, target: str | None, as_json: bool) -> None:
    """List the lanes in which something waits: how much, since when, and what keeps the head.

    Lanes that stopped come first. A lane is named by twelve digits that stand for its patient.
    """
    lanes = at_desk(config, lambda desk: _lanes(desk, link, target), read_only=True)
    if as_json:
        click.echo(json.dumps([_plain(one) for one in lanes], indent=2))
    else:
        click.echo(table(_HEAD, [_row(one) for one in lanes]) if lanes else "nothing waits for delivery")


async def _lanes(desk: Desk, link: str | None, target: str | None) -> list[LaneState]:
    return [one for way in desk.ways(link, target) for one in await desk.store.lanes(*way)]


def _row(one: LaneState) -> list[Any]:
    now = dt.datetime.now(dt.UTC)
    due = clock(one.due_at) if one.due_at and one.due_at > now else "now"
    state = one.blocked or str(one.delivery)
    where = [one.link, one.direction, one.lane, one.depth, age(one.oldest, now)]
    return [*where, one.head, state, one.attempts, due, one.reason]


def _plain(one: Any) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in dataclasses.asdict(one).items()
    }


@command.command()
@CONFIG
@LINK
@TO
def why(config: Path, link: str | None, target: str | None) -> None:
    """Say in plain words what keeps messages back, and the command that helps.

    The exit code is 1 if something needs a person.
    """
    from connector.commands.why import plain, told

    findings = told(config, link, target)
    click.echo("\n\n".join(plain(one) for one in findings))
    if any(one.needs_a_person for one in findings):
        raise SystemExit(1)


@command.command()
@CONFIG
@KIND
@NUMBER
@click.option("--content", "because", metavar="BECAUSE", help="Print what it says, for this audited reason.")
@OPERATOR
def show(config: Path, kind: Kind, number: int, because: str | None, operator: str | None) -> None:
    """Show one message: where it stands, its attempts and lanes; with --content also what it says."""

    async def looked(desk: Desk) -> tuple[str, bytes | None]:
        one = await desk.one(kind, number)
        content = await desk.by(because).content(one) if because is not None else None
        return "\n".join(f"{name:<12}{value}" for name, value in _facts(one)), content

    option = "" if because is None else "--content"
    text, content = at_desk(config, looked, operator=operator, option=option, read_only=not option)
    if content is None:
        click.echo(text)
    else:
        click.echo(text, err=True)
        sys.stdout.buffer.write(content)


def _facts(one: Listed | Made) -> list[tuple[str, Any]]:
    from connector.store import Made

    common = [("link", one.link), ("direction", one.direction), ("kind", one.meta.get("kind", ""))]
    common += [("correlation", one.meta.get("correlation", one.uid)), ("received", clock(one.received_at))]
    if not isinstance(one, Made):
        return [*common, ("state", one.state), ("reason", one.reason), ("lost", ", ".join(one.lost))]
    return [
        *common,
        ("of message", one.inbox_id),
        ("delivery", one.delivery),
        ("answer", one.acknowledgment),
        ("reason", one.reason),
        ("attempts", one.attempts),
        ("next", clock(one.next_attempt_at) if one.next_attempt_at else ""),
        ("delivered", clock(one.delivered_at) if one.delivered_at else ""),
        ("lanes", ", ".join(one.lanes)),
    ]


@command.command()
@CONFIG
@LINK
@TO
@click.option("--state", type=click.Choice(_STATES), default="dead", show_default=True, help="As shown.")
@click.option("--reason", default="", help="The name of its error, such as PartnerRefusedMessage.")
@click.option("--kind", default="", help="Such as ADT^A08.")
@click.option("--since", type=TIME, help="Received at or after this time (UTC).")
@click.option("--until", type=TIME, help="Received before this time (UTC).")
@click.option("--limit", default=_MOST, show_default=True, help="How many of each link and direction.")
@click.option("--mrn", help="Of this patient instead: ID or ID^^^AUTHORITY; - reads it from standard input.")
@click.option("--account", help="Of this account instead.")
@click.option("--accession", help="Of this accession number, or filler order number, instead.")
@click.option("--control-id", help="Of this control id instead.")
@click.option("--because", help="Why, for the audit trail, where it is looked for by one of the last four.")
@OPERATOR
def find(config: Path, limit: int, because: str | None, operator: str | None, **asked: Any) -> None:
    """Find messages by where they stand, or by whom they are about.

    The options about where they stand choose for connector replay, too.
    """
    wanted = {name: asked.pop(name) for name in ("mrn", "account", "accession", "control_id")}
    if any(wanted.values()):
        click.echo("\n".join(_about(config, wanted, because or "", operator, limit)) or "nothing found")
        return

    async def looked(desk: Desk) -> list[str]:
        lines = []
        for by in filters(desk, **asked):
            found = await (desk.store.find_made(by, limit) if by.delivery else desk.store.find(by, limit))
            lines += [_line(one) for one in found]
        return lines

    click.echo("\n".join(at_desk(config, looked, read_only=True)) or "nothing found")


def _about(
    config: Path, wanted: dict[str, str | None], because: str, operator: str | None, limit: int
) -> list[str]:
    from connector.pipeline import about
    from connector.store import Kind

    named = [(Kind[name.upper()], text) for name, text in wanted.items() if text]
    if len(named) != 1:
        raise ConfigurationError("more than one thing is looked for", fix="name one")
    kind, text = named[0]
    text = sys.stdin.readline().strip() if text == "-" else text

    async def looked(desk: Desk) -> list[str]:
        profiles = desk.configuration.profiles
        meant = about.asked(kind, text, [profile.mapping.authorities for profile in profiles])
        taken, made = await desk.by(because).search(meant, limit=limit)
        return [*map(_line, taken), *map(_line, made)]

    return at_desk(config, looked, operator=operator, option=f"--{kind.name.lower().replace('_', '-')}")


def filters(
    desk: Desk,
    *,
    link: str | None,
    target: str | None,
    state: str,
    reason: str = "",
    kind: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> list[Filter]:
    """The filters for each link and direction: of received messages, of made ones, or (dead) of both."""
    from connector.pipeline import asking

    times = {"since": utc(since), "until": utc(until)}
    return asking.filters(desk.ways(link, target), state, reason=reason, kind=kind, **times)


def _line(one: Listed | Made) -> str:
    from connector.store import Made

    kind, at = one.meta.get("kind", ""), clock(one.received_at)
    what = f"delivery {one.id} of message {one.inbox_id}" if isinstance(one, Made) else f"message {one.id}"
    state = one.delivery if isinstance(one, Made) else one.state
    return f"{state}  {what}  {one.link} {one.direction}  {kind}  {at}  {one.reason}".rstrip()
