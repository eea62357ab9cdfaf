"""Each resource as last seen at the FHIR side, with its version: what an update is made over.

Kept in the journal beside what it is thought to be, as entries of no resource type. The two differ while
something is on its way: the journal runs ahead as messages are translated, this follows what the FHIR side
answers or tells. ``over`` of an outgoing message says what it was made over, as a digest for each resource;
where that is not what was last seen, the message is made again over what was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from connector.fhir import json as fjson
from connector.pipeline.changes import canonical
from connector.store import JournalEntry

Json = dict[str, Any]

_SEEN: Final = "seen-at-fhir:"  # + the FHIR side's key
_BEFORE: Final = "seen-before-at-fhir:"  # the same, before the FHIR side changed what something was made over
_UNTOLD: Final = "not-told-to-v2:"  # what v2 knows, where a message was made over changes it does not know
_OURS: Final = 8  # versions of ours that are remembered
_DIGITS: Final = 32


class Seen(NamedTuple):
    """A resource at a version. ``content`` is its JSON, read only where it is needed."""

    version: str  # meta.versionId; "" where the FHIR side does not say it
    digest: str
    content: bytes
    ours: tuple[str, ...] = ()  # the latest versions that our own deliveries made

    @property
    def resource(self) -> Json:
        """The resource."""
        resource: Json = fjson.loads(self.content)
        return resource

    @property
    def packed(self) -> bytes:
        """As the journal keeps it."""
        return f"{' '.join((self.version, *self.ours))}\n{self.digest}\n".encode("ascii") + self.content


class Untold(NamedTuple):
    """Changes of the FHIR side that we read when a delivery met them, before it told us of them.

    ``versions``: those that were read. ``content``: the resource as v2 knows it, as JSON.
    """

    versions: tuple[str, ...]
    content: bytes

    @property
    def resource(self) -> Json:
        """The resource as v2 knows it."""
        resource: Json = fjson.loads(self.content)
        return resource


def seen(resource: Json, version: str = "", ours: tuple[str, ...] = ()) -> Seen:
    """A resource that the FHIR side has; ``version``: what it said beside the content."""
    told = str((resource.get("meta") or {}).get("versionId", ""))
    return Seen(version or told, digest(resource), fjson.dumps(resource), ours)


def written(resource: Json, version: str, before: Seen | None) -> Seen:
    """A resource as we wrote it just now, over what was seen; the same version: nothing was written."""
    ours = before.ours if before else ()
    made = version and version != (before.version if before else "")
    return seen(resource, version, (version, *ours)[:_OURS] if made else ours)


def digest(resource: Json) -> str:
    """Of the content without what a server changes at each write."""
    return hashlib.sha256(canonical(resource)).hexdigest()[:_DIGITS]


def asking(keys: Iterable[str]) -> list[str]:
    """What to ask the journal for, to hear what was last seen of resources with something else."""
    return [f"{_SEEN}{key}" for key in keys]


def asking_before(keys: Iterable[str]) -> list[str]:
    """As ``asking``, of what was seen before the FHIR side changed it under a message on its way."""
    return [f"{_BEFORE}{key}" for key in keys]


def told(found: Mapping[str, bytes]) -> dict[str, Seen]:
    """What was last seen, out of what the journal answered."""
    return _told(found, _SEEN)


def asking_untold(keys: Iterable[str]) -> list[str]:
    """What to ask the journal for, to hear which changes v2 was not told of."""
    return [f"{_UNTOLD}{key}" for key in keys]


def untold(found: Mapping[str, bytes]) -> dict[str, Untold]:
    """These, out of what the journal answered, by key."""
    known = {}
    for key, kept in found.items():
        if key.startswith(_UNTOLD):
            head, content = kept.split(b"\n", 1)
            known[key.removeprefix(_UNTOLD)] = Untold(tuple(head.decode("ascii").split(" ")), content)
    return known


def untold_entry(link: str, key: str, what: Untold | None) -> JournalEntry:
    """The journal's row for them; None: v2 is told now."""
    packed = " ".join(what.versions).encode("ascii") + b"\n" + what.content if what else None
    return JournalEntry(link, f"{_UNTOLD}{key}", packed, None, "")


def told_before(found: Mapping[str, bytes]) -> dict[str, Seen]:
    """As ``told``, of what was asked for with ``asking_before``."""
    return _told(found, _BEFORE)


def _told(found: Mapping[str, bytes], prefix: str) -> dict[str, Seen]:
    return {
        key.removeprefix(prefix): _unpacked(kept) for key, kept in found.items() if key.startswith(prefix)
    }


def _unpacked(kept: bytes) -> Seen:
    head, digest, content = kept.split(b"\n", 2)
    version, *ours = head.decode("ascii").split(" ")
    return Seen(version, digest.decode("ascii"), content, tuple(ours))


def entry(link: str, key: str, what: Seen | None) -> JournalEntry:
    """The journal's row for what was seen; None: it is not there any more."""
    return JournalEntry(link, f"{_SEEN}{key}", what.packed if what else None, None, "")


def entries(
    link: str, told: Mapping[str, Json | None], before: Mapping[str, Seen], under_way: Collection[str]
) -> Iterator[JournalEntry]:
    """The journal's rows for resources that the FHIR side told us of, None for those that it deleted.

    ``before``: what was last seen of them. ``under_way``: of which of them something is on its way that was
    made over that: it is kept, since what is on its way is compared with it.
    """
    for key, resource in told.items():
        last = before.get(key)
        now = None if resource is None else seen(resource, ours=last.ours if last else ())
        yield entry(link, key, now)
        if last is not None and key in under_way:
            yield JournalEntry(link, f"{_BEFORE}{key}", last.packed, None, "")
