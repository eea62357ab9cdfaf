"""Why messages do not move, in plain words, and what helps: for the operator at three in the morning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from connector import errors
from connector.pipeline import refusals

if TYPE_CHECKING:
    from connector.store import Broken, Counts, Direction, LaneState, Paused, Store

Kind = Literal[
    "service", "held", "paused", "waits", "stopped", "failing", "letters", "refused", "emergency", "nothing"
]

_MANY: Final = 5  # lanes told one by one
_LATELY: Final = dt.timedelta(hours=1)
_CONDITIONS: Final = {
    "window": ("it waits for its window", "[delivery.windows] in the profile says when it opens"),
    "open": ("the partner did not answer several times, so only a probe goes out now and then",
             "it is tried again by itself; look at the partner"),
    "half-open": ("one probe is on its way to the partner", "all goes on as soon as the probe gets through"),
}  # fmt: skip


class Finding(NamedTuple):
    """One thing that keeps messages back: what, what helps, and where it is, as far as it has a place."""

    kind: Kind
    text: str
    helps: str
    needs_a_person: bool
    link: str = ""
    direction: str = ""
    delivery: int = 0  # the one that stops its lane


async def look(
    store: Store,
    ways: Sequence[tuple[str, Direction]],
    known: Mapping[str, bool | str],
    now: dt.datetime,
    conditions: Mapping[str, str] | None = None,
) -> list[Finding]:
    """What was found for links and directions; at least one finding.

    ``known``: True, or why not, of the service's parts by name (``demo to_fhir``); ``conditions``: what the
    running service holds back on purpose or for a while (``Supervisor.conditions``).
    """
    counts = await store.counts()
    broken = [_emergency(one) for one in await store.emergencies(now)]
    found = [*_service(known), *_refused(await refusals.look(store, now - _LATELY))]
    found += [_paused(one) for one in await store.pauses() if _meant(one, ways)]
    for way in ways:
        name = f"{way[0]} {way[1]}"
        state = known.get(name, True)
        lanes = await store.lanes(*way)
        if isinstance(state, str):
            found.append(_held(way, state))
        if lanes and (said := _CONDITIONS.get((conditions or {}).get(name, ""))):
            found.append(Finding("waits", f"{name}: {said[0]}", said[1], False, *_place(way)))
        found += _stopped([one for one in lanes if one.blocked == "stopped"])
        found += _failing(way, [one for one in lanes if not one.blocked and one.reason], now)
        if way in counts:
            found += _letters(way, counts[way])
    waits = sum(one.waiting for way, one in counts.items() if way in ways)
    nothing = Finding("nothing", f"nothing is blocked; {waits} on their way", "", False)
    return [*broken, *(found or [nothing])]


def _refused(lately: Sequence[refusals.Refusal]) -> list[Finding]:
    """Those that came most often; nobody else learns why."""
    often = sorted(lately, key=lambda one: one.times, reverse=True)[:_MANY]
    helps = "connector tls refused shows all"
    return [
        Finding("refused", f"not let in: {one.text}", f"{one.helps}\n  {helps}".lstrip(), one.of_a_partner)
        for one in often
    ]


def _meant(one: Paused, ways: Sequence[tuple[str, Direction]]) -> bool:
    return any(one.link == link and one.direction in (None, direction) for link, direction in ways)


def _place(way: tuple[str, Direction]) -> tuple[str, str]:
    return way[0], str(way[1])


def _service(known: Mapping[str, bool | str]) -> list[Finding]:
    found = []
    for name in ("service", "tls mllp", "tls https"):
        state = known.get(name, True)
        if state is not True and state != "not ready":
            helps = "start it: connector serve" if name == "service" else "connector status shows all parts"
            found.append(Finding("service", f"{name}: {state}", helps, True))
    return found


def _emergency(one: Broken) -> Finding:
    who = f"{one.name} ({one.realm})"
    text = f"{who} broke the glass at {clock(one.since)}, until {clock(one.until)}: {one.reason}"
    return Finding("emergency", text, "it ends by itself, or by connector break-glass --end", False)


def _paused(one: Paused) -> Finding:
    what = "its intake is closed" if one.intake else f"{one.direction or 'both directions'} paused"
    way = f" --to {str(one.direction).removeprefix('to_')}" if one.direction else ""
    way = " --intake" if one.intake else way
    text = f"{one.link}: {what} by {one.by} at {clock(one.at)}: {one.reason}"
    helps = f"connector resume {one.link}{way} --because ..."
    return Finding("paused", text, helps, True, one.link, str(one.direction or ""))


def _held(way: tuple[str, Direction], reason: str) -> Finding:
    text = f"{way[0]} {way[1]}: nothing is sent: {reason}{_meaning(reason)}"
    return Finding("held", text, "mend it, then tell the service to go on: kill -HUP", True, *_place(way))


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
        found.append(Finding("stopped", text, helps, True, one.link, str(one.direction), one.head))
    if len(lanes) > _MANY:
        text, place = f"... and {len(lanes) - _MANY} more stopped lanes", (lanes[0].link, lanes[0].direction)
        found.append(Finding("stopped", text, "connector queue list", True, *_place(place)))
    return found


def _failing(way: tuple[str, Direction], lanes: list[LaneState], now: dt.datetime) -> list[Finding]:
    """Lanes that try again by themselves, put together by what keeps them."""
    found = []
    for reason in dict.fromkeys(one.reason for one in lanes):
        same = [one for one in lanes if one.reason == reason]
        depth, oldest = sum(one.depth for one in same), min(one.oldest for one in same)
        again = min((one.due_at for one in same if one.due_at), default=None)
        when = f", again at {clock(again)}" if again and again > now else ""
        text = (
            f"{way[0]} {way[1]}: {depth} wait, the oldest for {age(oldest, now)}, after "
            f"{max(one.attempts for one in same)} attempts{when}: {reason}{_meaning(reason)}"
        )
        helps = "it is tried again by itself; look at the partner"
        found.append(Finding("failing", text, helps, False, *_place(way)))
    return found


def _letters(way: tuple[str, Direction], counts: Counts) -> list[Finding]:
    if not counts.dead:
        return []
    text = f"{way[0]} {way[1]}: {counts.dead} dead letters"
    helps = "connector queue find --state dead, then connector replay or connector edit"
    return [Finding("letters", text, helps, True, *_place(way))]


def _meaning(reason: str) -> str:
    """The first line of what an error means."""
    kind = getattr(errors, reason, None)
    said = (getattr(kind, "__doc__", None) or "").strip().splitlines()
    return f" ({said[0].rstrip('.')})" if said and isinstance(kind, type) else ""


def age(since: dt.datetime, now: dt.datetime) -> str:
    """``45 s``, ``12 min``, ``3 h``, ``2 d``."""
    seconds = max(int((now - since).total_seconds()), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def clock(at: dt.datetime) -> str:
    """``2026-11-23 10:15:00Z``."""
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
