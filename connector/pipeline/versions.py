"""Each resource as last seen at the FHIR side, with its version: what an update is made over.

Kept in the journal beside what it is thought to be, as entries of no resource type. The two differ while
something is on its way: the journal runs ahead as messages are translated, this follows what the FHIR side
answers or tells. ``over`` of an outgoing message says what it was made over, as a digest for each resource;
where that is not what was last seen, the message is made again over what was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from connector.fhir import json as fjson
from connector.pipeline.changes import canonical
from connector.store import JournalEntry

Json = dict[str, Any]

_SEEN: Final = "seen-at-fhir:"  # + the FHIR side's key
_DIGITS: Final = 32


class Seen(NamedTuple):
    """A resource at a version. ``content`` is its JSON, read only where it is needed."""

    version: str  # meta.versionId; "" where the FHIR side does not say it
    digest: str
    content: bytes

    @property
    def resource(self) -> Json:
        """The resource."""
        resource: Json = fjson.loads(self.content)
        return resource

    @property
    def packed(self) -> bytes:
        """As the journal keeps it."""
        return f"{self.version}\n{self.digest}\n".encode("ascii") + self.content


def seen(resource: Json, version: str = "") -> Seen:
    """A resource that the FHIR side has; ``version``: what it said beside the content."""
    told = str((resource.get("meta") or {}).get("versionId", ""))
    return Seen(version or told, digest(resource), fjson.dumps(resource))


def digest(resource: Json) -> str:
    """Of the content without what a server changes at each write."""
    return hashlib.sha256(canonical(resource)).hexdigest()[:_DIGITS]


def asking(keys: Iterable[str]) -> list[str]:
    """What to ask the journal for, to hear what was last seen of resources with something else."""
    return [f"{_SEEN}{key}" for key in keys]


def told(found: Mapping[str, bytes]) -> dict[str, Seen]:
    """What was last seen, out of what the journal answered."""
    return {key.removeprefix(_SEEN): _unpacked(kept) for key, kept in found.items() if key.startswith(_SEEN)}


def _unpacked(kept: bytes) -> Seen:
    version, digest, content = kept.split(b"\n", 2)
    return Seen(version.decode("ascii"), digest.decode("ascii"), content)


def entry(link: str, key: str, what: Seen | None) -> JournalEntry:
    """The journal's row for what was seen; None: it is not there any more."""
    return JournalEntry(link, f"{_SEEN}{key}", what.packed if what else None, None, "")


def entries(link: str, told: Mapping[str, Json | None]) -> Iterator[JournalEntry]:
    """The journal's rows for resources that the FHIR side told us of, None for those that it deleted."""
    for key, resource in told.items():
        yield entry(link, key, None if resource is None else seen(resource))


def over(resources: Mapping[str, Json]) -> dict[str, str]:
    """The digests of what a message is made over, by the FHIR side's keys."""
    return {key: digest(resource) for key, resource in resources.items()}
