"""What a FHIR submission changes, and which v2 messages that becomes: pure, decided by the profile's rules.

One submission may speak of several patients, visits and reports. Resources that refer to one another
belong together; within such a cluster each visit or report with a rule of its own is the *focus* of one
message, and what has no rule rides along. The same function judges a request before it is accepted and
plans the messages when it is translated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connector.errors import NotTranslatable
from connector.fhir import bundle as bundles
from connector.fhir import json as fjson
from connector.fhir import references
from connector.fhir.references import referred
from connector.mapping.messages.changes import Rule, event_for
from connector.mapping.messages.choosing import SPEAKERS, answers, is_merged
from connector.pipeline.names import with_references

Json = dict[str, Any]

CREATE: Final = "create"
UPDATE: Final = "update"
DELETE: Final = "delete"
_AROUND: Final = frozenset({"Patient", "Encounter"})  # whom and which visit a message is about
_SHARED: Final = frozenset({"Practitioner", "PractitionerRole", "Organization", "Location"})
_TOGETHER: Final = frozenset({"Observation"})  # which stand in one message without a report too
_VOLATILE: Final = ("versionId", "lastUpdated", "source")


@dataclass(frozen=True, slots=True)
class Change:
    """One resource that was written or deleted; ``resource`` is None after a delete."""

    key: str  # Type/id
    resource: Json | None
    location: str  # FHIRPath of the resource in the submission

    @property
    def type(self) -> str:
        """The resource type."""
        return self.key.partition("/")[0]


Matched = tuple[Change, str | None]
"""A change and its event: "" where none is sent on purpose, None where no rule speaks of it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One v2 message to make: its event, the resource it is about, and the changes it carries."""

    event: str  # ADT^A08
    focus: str  # Type/id
    changes: tuple[Change, ...]

    @property
    def family(self) -> str:
        """The message code: ADT."""
        return self.event.partition("^")[0]


def read(content: Json, verb: str, key: str, fresh: str) -> list[Change]:
    """The changes of one request.

    ``verb``: ``create``, ``update``, ``delete``; ``key``: ``Type/id`` of the URL (``Type/`` for a create, ""
    for a bundle). ``fresh``: the id given to the first resource that has none; later ones get ``-2``, ...
    References by ``fullUrl`` inside a bundle are turned into ``Type/id``.
    """
    if verb == DELETE:
        return [Change(key, None, "")]
    if content.get("resourceType") == "Bundle":
        return _bundled(content, fresh)
    resource = {**content, "id": key.partition("/")[2] or content.get("id") or fresh}
    return [Change(_key(resource), resource, str(content.get("resourceType")))]


def plan(
    changes: Sequence[Change], before: Mapping[str, Json], rules: Sequence[Rule], event: str = ""
) -> list[Planned]:
    """The messages that the changes become; [] where nothing changed against ``before``.

    ``before``: the resources as last known, by key. ``event``: what a MessageHeader asks for, in place
    of the rules. Raises ``NotTranslatable`` if something changed and no rule speaks of any of it.
    """
    news = [change for change in changes if not unchanged(change, before)]
    if not news:
        return []
    matched = [(change, event or _event(change, before, rules)) for change in news]
    if event:
        return [Planned(event, _main(event, news), tuple(news))]
    if all(named is None for _, named in matched):
        raise NotTranslatable(
            "the profile names no v2 message for this change",
            fix="name one under [[events]] in the profile",
            location=news[0].location,
        )
    planned = [one for cluster in _clusters(matched, before) for one in _messages(cluster, before)]
    return sorted(planned, key=lambda one: _first(one, news))


class _Group(NamedTuple):
    """Changes that one message is about; the first of them is its focus."""

    event: str
    members: tuple[Change, ...]

    @property
    def family(self) -> str:
        return self.event.partition("^")[0]


def _messages(cluster: Sequence[Matched], before: Mapping[str, Json]) -> Iterator[Planned]:
    spoken_for = set(_spoken_for(cluster))
    named = [(change, event) for change, event in cluster if event and change.key not in spoken_for]
    families = dict.fromkeys(event.partition("^")[0] for _, event in named)
    groups = [
        group
        for family in families
        for group in _groups([one for one in named if one[1].startswith(f"{family}^")])
    ]
    for group in groups:
        aside = {
            change.key
            for other in groups
            if other is not group
            for change in other.members
            if change.type not in _AROUND or other.family == group.family
        }
        aside -= _told(group.members[0], cluster, before)
        carried = tuple(change for change, _ in cluster if change.key not in aside)
        yield Planned(group.event, group.members[0].key, carried)


def _groups(named: Sequence[tuple[Change, str]]) -> Iterator[_Group]:
    """Each visit, patient, report or order has a message of its own; what has none goes by its event."""
    for kind in SPEAKERS:
        found = [(change, event) for change, event in named if change.type == kind]
        if found and kind not in _TOGETHER:
            yield from (_Group(event, (change,)) for change, event in found)
            return
        if found:
            break
    for event in dict.fromkeys(event for _, event in named):
        yield _Group(event, tuple(change for change, other in named if other == event))


def _told(focus: Change, cluster: Sequence[Matched], before: Mapping[str, Json]) -> set[str]:
    """What a message about a change tells too, though it has a message of its own: what this refers to.

    A visit or a patient refers to others of their kind, and a message is about one of them, unless one
    takes the place of the other.
    """
    if focus.type in _AROUND:
        return set(_replacing(focus.resource or {}))
    known = {change.key: change.resource or before.get(change.key) or {} for change, _ in cluster}
    found: set[str] = set()
    ahead = [focus.key]
    while ahead:
        new = set(referred(known.get(ahead.pop(), {}))) - found
        found |= new
        ahead += new
    return found


def _spoken_for(cluster: Sequence[Matched]) -> Iterator[str]:
    """Who needs no message of its own: the order that comes with its result, the patient that stays."""
    there = [change.resource for change, _ in cluster if change.resource is not None]
    yield from answers(there)
    for resource in there:
        yield from _replacing(resource)


def _replacing(resource: Json) -> Iterator[str]:
    """Who takes the place of a patient."""
    if is_merged(resource):
        yield from referred({"link": resource["link"]})


def _main(event: str, changes: Sequence[Change]) -> str:
    """Whom a message is about whose event is asked for: a visit, where it is about patients."""
    order = ("Encounter", "Patient") if event.startswith("ADT^") else SPEAKERS
    ranked = {kind: rank for rank, kind in enumerate(order)}
    return min(changes, key=lambda change: ranked.get(change.type, len(order))).key


def _first(planned: Planned, changes: Sequence[Change]) -> int:
    return next(place for place, change in enumerate(changes) if change.key == planned.focus)


def _event(change: Change, before: Mapping[str, Json], rules: Sequence[Rule]) -> str | None:
    return event_for(rules, change.type, change.resource, before.get(change.key))


def unchanged(change: Change, before: Mapping[str, Json]) -> bool:
    """Whether the resource is what was known already: an echo of our own delivery, or said twice."""
    old = before.get(change.key)
    if change.resource is None or old is None:
        return change.resource is None and old is None
    return canonical(change.resource) == canonical(old)


def canonical(resource: Json) -> bytes:
    """The resource without what a server changes at each write (versionId, lastUpdated, source)."""
    meta = {name: value for name, value in (resource.get("meta") or {}).items() if name not in _VOLATILE}
    content = {name: value for name, value in resource.items() if name != "meta"}
    return fjson.canonical({**content, "meta": meta} if meta else content)


def _clusters(matched: Sequence[Matched], before: Mapping[str, Json]) -> list[list[Matched]]:
    """The changes, parted into those that refer to one another, also by what they refer to in common."""
    leader: dict[str, str] = {}

    def find(key: str) -> str:
        while leader.setdefault(key, key) != key:
            key = leader[key]
        return key

    for change, _ in matched:
        for other in referred(change.resource or before.get(change.key) or {}):
            if other.partition("/")[0] not in _SHARED:
                leader[find(change.key)] = find(other)
    clusters: dict[str, list[Matched]] = {}
    for one in matched:
        clusters.setdefault(find(one[0].key), []).append(one)
    return list(clusters.values())


def message_event(content: Json, rules: Iterable[Rule]) -> str:
    """``ADT^A01`` that the MessageHeader of a message Bundle asks for; "" for any other content.

    ``MessageHeader.event`` holds the trigger event of table 0003 alone; the message code comes from the
    rules. Raises ``NotTranslatable`` if no rule of the profile sends this event.
    """
    if content.get("resourceType") != "Bundle" or content.get("type") != bundles.MESSAGE:
        return ""
    header = next((one for one in bundles.resources(content) if one["resourceType"] == "MessageHeader"), {})
    asked = str((header.get("eventCoding") or {}).get("code") or "").replace("_", "^")
    for rule in rules:
        if asked and asked in (rule.event, rule.event.partition("^")[2]):
            return rule.event
    raise NotTranslatable(
        "the profile sends no v2 message for this event",
        fix="send a trigger event that the profile names under [[events]]",
        location="Bundle.entry[0].resource.event",
    )


def _bundled(content: Json, fresh: str) -> list[Change]:
    names: dict[str, str] = {}
    found: list[Change] = []
    for number, entry in enumerate(bundles.entries(content)):
        location = f"Bundle.entry[{number}].resource"
        resource, request = entry.get("resource"), entry.get("request") or {}
        if request.get("method") == "DELETE":
            found.append(Change(str(request.get("url", "")), None, location))
        elif isinstance(resource, dict) and resource.get("resourceType") != "MessageHeader":
            suffix = f"-{len(found) + 1}" if found else ""
            resource = {**resource, "id": _identity(resource, request) or f"{fresh}{suffix}"}
            found.append(Change(_key(resource), resource, location))
            names[str(entry.get("fullUrl", ""))] = _key(resource)
    return [_renamed(change, names) for change in found]


def _identity(resource: Json, request: Json) -> str:
    url = str(request.get("url", ""))
    in_url = url.partition("/")[2] if request.get("method") == "PUT" and "?" not in url else ""
    return in_url or str(resource.get("id") or "")


def _renamed(change: Change, names: Mapping[str, str]) -> Change:
    if change.resource is None or not any(
        element["reference"] in names for _, element in references.walk(change.resource)
    ):
        return change
    return Change(change.key, with_references(change.resource, names), change.location)


def _key(resource: Json) -> str:
    return f"{resource.get('resourceType')}/{resource['id']}"
