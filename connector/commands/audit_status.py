"""``connector audit status``: the shards of the sealed log, and what no checkpoint covers yet."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from connector.commands.operating import CONFIG, OPERATOR, Desk, at_desk, drafting, table

if TYPE_CHECKING:
    from connector.wiring.auditing import Kept

_OUTSIDE: Final = {"witnesses": "cosigned ", "stamps": "stamped  "}


@click.command(short_help="Show the shards, their checkpoints, and what no checkpoint covers yet.")
@CONFIG
@OPERATOR
@click.option("--because", default="", help="Why, for the audit trail; nothing of a patient belongs there.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(config: Path, operator: str | None, because: str, as_json: bool) -> None:
    """Show the shards of the audit log, one a year: how many entries each has and when it was last signed;
    how many entries wait for a checkpoint, and which years are past their retention; and of each feed how
    many entries its repository does not surely have yet.

    That somebody looked is an entry too. The exit code is 1 if the newest checkpoint is not to be believed,
    or entries wait for one longer than they should, or a feed has stopped.
    """
    from connector.wiring import now, vouched
    from connector.wiring.auditing import Kept
    from connector.wiring.feeds import standing

    async def looked(desk: Desk) -> dict[str, Any]:
        draft = drafting(desk.person, because)
        await desk.store.record([draft("audit:viewed", {"what": "status"})])
        chosen = desk.configuration.settings
        feeds = await standing(chosen.audit.feed, desk.store, now())
        kept = Kept.of(chosen)
        outside = vouched.standing(chosen.audit, kept.directory, now())
        return {**_found(kept, chosen.audit.retention_years), "feeds": feeds, **outside}

    found = at_desk(config, looked, operator=operator)
    click.echo(json.dumps(found, indent=2) if as_json else _told(found))
    late = found["late"] or any(found[one] and found[one]["late"] for one in _OUTSIDE)
    if found["trouble"] or late or any(one["stopped"] for one in found["feeds"]):
        raise SystemExit(1)


def _found(kept: Kept, years: int) -> dict[str, Any]:
    from audit.directory import DirectoryRefused
    from audit.following import Table
    from audit.refusals import SealingRefused
    from audit.tip import sealed, tip_of
    from connector.wiring import now
    from connector.wiring.sealing import EVERY

    shards: list[dict[str, Any]] = []
    trouble, last, at = "", 0, now()
    try:
        for shard in sealed(kept.directory):
            tip = tip_of(shard)
            signed = dt.datetime.fromtimestamp((shard.root / "checkpoint").stat().st_mtime, dt.UTC)
            last = tip.last
            shards.append(
                {
                    "origin": tip.head.origin,
                    "first": tip.first,
                    "entries": tip.head.size,
                    "root": tip.head.root.hex(),
                    "signed": f"{signed:%Y-%m-%dT%H:%M:%SZ}",
                    "seconds": max(round((at - signed).total_seconds()), 0),
                    "keys": len(shard.keys()),
                    "past retention": at.year - shard.year > years,
                }
            )
    except (SealingRefused, DirectoryRefused, OSError, ValueError) as error:
        trouble = str(error) if isinstance(error, SealingRefused) else type(error).__name__
    reading = Table(kept.store)
    try:
        waiting = max(reading.last() - last, 0)
    finally:
        reading.close()
    late = waiting > 1 and bool(shards) and shards[-1]["seconds"] > 60 * EVERY  # one: that we looked
    return {
        "directory": str(kept.directory),
        "shards": shards,
        "unsealed": waiting,
        "trouble": trouble,
        "late": late,
    }


def _told(found: dict[str, Any]) -> str:
    head = ["origin", "first", "entries", "signed", "root", ""]
    rows = [
        [
            one["origin"],
            one["first"],
            one["entries"],
            one["signed"],
            one["root"][:16],
            "past its retention: connector audit dispose" if one["past retention"] else "",
        ]
        for one in found["shards"]
    ]
    lines = [f"directory  {found['directory']}", f"unsealed   {found['unsealed']}"]
    if found["trouble"]:
        lines.append(f"TROUBLE    {found['trouble']}")
    if found["late"]:
        lines.append("TROUBLE    entries wait for a checkpoint, and none is signed")
    lines += [_fed(one) for one in found["feeds"]]
    lines += [_vouched(what, found[name]) for name, what in _OUTSIDE.items() if found[name]]
    return "\n".join([*lines, "", table(head, rows)] if rows else [*lines, "no checkpoint yet"])


def _vouched(what: str, one: dict[str, Any]) -> str:
    """``cosigned   48211 entries, 2026-11-23T09:00:00Z; by first.example/w, other.example/w``."""
    late = "; TROUBLE: too long ago" if one["late"] else ""
    by = [name for name, at in one.get("by", {}).items() if at]
    who = f"; by {', '.join(by)}" if by else ""
    return f"{what}  {one['entries']} entries, {one['at'] or 'never'}{who}; {one['behind']} since{late}"


def _fed(one: dict[str, Any]) -> str:
    """``feed arr  12 entries wait, the oldest for 3 s``."""
    if not one["begun"]:
        said = "begins with the next start of the service"
    elif one["waiting"]:
        said = f"{one['waiting']} entries wait, the oldest for {one['seconds']} s"
    else:
        said = "has everything"
    stopped = f"; STOPPED since {one['since']}: {one['stopped']}" if one["stopped"] else ""
    return f"feed {one['feed']}  {said}{stopped}"
