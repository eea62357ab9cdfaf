"""``connector status``: what was received, delivered and what waits, read beside the running service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.commands.operating import CONFIG, Desk, at_desk

if TYPE_CHECKING:
    from connector.commands.health import Facts
    from connector.settings import Settings
    from connector.store import Counts, Direction, Listed, OutboxItem, Store

_COLUMNS = (
    "received", "delivered", "waiting_translation", "waiting_delivery", "dead", "duplicates", "refused",
    "quarantined",
)  # fmt: skip


@click.command(short_help="Show what was received, delivered and what waits.")
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option(
    "--dead", "with_dead", is_flag=True, help="List the dead letters with their numbers, for replay."
)
def command(config: Path, as_json: bool, with_dead: bool) -> None:
    """Show the counts of every link and direction, and whether the service is ready.

    received = delivered + waiting + dead; refused and duplicate messages stand beside. Works beside the
    running service and shows nothing of any message's content. The exit code is 1 if the counts do not
    reconcile or the service is not ready.
    """
    from connector.commands.health import facts

    async def looked(desk: Desk) -> tuple[Settings, Mapping[tuple[str, Direction], Counts], list[str]]:
        store = desk.store
        counts = await store.counts()
        letters = [line for lane in counts for line in await dead_letters(store, *lane)] if with_dead else []
        return desk.configuration.settings, counts, letters

    chosen, counts, letters = at_desk(config, looked, read_only=True)
    known = facts(chosen)
    if as_json:
        click.echo(_json(counts, known, letters if with_dead else None))
    else:
        click.echo("\n".join([_table(counts), "", *_told(known), *letters]))
    if not (
        all(one.reconciled for one in counts.values()) and all(state is True for state in known.values())
    ):
        raise SystemExit(1)


def _told(known: Facts) -> list[str]:
    width = max(map(len, known))
    return [f"{name.ljust(width)}  {'ready' if state is True else state}" for name, state in known.items()]


def _table(counts: Mapping[tuple[str, Direction], Counts]) -> str:
    head = ["link", "direction", *(name.replace("_", " ") for name in _COLUMNS)]
    rows = [
        [link, str(direction), *(str(getattr(one, name)) for name in _COLUMNS)]
        for (link, direction), one in sorted(counts.items())
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in [head, *rows])
    return "\n".join(line.rstrip() for line in lines)


def _json(counts: Mapping[tuple[str, Direction], Counts], known: Facts, letters: list[str] | None) -> str:
    import json

    links: list[dict[str, Any]] = [
        {
            "link": link,
            "direction": str(direction),
            "reconciled": one.reconciled,
            **{name: getattr(one, name) for name in _COLUMNS},
        }
        for (link, direction), one in sorted(counts.items())
    ]
    dead = {} if letters is None else {"dead": letters}
    return json.dumps(
        {"ready": all(state is True for state in known.values()), "parts": known, "links": links, **dead},
        indent=2,
    )


async def dead_letters(store: Store, link: str, direction: Direction) -> list[str]:
    """A line for each dead letter of a lane, the oldest first; nothing of its content."""
    received, made = await store.dead_letters(link, direction)
    return [_received(link, one) for one in received] + [_made(link, direction, one) for one in made]


def _received(link: str, one: Listed) -> str:
    kind = one.meta.get("kind", "")
    at = f"{one.received_at:%Y-%m-%d %H:%M:%S}Z"
    return f"dead  message {one.id}  {link} {one.direction}  {kind}  {at}  {one.reason}"


def _made(link: str, direction: Direction, one: OutboxItem) -> str:
    kind = one.meta.get("kind", "")
    return f"dead  delivery {one.id}  {link} {direction}  {kind}  of message {one.inbox_id}"
