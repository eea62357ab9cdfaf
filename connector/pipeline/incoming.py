"""What the FHIR side tells us of, against what we know: echoes of our own writes, and changes of both sides.

Where a v2 message about the same resource is on its way to the FHIR side, which therefore could not know of
it, both changes become one content: that is what goes to v2, and what the next message is made over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from connector.fhir import json as fjson
from connector.pipeline import echoes, picture, versions
from connector.pipeline.changes import Change
from connector.pipeline.conflicts import Conflicts, newer
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock
from connector.store import Direction, JournalEntry, Saw, Store

Json = dict[str, Any]


class Taken(NamedTuple):
    """What is known of the resources, what is really new of what was told, and the journal's rows for it."""

    before: dict[str, Json]
    changes: list[Change]
    journal: list[JournalEntry]


class Incoming:
    """What one link's FHIR side tells."""

    def __init__(self, link: Link, store: Store, clock: Clock) -> None:
        self._link, self._store = link, store
        self._conflicts = Conflicts(link, Direction.TO_V2, store, clock)

    async def taken(self, told: Sequence[Change], source: str, saw: Saw) -> Taken:
        """``source``: the uid of the submission; ``saw``: takes down what of the journal was read.

        Raises ``BothChanged`` where a person decides first.
        """
        keys = [change.key for change in told]
        asked = [*keys, *versions.asking(keys), *versions.asking_untold(keys)]
        found = await self._store.resources(self._link.name, asked, saw)
        before = {key: fjson.loads(found[key]) for key in keys if found.get(key)}
        last = versions.told(found)
        under_way = {
            key for key in last if key in before and versions.digest(before[key]) != last[key].digest
        }
        untold = versions.untold(found)
        news = [change for change in told if not echoes.of_our_write(change, last.get(change.key))]
        met = {change.key for change in news if _is_met(change, untold.get(change.key))}
        settled = [
            replace(change, resource=before[change.key])
            if change.key in met
            else await self._settled(change, before, last[change.key], source)
            if change.key in under_way and change.resource is not None
            else change
            for change in news
        ]
        seen = {change.key: change.resource for change in news if change.key not in met}
        rows = list(versions.entries(self._link.name, seen, last, under_way))
        known = {change.key: untold[change.key] for change in news if change.key in untold}
        rows += [versions.untold_entry(self._link.name, key, None) for key in known]
        return Taken(before | {key: one.resource for key, one in known.items()}, settled, rows)

    async def _settled(
        self, change: Change, before: Mapping[str, Json], last: versions.Seen, source: str
    ) -> Change:
        ours, theirs = before[change.key], change.resource or {}
        at = await picture.told_at(self._store, self._link.name, change.key)
        base = {**last.resource, "id": theirs["id"]}
        made = await self._conflicts.settle(source, change.key, base, ours, theirs, newer=newer(at, theirs))
        return replace(change, resource=made)


def _is_met(change: Change, untold: versions.Untold | None) -> bool:
    """Whether it is a version that a delivery of ours met, so that what we know includes it and more."""
    if untold is None or change.resource is None:
        return False
    return str((change.resource.get("meta") or {}).get("versionId", "")) in untold.versions
