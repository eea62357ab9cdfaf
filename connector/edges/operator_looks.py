"""What operators see over HTTPS: as the commands show it, and what messages say only for a reason."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec

from connector.edges import operator_asks as asks
from connector.edges.operator_desk import Asked, Desk, Json
from connector.errors import OperatorError
from connector.pipeline import about, asking, findings, refusals
from connector.pipeline.entries import instant
from connector.pipeline.ports import Entry
from connector.store import Clash, Delivery, Filter, Kind, Listed, Made, State


async def me(desk: Desk, asked: Asked) -> Json:
    """Who asks, with which roles and permissions, and until when."""
    one = asked.asking
    said: Json = {"name": one.name, "permissions": sorted(one.permissions)}
    if one.session is not None:
        said |= {"roles": one.session.roles, "until": one.session.until}
    return {**said, **({"emergency": one.broken} if one.broken else {})}


async def lanes(desk: Desk, asked: Asked) -> Json:
    """Lanes in which something waits; those that stopped come first."""
    meant = desk.ways(asked.what.link, asked.what.to)
    return {"lanes": [one for way in meant for one in await desk.store.lanes(*way, asked.what.limit)]}


async def why(desk: Desk, asked: Asked) -> Json:
    """What keeps messages back, in plain words, and what helps."""
    meant = desk.ways(asked.what.link, asked.what.to)
    found = await findings.look(desk.store, meant, desk.parts(), desk.clock(), desk.conditions())
    return {"findings": [one._asdict() for one in found]}


async def counts(desk: Desk, asked: Asked) -> Json:
    """What was received and what became of it, and the state of each part."""
    meant = desk.ways(asked.what.link, asked.what.to)
    found = await desk.store.counts()
    links = [
        {"link": way[0], "direction": way[1], "reconciled": one.reconciled, **dataclasses.asdict(one)}
        for way, one in sorted(found.items())
        if way in meant
    ]
    return {"links": links, "parts": desk.parts(), "conditions": desk.conditions()}


async def refused(desk: Desk, asked: Asked) -> Json:
    """Who was not let in lately, and why."""
    since = desk.clock() - dt.timedelta(hours=asked.what.hours)
    at = instant(desk.clock())
    actor = {"role": "operator", "name": asked.asking.name, **asked.who.known_by}
    seen = Entry(at, "audit:viewed", actor, {"what": "who was not let in"}, "success", "", "")
    await desk.store.record([seen])
    found = await refusals.look(desk.store, since)
    return {"refused": [{**one._asdict(), "helps": one.helps} for one in found[: asked.what.limit]]}


async def pauses(desk: Desk, asked: Asked) -> Json:
    """What people hold back, and why."""
    return {"pauses": await desk.store.pauses()}


async def messages(desk: Desk, asked: Asked) -> Json:
    """A page of received messages."""
    what: asks.Messages = asked.what
    pieces = [
        await desk.store.page(_filter(way, what, state=State(what.state)), what.limit)
        for way in desk.ways(what.link, what.to)
    ]
    listed = [_message(one) for piece in pieces for one in piece.found]
    return _page("messages", listed, what.limit, [piece.after for piece in pieces])


async def deliveries(desk: Desk, asked: Asked) -> Json:
    """A page of made messages."""
    what: asks.Deliveries = asked.what
    pieces = [
        await desk.store.page_made(_filter(way, what, delivery=Delivery(what.state)), what.limit)
        for way in desk.ways(what.link, what.to)
    ]
    listed = [_delivery(one) for piece in pieces for one in piece.found]
    return _page("deliveries", listed, what.limit, [piece.after for piece in pieces])


async def conflicts(desk: Desk, asked: Asked) -> Json:
    """A page of what both sides changed at once; no content."""
    what: asks.Conflicts = asked.what
    found: list[Clash] = []
    for link in desk.links(what.link):
        found += await desk.store.clashes(link, what.state, what.after, what.limit)
    return _page("conflicts", [_conflict(one) for one in found], what.limit)


async def message(desk: Desk, asked: Asked) -> Json:
    """Where a received message stands."""
    return _message(await desk.message(asked.number))


async def delivery(desk: Desk, asked: Asked) -> Json:
    """Where a made message stands."""
    return _delivery(await desk.delivery(asked.number))


async def conflict(desk: Desk, asked: Asked) -> Json:
    """Where a conflict stands."""
    return _conflict(await desk.conflict(asked.number))


async def message_content(desk: Desk, asked: Asked) -> Json:
    """What a received message says, in base64, after the audit trail knows who asked for it."""
    one = await desk.message(asked.number)
    return _content(one.id, await asked.by(asked.what.because).content(one))


async def delivery_content(desk: Desk, asked: Asked) -> Json:
    """What a made message says, in base64, after the audit trail knows who asked for it."""
    one = await desk.delivery(asked.number)
    return _content(one.id, await asked.by(asked.what.because).content(one))


async def conflict_content(desk: Desk, asked: Asked) -> Json:
    """What both sides say of the element, after the audit trail knows who asked for it."""
    one = await desk.conflict(asked.number)
    sides = await asked.by(asked.what.because).sides(one)
    return {"number": one.id, "resource": one.resource, "sides": msgspec.Raw(sides)}


async def search(desk: Desk, asked: Asked) -> Json:
    """Messages about somebody or something, received and made, after the audit trail knows who asked."""
    what: asks.Search = asked.what
    said = {kind: getattr(what, kind.name.lower()) for kind in Kind}
    named = [(kind, text) for kind, text in said.items() if text]
    if len(named) != 1:
        fix = "name one of mrn, account, accession and control_id"
        raise OperatorError("not one thing is looked for", fix=fix, location="http.body")
    wanted = about.asked(*named[0], [profile.mapping.authorities for profile in desk.profiles])
    taken, made = await asked.by(what.because).search(wanted, what.after, what.limit)
    behind = {"next": taken[-1].id} if len(taken) == what.limit else {}
    return {"messages": [*map(_message, taken)], "deliveries": [*map(_delivery, made)], **behind}


def _filter(way: asking.Way, what: asks.Listing, **state: Any) -> Filter:
    link, direction = way
    return Filter(
        link=link,
        direction=direction,
        reason=what.reason,
        kind=what.kind,
        since=what.since,
        until=what.until,
        after=what.after,
        **state,
    )


def _page(name: str, found: list[Json], limit: int, reached: Iterable[int] = ()) -> Json:
    """The first of them by number; ``next``: behind which there may be more.

    ``reached``: how far each of the searches behind it came that are not at their end; what lies behind the
    nearest of these is for the next page.
    """
    behind = min((one for one in reached if one), default=0)
    listed = sorted(found, key=lambda one: int(one["number"]))
    if behind:
        listed = [one for one in listed if one["number"] <= behind]
    if len(listed) >= limit:
        listed = listed[:limit]
        behind = listed[-1]["number"]
    return {name: listed, **({"next": behind} if behind else {})}


def _common(one: Listed | Made) -> Json:
    return {
        "number": one.id,
        "link": one.link,
        "direction": one.direction,
        "kind": one.meta.get("kind", ""),
        "correlation": one.meta.get("correlation", one.uid),
        "received": one.received_at,
        "reason": one.reason,
    }


def _message(one: Listed) -> Json:
    return {**_common(one), "state": one.state, "lost": one.lost}


def _delivery(one: Made) -> Json:
    return {
        **_common(one),
        "of_message": one.inbox_id,
        "state": one.delivery,
        "acknowledgment": one.acknowledgment,
        "attempts": one.attempts,
        "next_attempt": one.next_attempt_at,
        "delivered": one.delivered_at,
        "version_of": one.version_of,
        "lanes": one.lanes,
    }


def _conflict(one: Clash) -> Json:
    """The id of the resource is content."""
    kind = one.resource.partition("/")[0]
    return {
        "number": one.id,
        "link": one.link,
        "state": one.state,
        "resource_type": kind,
        "element": one.path,
        "winner": one.winner,
        "at": one.at,
    }


def _content(number: int, content: bytes) -> Json:
    return {"number": number, "size": len(content), "content": base64.b64encode(content).decode()}
