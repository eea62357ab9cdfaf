"""Both sides changed one resource: what the profile's authorities make of it, and what a person decides.

What loses is on the disk, sealed, before what wins is sent, so that nothing is overwritten in silence. A
field whose authority is to hold waits for a person: ``BothChanged`` is raised each time, until the conflict
has been decided. A conflict is one message, one resource and one field; it is kept once, however often
that message is tried.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any, Final

from connector.errors import BothChanged
from connector.fhir import json as fjson
from connector.pipeline.entries import Trail, about_whom
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock
from connector.pipeline.reconcile import Conflict, Reconciled, Side, reconcile
from connector.store import Clash, Direction, Store

Json = dict[str, Any]

HELD: Final = "held"
LOST: Final = "lost"
DECIDED: Final[dict[str, Side]] = {"v2": "v2", "fhir": "fhir"}  # states that are a person's word
_DIGITS: Final = 32


class Conflicts:
    """Settles what both sides changed, for one link and direction."""

    def __init__(self, link: Link, direction: Direction, store: Store, clock: Clock) -> None:
        self._link, self._store, self._clock = link, store, clock
        self._trail = Trail(clock, link.name, direction)

    async def settle(
        self, source: str, key: str, base: Json | None, v2: Json, fhir: Json, *, newer: Side = "v2"
    ) -> Json:
        """One content out of three (see ``reconcile``), after what loses is kept.

        ``source``: the uid of the message that is being worked on; ``key``: ``Type/id`` at the FHIR side.
        Raises ``BothChanged`` where a person has to decide first, and ``StoreUnavailable``.
        """
        authority = self._link.authority
        made = reconcile(base, v2, fhir, authority, newer=newer)
        if not made.conflicts:
            return made.resource
        uids = {one.element: _uid(source, key, one.element) for one in made.conflicts}
        if made.held:
            states = await self._store.clash_states(uids.values())
            decided = {
                element: DECIDED[states[uid]] for element, uid in uids.items() if states.get(uid) in DECIDED
            }
            made = reconcile(base, v2, fhir, authority, newer=newer, decided=decided)
        await self._keep(source, key, made, uids)
        if made.held:
            held = next(one.element for one in made.conflicts if one.winner == "hold")
            raise BothChanged(
                "both sides changed it, and a person decides",
                fix='see "connector conflicts list", decide, and replay the message',
                location=held,
            )
        return made.resource

    async def _keep(self, source: str, key: str, made: Reconciled, uids: dict[str, str]) -> None:
        at = self._clock()
        kept = [self._clash(source, key, one, uids[one.element], at) for one in made.conflicts]
        meta = await self._store.of_source(source)
        of = str(meta.get("correlation", ""))
        entries = [
            self._trail.did("conflict:kept", of, element=one.element, winner=one.winner, **about_whom(meta))
            for one in made.conflicts
        ]
        await self._store.clash(kept, entries)

    def _clash(self, source: str, key: str, one: Conflict, uid: str, at: dt.datetime) -> Clash:
        return Clash(
            link=self._link.name,
            resource=key,
            path=one.element,
            value=fjson.dumps({"v2": one.v2 or {}, "fhir": one.fhir or {}}),
            winner=one.winner,
            state=HELD if one.winner == "hold" else LOST,
            at=at,
            uid=uid,
            source=source,
        )


def newer(v2: dt.datetime | None, fhir: Json) -> Side:
    """Whose change is the later one: by the v2 message's time and ``meta.lastUpdated``; v2's where unsaid."""
    updated = (fhir.get("meta") or {}).get("lastUpdated")
    try:
        there = dt.datetime.fromisoformat(str(updated)) if updated else None
    except ValueError:
        there = None
    return "fhir" if v2 and there and there.tzinfo and there > v2 else "v2"


def _uid(source: str, key: str, element: str) -> str:
    return hashlib.sha256(f"{source}\n{key}\n{element}".encode()).hexdigest()[:_DIGITS]
