"""``connector keys``: the key-encryption key, what it wraps, and changing it while the service runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, Desk, at_desk, drafting, table
from connector.errors import KeyUnavailable

if TYPE_CHECKING:
    from connector.store.rotating import Fault, Keys


@click.group(short_help="See, change and check the keys of the store.")
def command() -> None:
    """The keys of the store: see them, change the key-encryption key, check that everything opens.

    Works beside the running service.
    """


@command.command()
@CONFIG
def status(config: Path) -> None:
    """Show the key-encryption keys and how many keys each of them wraps.

    One that wraps nothing may be taken away, as far as this store goes: backups may need it still.
    """
    found = at_desk(config, lambda desk: desk.store.keys(), read_only=True)
    click.echo(table(["provider", "key", "since", "wraps", "state"], _rows(found)))
    click.echo(f"\n{found.days} keys of partners and days, {found.destroyed} of them destroyed,", nl=False)
    click.echo(f" the busiest used {found.most_uses} times")


def _rows(found: Keys) -> list[list[Any]]:
    last = found.keks[-1].row
    return [
        [one.provider, one.key_id, f"{one.since:%Y-%m-%d %H:%M}Z" if one.since else "", one.wraps, state]
        for one in found.keks
        for state in ["current" if one.row == last else "needed" if one.wraps else "wraps nothing"]
    ]


@command.command()
@CONFIG
@BECAUSE
@OPERATOR
def rotate(config: Path, because: str, operator: str | None) -> None:
    """Make a new key-encryption key and let it wrap everything, without touching any record.

    The old one stays where it is until nothing needs it: see "connector keys status" and
    "connector keys rewrap --forget". Broken off, "connector keys rewrap" goes on.
    """

    async def rotated(desk: Desk) -> tuple[str, int]:
        draft = drafting(desk.person, because)
        key_id = await desk.store.rotate_keys(draft)
        return key_id, await desk.store.rewrap(draft)

    key_id, count = at_desk(config, rotated, operator=operator)
    click.echo(f"{key_id} is the current key-encryption key and wraps {count} keys")


@command.command()
@CONFIG
@click.option("--forget", is_flag=True, help="Take old keys that wrap nothing out of the key file.")
@BECAUSE
@OPERATOR
def rewrap(config: Path, forget: bool, because: str, operator: str | None) -> None:
    """Let the current key-encryption key wrap all that others wrap: after a change elsewhere, or half of one.

    --forget: a backup that was made under a forgotten key cannot be read any more.
    """

    async def rewrapped(desk: Desk) -> tuple[int, list[str]]:
        draft = drafting(desk.person, because)
        count = await desk.store.rewrap(draft)
        return count, await desk.store.forget_keys(draft) if forget else []

    count, gone = at_desk(config, rewrapped, operator=operator)
    click.echo("\n".join([f"{count} keys wrapped anew", *(f"{key_id} forgotten" for key_id in gone)]))


@command.command()
@CONFIG
@click.option("--records", is_flag=True, help="The data key of every record as well.")
@OPERATOR
def verify(config: Path, records: bool, operator: str | None) -> None:
    """Open every key with the one that wraps it. The exit code is 1 if one does not open."""

    async def verified(desk: Desk) -> tuple[int, list[Fault]]:
        return await desk.store.verify_keys(drafting(desk.person, ""), records=records)

    count, faults = at_desk(config, verified, operator=operator)
    for fault in faults:
        click.echo(f"{fault.what}: {fault.error}")
    if faults:
        raise KeyUnavailable(f"{len(faults)} of {count} keys do not open", fix="restore them from a backup")
    click.echo(f"all {count} keys open")
