"""What operators do over HTTPS: each is one act of an ``Operator``, audited with who did it and why."""

from __future__ import annotations

from connector.edges import operator_asks as asks
from connector.edges.operator_desk import Asked, Desk, Json
from connector.errors import MovedOn, NothingThere, OperatorError
from connector.pipeline import asking
from connector.pipeline.operate import Operator
from connector.store import Direction, Filter, Listed, Made


async def replay(desk: Desk, asked: Asked) -> Json:
    """Put messages back into their lanes; ``more``: as many as are put back at once were there."""
    what: asks.Replay = asked.what
    _one_way_of_naming(what)
    by, count = asked.by(what.because), 0
    if what.messages or what.deliveries:
        return await _numbered(desk, by, what)
    for way in desk.ways(what.link, what.to):
        if what.dead:
            count += await by.replay_dead(*way, what.limit - count)
        else:
            for one in _filters(way, what):
                count += await by.replay_all(one, what.limit - count)
    return {"replayed": count, "more": count == what.limit}


def _filters(way: asking.Way, what: asks.Replay) -> list[Filter]:
    return asking.filters(
        [way],
        str(what.state),
        reason=what.reason,
        kind=what.kind,
        since=what.since,
        until=what.until,
    )


def _one_way_of_naming(what: asks.Replay) -> None:
    ways = (bool(what.messages or what.deliveries), what.dead, what.state is not None)
    if sum(ways) != 1:
        fix = "give numbers (messages, deliveries), or dead, or state"
        raise OperatorError("it must be said in one way what to put back", fix=fix, location="http.body")
    narrowed = any((what.reason, what.kind, what.since, what.until))
    if (narrowed and what.state is None) or (ways[0] and (what.link or what.to)):
        fix = "reason, kind, since and until go with state; link and to with dead or state"
        raise OperatorError("this does not go together", fix=fix, location="http.body")


async def _numbered(desk: Desk, by: Operator, what: asks.Replay) -> Json:
    """All of them are there before the first one is put back; those that moved on are told."""
    named: list[Listed | Made] = [await desk.message(one) for one in dict.fromkeys(what.messages)]
    named += [await desk.delivery(one) for one in dict.fromkeys(what.deliveries)]
    late: dict[str, list[int]] = {"messages": [], "deliveries": []}
    for one in named:
        try:
            await by.replay(one)
        except MovedOn:
            late["deliveries" if isinstance(one, Made) else "messages"].append(one.id)
    count = len(named) - sum(map(len, late.values()))
    if not count:
        raise MovedOn("nothing of this is in a state to be put back", fix="look where it stands")
    return {"replayed": count, "moved_on": late}


async def edit(desk: Desk, asked: Asked) -> Json:
    """Put a corrected copy in the place of a dead letter or of a refused message."""
    what: asks.Edit = asked.what
    if (what.message is None) == (what.delivery is None):
        fix = "give message or delivery"
        raise OperatorError("it must be said of which message this is a copy", fix=fix, location="http.body")
    one = await (desk.delivery(what.delivery) if what.delivery else desk.message(what.message or 0))
    new = await asked.by(what.because).correct(one, what.content, desk.charset(one.link))
    return {"original": new} if isinstance(one, Made) else {"message": new}


async def skip(desk: Desk, asked: Asked) -> Json:
    """A refused delivery becomes a dead letter, and its lanes go on."""
    one = await desk.delivery(asked.what.delivery)
    await asked.by(asked.what.because).skip(one)
    return {"skipped": one.id}


async def pause(desk: Desk, asked: Asked) -> Json:
    """Let nothing go out, or nothing come in."""
    link, direction = _what(desk, asked.what)
    await asked.by(asked.what.because).pause(link, direction, intake=asked.what.intake)
    return {"paused": link}


async def resume(desk: Desk, asked: Asked) -> Json:
    """Take the pause away that was set with the same words."""
    link, direction = _what(desk, asked.what)
    if not await asked.by(asked.what.because).resume(link, direction, intake=asked.what.intake):
        raise NothingThere("there is no such pause", fix="GET /operator/pauses shows those there are")
    return {"resumed": link}


def _what(desk: Desk, what: asks.Pause) -> tuple[str, Direction | None]:
    if what.intake and what.to:
        raise OperatorError("the intake has no direction", fix="leave out to", location="http.body.to")
    ways = desk.ways(what.link, what.to)
    return what.link, ways[0][1] if what.to else None


async def drain(desk: Desk, asked: Asked) -> Json:
    """Close the intake of a link; how much still waits. Ask for the counts until nothing does."""
    ways = desk.ways(asked.what.link, None)
    await asked.by(asked.what.because).pause(asked.what.link, None, intake=True)
    here = [one for way, one in (await desk.store.counts()).items() if way in ways]
    return {"waiting": sum(one.waiting for one in here)}


async def break_glass(desk: Desk, asked: Asked) -> Json:
    """See content, act and edit for some minutes, which one's roles do not grant; for who is logged in."""
    broken = await desk.glass.break_it(asked.who, asked.what.because, asked.what.minutes)
    return {"until": broken.until}


async def end_emergency(desk: Desk, asked: Asked) -> Json:
    """End one's emergency before its time."""
    await desk.glass.end(asked.who)
    return {"ended": True}


async def decide(desk: Desk, asked: Asked) -> Json:
    """Say whose change stands in a conflict that is held; then replay the message that it held."""
    one = await desk.conflict(asked.number)
    if one.state != "held":
        raise MovedOn("the conflict is not held", fix="look where it stands", location="http.url")
    await asked.by(asked.what.because).decide(one, asked.what.winner)
    return {"decided": one.id}
