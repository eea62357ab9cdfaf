"""What a FHIR submission changes, and which v2 messages that becomes: pure, decided by the profile's rules.

One submission may speak of several patients, visits and reports. Resources that refer to one another
belong together; within such a cluster each visit or report with a rule of its own is the *focus* of one
message, and what has no rule rides along. The same function judges a request before it is accepted and
plans the messages when it is translated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.errors import NotTranslatable
from connector.fhir import bundle as bundles
from connector.fhir import json as fjson
from connector.fhir import references
from connector.pipeline.links import Rule
from connector.pipeline.names import with_references

Json = dict[str, Any]

CREATE: Final = "create"
UPDATE: Final = "update"
DELETE: Final = "delete"
_CARRIERS: Final = {"ADT": ("Encounter", "Patient"), "ORU": ("DiagnosticReport",)}
_SHARED: Final = frozenset({"Practitioner", "PractitionerRole", "Organization", "Location"})
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


def _messages(cluster: list[tuple[Change, str | None]], before: Mapping[str, Json]) -> Iterator[Planned]:
    named = [(change, event) for change, event in cluster if event]
    for family in dict.fromkeys(event.partition("^")[0] for _, event in named):
        of_family = [(change, event) for change, event in named if event.startswith(f"{family}^")]
        foci = _foci(family, of_family)
        aside = {change.key for change, _ in foci}
        for focus, event in foci:
            others = aside - {focus.key}
            carried = tuple(change for change, _ in cluster if change.key not in others)
            yield Planned(event, focus.key, carried)


def _foci(family: str, named: list[tuple[Change, str]]) -> list[tuple[Change, str]]:
    """Visits before their patient, reports before their observations; otherwise one message for all."""
    for kind in _CARRIERS.get(family, ()):
        found = [(change, event) for change, event in named if change.type == kind]
        if found:
            return found
    return named[:1]


def _main(event: str, changes: Sequence[Change]) -> str:
    for kind in _CARRIERS.get(event.partition("^")[0], ()):
        for change in changes:
            if change.type == kind:
                return change.key
    return changes[0].key


def _first(planned: Planned, changes: Sequence[Change]) -> int:
    return next(place for place, change in enumerate(changes) if change.key == planned.focus)


def _event(change: Change, before: Mapping[str, Json], rules: Sequence[Rule]) -> str | None:
    """The event of the first rule that fits; "" where it says that nothing is sent; None without a rule."""
    old = before.get(change.key)
    on = DELETE if change.resource is None else UPDATE if old is not None else CREATE
    status = (change.resource or old or {}).get("status", "")
    entered = old is None or old.get("status", "") != status
    for rule in rules:
        fits = (rule.resource, rule.on) == (change.type, on) and rule.status in ("", status)
        if fits and (entered or not rule.entering) and (not rule.moved or _moved(change.resource, old)):
            return rule.event
    return None


def _moved(now: Json | None, old: Json | None) -> bool:
    """Whether a visit is at another location than before."""
    return _places(now) != _places(old)


def _places(visit: Json | None) -> list[str]:
    """Where a visit is at present: its active locations."""
    stays = (visit or {}).get("location") or []
    here = [stay for stay in stays if stay.get("status", "active") == "active"]
    return sorted(str((stay.get("location") or {}).get("reference", "")) for stay in here)


def unchanged(change: Change, before: Mapping[str, Json]) -> bool:
    """Whether the resource is what was known already: an echo of our own delivery, or said twice."""
    old = before.get(change.key)
    if change.resource is None or old is None:
        return change.resource is None and old is None
    return canonical(change.resource) == canonical(old)


def canonical(resource: Json) -> bytes:
    """The resource without what a server changes at each write (versionId, lastUpdated, source)."""
    meta = {name: value for name, value in (resource.get("meta") or {}).items() if name not in _VOLATILE}
    content = {name: resource[name] for name in sorted(resource) if name != "meta"}
    return fjson.dumps(_sorted({**content, "meta": meta} if meta else content))


def _sorted(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _sorted(node[name]) for name in sorted(node)}
    return [_sorted(child) for child in node] if isinstance(node, list) else node


def _clusters(
    matched: list[tuple[Change, str | None]], before: Mapping[str, Json]
) -> list[list[tuple[Change, str | None]]]:
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
    clusters: dict[str, list[tuple[Change, str | None]]] = {}
    for one in matched:
        clusters.setdefault(find(one[0].key), []).append(one)
    return list(clusters.values())


def referred(resource: Json) -> Iterator[str]:
    """``Type/id`` of every relative reference in a resource."""
    for _, element in references.walk(resource):
        target = references.parse(element["reference"])
        if target is not None and target.form == "relative":
            yield f"{target.type}/{target.id}"


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
