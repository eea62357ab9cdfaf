"""What the FHIR side has of what a v2 message speaks of, and which of it need not be sent again.

A message says most things again: the ward, the staff, the insurer. What comes out word for word as it was
last seen at the FHIR side is left out of what is delivered. What is only on its way there is not: it may go
out behind this message.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from connector.fhir import json as fjson
from connector.pipeline import names, picture, versions
from connector.store import Look, Saw, Store

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of some resources, and when that was told.

    ``before``: as last known, by our keys and with our names. ``there``: the other names that some have at
    the FHIR side. ``over``: the digests of ``before``, by the FHIR side's keys. ``seen``: our keys of those
    that the FHIR side is known to have just so. ``told``: the latest time at which a message of the family
    said that something happened to what this one is about. ``prior``: the last one about the first of that.
    ``saw``: what was read for all that.
    """

    before: dict[str, Json]
    there: dict[str, str]
    over: dict[str, str]
    seen: frozenset[str]
    told: dt.datetime | None = None
    prior: bytes | None = None
    saw: Saw = field(default_factory=dict)

    def unchanged(self, resources: Mapping[str, Json]) -> frozenset[str]:
        """Of the translated resources, by the FHIR side's keys: what it is known to have word for word.

        ``resources``: by our keys and with our names.
        """
        same = (key for key in self.seen if resources.get(key) == self.before[key])
        return frozenset(self.there.get(key, key) for key in same)


class _Answers(NamedTuple):
    """What the journal answered."""

    found: dict[str, bytes]
    there: dict[str, str]
    told: dt.datetime | None
    prior: bytes | None
    saw: Saw


async def standing(store: Store, link: str, keys: Iterable[str], family: str, *, prior: bool) -> Standing:
    """What stands at the FHIR side under our keys, or under the names that these have there.

    ``family``: of the message that speaks of them; ``prior``: whether the last one before it is asked for.
    """
    asked = list(keys)
    answers = await store.look(link, lambda look: _answers(look, asked, family, prior=prior))
    found, there, told, text, saw = answers
    here = {name: key for key, name in there.items()}
    known = {key: fjson.loads(found[key]) for key in (*asked, *here) if found.get(key)}
    last = versions.told(found)
    over = {key: _digest(one, found[key], last.get(key)) for key, one in known.items() if key not in there}
    seen = {here.get(key, key) for key, one in last.items() if over.get(key) == one.digest}
    renamed = names.renamed({key: one for key, one in known.items() if key in here}, here)
    before = {key: one for key, one in known.items() if key not in here} | renamed
    return Standing(before, there, over, frozenset(seen & before.keys()), told, text, saw)


def _digest(resource: Json, content: bytes, last: versions.Seen | None) -> str:
    """Of a resource as the journal has it; ``last``: as last seen at the FHIR side, which may be the same."""
    return last.digest if last is not None and last.content == content else versions.digest(resource)


def _answers(look: Look, asked: Sequence[str], family: str, *, prior: bool) -> _Answers:
    found = look.resources([*asked, *names.asking_theirs(asked), *versions.asking(asked)])
    there = names.told(found)
    if there:
        moved = list(there.values())
        found |= look.resources([*moved, *versions.asking(moved)])
    about = picture.spoken_of(dict.fromkeys(there.get(key, key) for key in asked), family)
    text = look.prior_message(about[0], family) if about and prior else None
    return _Answers(found, there, look.told_at(about, family) if about else None, text, look.saw)
