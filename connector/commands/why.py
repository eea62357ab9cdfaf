"""Why messages do not move, in plain words, and what helps: for the operator at three in the morning."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from connector import errors
from connector.commands.operating import Desk, age, at_desk, clock

if TYPE_CHECKING:
    from connector.commands.health import Facts
    from connector.store import Counts, LaneState, Paused

_MANY: Final = 5  # lanes told one by one


class Finding(NamedTuple):
    """One thing that keeps messages back."""

    text: str
    needs_a_person: bool


def told(config: Path, link: str | None, target: str | None) -> list[Finding]:
    """What was found for the links and directions that are meant; at least one finding."""
    from connector import settings
    from connector.commands.health import facts

    known = facts(settings.load(config).settings)
    return at_desk(config, lambda desk: _looked(desk, known, link, target), read_only=True)


async def _looked(desk: Desk, known: Facts, link: str | None, target: str | None) -> list[Finding]:
    ways = desk.ways(link, target)
    counts = await desk.store.counts()
    found = [*_service(known)]
    found += [_paused(one) for one in await desk.store.pauses() if one.link in {name for name, _ in ways}]
    for way in ways:
        name = f"{way[0]} {way[1]}"
        state = known.get(name, True)
        lanes = await desk.store.lanes(*way)
        if isinstance(state, str):
            found.append(_held(name, state))
        found += _stopped([one for one in lanes if one.blocked == "stopped"])
        found += _failing(name, [one for one in lanes if not one.blocked and one.reason])
        if way in counts:
            found += _letters(name, counts[way])
    waits = sum(one.waiting_translation + one.waiting_delivery for way, one in counts.items() if way in ways)
    return found or [Finding(f"nothing is blocked; {waits} on their way", False)]


def _service(known: Facts) -> list[Finding]:
    found = []
    for name in ("service", "tls mllp", "tls https"):
        state = known.get(name, True)
        if state is not True and state != "not ready":
            helps = "start it: connector serve" if name == "service" else "connector status shows all parts"
            found.append(Finding(f"{name}: {state}\n  {helps}", True))
    return found


def _paused(one: Paused) -> Finding:
    what = "its intake is closed" if one.intake else f"{one.direction or 'both directions'} paused"
    way = f" --to {str(one.direction).removeprefix('to_')}" if one.direction else ""
    way = " --intake" if one.intake else way
    text = f"{one.link}: {what} by {one.by} at {clock(one.at)}: {one.reason}"
    return Finding(f"{text}\n  connector resume {one.link}{way} --because ...", True)


def _held(name: str, reason: str) -> Finding:
    text = f"{name}: nothing is sent: {reason}{_meaning(reason)}"
    return Finding(f"{text}\n  mend it, then tell the service to go on: kill -HUP", True)


def _stopped(lanes: list[LaneState]) -> list[Finding]:
    found = []
    for one in lanes[:_MANY]:
        text = (
            f"{one.link} {one.direction}: lane {one.lane} is stopped by delivery {one.head}, "
            f"{one.depth - 1} wait behind it: {one.reason}{_meaning(one.reason)}"
        )
        helps = (
            f"connector queue show delivery {one.head}\n"
            f"  then one of: connector replay --delivery {one.head} --because ...   (send it again)\n"
            f"               connector edit delivery {one.head} --file ... --because ...   (correct it)\n"
            f"               connector skip {one.head} --because ...   (a dead letter; the lane goes on)"
        )
        found.append(Finding(f"{text}\n  {helps}", True))
    if len(lanes) > _MANY:
        found.append(Finding(f"... and {len(lanes) - _MANY} more stopped lanes: connector queue list", True))
    return found


def _failing(name: str, lanes: list[LaneState]) -> list[Finding]:
    """Lanes that try again by themselves, put together by what keeps them."""
    now = dt.datetime.now(dt.UTC)
    found = []
    for reason in dict.fromkeys(one.reason for one in lanes):
        same = [one for one in lanes if one.reason == reason]
        depth, oldest = sum(one.depth for one in same), min(one.oldest for one in same)
        again = min((one.due_at for one in same if one.due_at), default=None)
        when = f", again at {clock(again)}" if again and again > now else ""
        text = (
            f"{name}: {depth} wait, the oldest for {age(oldest, now)}, after "
            f"{max(one.attempts for one in same)} attempts{when}: {reason}{_meaning(reason)}"
        )
        found.append(Finding(f"{text}\n  it is tried again by itself; look at the partner", False))
    return found


def _letters(name: str, counts: Counts) -> list[Finding]:
    if not counts.dead:
        return []
    text = f"{name}: {counts.dead} dead letters"
    helps = "connector queue find --state dead, then connector replay or connector edit"
    return [Finding(f"{text}\n  {helps}", True)]


def _meaning(reason: str) -> str:
    """The first line of what an error means."""
    kind = getattr(errors, reason, None)
    said = (getattr(kind, "__doc__", None) or "").strip().splitlines()
    return f" ({said[0].rstrip('.')})" if said and isinstance(kind, type) else ""
