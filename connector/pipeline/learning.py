"""What the FHIR side's answers teach the journal: names, versions, contents that came out otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.fhir import json as fjson
from connector.fhir.references import referred
from connector.pipeline import names, versions
from connector.store import JournalEntry, OutboxItem, Saw, Store

Json = dict[str, Any]


@dataclass(slots=True)
class Part:
    """One entry of a message on its way, and what is known about it at the FHIR side."""

    number: int  # its place in the message
    here: str  # our key
    entry: Json  # as translated
    resource: Json | None  # as it is to stand there, with our names; None: it is deleted
    over: str | None  # the digest of what it was made over, "" nothing; None: that was not recorded
    seen: versions.Seen | None = None  # as last seen there
    first: str = ""  # the digest of what was last seen before this attempt
    base: versions.Seen | None = None  # what it was made over, where the FHIR side has changed that since
    met: str = ""  # the version of somebody else's that was met and read
    version: str = ""  # what its writing gave it
    content: Json | None = None  # as it stands there now, with the names it has there
    done: bool = False  # it stands there
    learned: bool = False  # the FHIR side's key for it is news
    revised: bool = False  # it is not as it was translated
    bare: bool = False  # it goes without references first

    @classmethod
    def of(cls, number: int, entry: Json, here: Mapping[str, str], over: Mapping[str, str] | None) -> Part:
        """An entry of a translated bundle; ``here``: our keys of those that have others in it."""
        url, resource = entry["request"]["url"], entry.get("resource")
        key = here.get(url, url)
        if resource is not None:
            resource = names.with_references(resource, here) if here else resource
            identity = key.partition("/")[2]
            resource = resource if resource.get("id") == identity else {**resource, "id": identity}
        return cls(number, key, entry, resource, None if over is None else over.get(url, ""))

    @property
    def kind(self) -> str:
        """The resource type."""
        return self.here.partition("/")[0]

    @property
    def location(self) -> str:
        """FHIRPath of the entry in the message."""
        return f"Bundle.entry[{self.number}]"

    @property
    def stale(self) -> bool:
        """Whether it was made over something else than what was last seen."""
        return (
            self.resource is not None
            and self.seen is not None
            and self.over is not None
            and self.seen.digest != self.over
        )

    def saw(self, seen: versions.Seen | None, *, fresh: bool = False) -> None:
        """What stands there; ``fresh``: read just now."""
        self.seen = seen
        if not fresh:
            self.first = seen.digest if seen else ""

    def needs(self, new: set[str]) -> bool:
        """Whether it refers to any of these, itself apart."""
        return any(key in new and key != self.here for key in referred(self.resource or {}))


async def recall(store: Store, link: str, parts: Sequence[Part], names: Mapping[str, str]) -> None:
    """What these were made over, where the FHIR side has changed it since and that is still known."""
    keys = {names.get(part.here, part.here): part for part in parts}
    found = await store.resources(link, versions.asking_before(keys))
    for key, base in versions.told_before(found).items():
        if base.digest == keys[key].over:
            keys[key].base = base


async def base_of(
    store: Store, link: str, key: str, before: versions.Seen | None, read: Json | None
) -> versions.Seen | None:
    """What both sides had; None where it was another message of ours that was faster."""
    found = versions.told(await store.resources(link, versions.asking([key])))
    version = str(((read or {}).get("meta") or {}).get("versionId", ""))
    return None if key in found and version in found[key].ours else before


async def lessons(
    store: Store,
    link: str,
    done: Sequence[Part],
    keys: Mapping[str, str],
    item: OutboxItem,
    saw: Saw,
    *,
    seen: bool,
) -> list[JournalEntry]:
    """The journal's rows after these were written.

    ``keys``: ours to the FHIR side's; ``saw``: takes down what of the journal was read.
    """
    learned = {part.here: keys[part.here] for part in done if part.learned}
    rows = list(names.entries(link, learned))
    if seen:
        rows += [_seen(link, part, keys.get(part.here, part.here)) for part in done]
    changed = [part for part in done if part.content is not None and (part.learned or part.revised)]
    if changed:
        rows += [row async for row in _corrected(store, link, changed, keys, item, saw)]
    return rows


def _seen(link: str, part: Part, key: str) -> JournalEntry:
    return versions.entry(
        link, key, None if part.content is None else versions.written(part.content, part.version, part.seen)
    )


async def _corrected(
    store: Store, link: str, changed: Sequence[Part], keys: Mapping[str, str], item: OutboxItem, saw: Saw
) -> AsyncIterator[JournalEntry]:
    """What the journal thought would come of the message, and of no later one, as it came out."""
    there = {part.here: keys.get(part.here, part.here) for part in changed}
    found = await store.resources(link, [*there.values(), *versions.asking_untold(there.values())], saw)
    untold = versions.untold(found)
    family = str(item.meta.get("kind", "")).partition("^")[0]
    for part in changed:
        key, content = there[part.here], part.content or {}
        if part.met and key in found:
            before = untold.get(key, versions.Untold((), found[key]))
            now = before._replace(versions=(*before.versions, part.met))
            yield versions.untold_entry(link, key, now)
        if key in found and versions.digest(fjson.loads(found[key])) not in _outdated(part):
            continue
        said = await store.prior_message(link, part.here, family) if part.learned else None
        told = await store.told_at(link, [part.here], family) if said else None
        yield JournalEntry(link, key, fjson.dumps(content), said, family if said else "", told)
        if part.learned and key != part.here:
            yield JournalEntry(link, part.here, None, None, "")


def _outdated(part: Part) -> Iterator[str]:
    yield from (part.over or "", part.first, versions.digest(part.entry["resource"]))
