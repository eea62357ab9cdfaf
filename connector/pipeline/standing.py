"""What the FHIR side has of what a v2 message speaks of, and which of it need not be sent again.

A message says most things again: the ward, the staff, the insurer. What comes out word for word as it was
last seen at the FHIR side is left out of what is delivered. What is only on its way there is not: it may go
out behind this message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connector.fhir import json as fjson
from connector.pipeline import names, versions
from connector.store import Store

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of some resources.

    ``before``: as last known, by our keys and with our names. ``there``: the other names that some have at
    the FHIR side. ``over``: the digests of ``before``, by the FHIR side's keys. ``seen``: our keys of those
    that the FHIR side is known to have just so.
    """

    before: dict[str, Json]
    there: dict[str, str]
    over: dict[str, str]
    seen: frozenset[str]

    def unchanged(self, resources: Mapping[str, Json]) -> frozenset[str]:
        """Of the translated resources, by the FHIR side's keys: what it is known to have word for word.

        ``resources``: by our keys and with our names.
        """
        same = (key for key in self.seen if resources.get(key) == self.before[key])
        return frozenset(self.there.get(key, key) for key in same)


async def standing(store: Store, link: str, keys: Iterable[str]) -> Standing:
    """What stands at the FHIR side under our keys, or under the names that these have there."""
    asked = list(keys)
    found = await store.resources(link, [*asked, *names.asking_theirs(asked), *versions.asking(asked)])
    there = names.told(found)
    if there:
        moved = list(there.values())
        found |= await store.resources(link, [*moved, *versions.asking(moved)])
    here = {name: key for key, name in there.items()}
    known = {key: fjson.loads(found[key]) for key in (*asked, *here) if found.get(key)}
    over = versions.over({there.get(key, key): one for key, one in known.items() if key not in there})
    last = versions.told(found)
    seen = {here.get(key, key) for key, one in last.items() if over.get(key) == one.digest}
    renamed = names.renamed({key: one for key, one in known.items() if key in here}, here)
    before = {key: one for key, one in known.items() if key not in here} | renamed
    return Standing(before, there, over, frozenset(seen & before.keys()))
