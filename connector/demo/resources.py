"""The sandbox's resources: versions, conditions and all-or-nothing transactions (FHIR R4, http.html).

A write that changes nothing makes no new version, so the versions count effects and not requests.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from connector.demo.search import matches

Resource = dict[str, Any]
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ORDER: Final = {"DELETE": 0, "POST": 1, "PUT": 2, "GET": 3}  # http.html#trules


class Refusal(Exception):
    """What the sandbox answers instead of doing it; a partner's word, so no error of the connector."""

    def __init__(self, status: int, code: str, why: str, expression: str = "") -> None:
        super().__init__(why)
        self.status, self.code, self.why, self.expression = status, code, why, expression

    @property
    def outcome(self) -> Resource:
        """The OperationOutcome that goes with the status."""
        issue: Resource = {"severity": "error", "code": self.code, "diagnostics": self.why}
        if self.expression:
            issue["expression"] = [self.expression]
        return {"resourceType": "OperationOutcome", "issue": [issue]}


@dataclass(frozen=True, slots=True)
class Version:
    """The current state of one resource; ``resource`` is None once it was deleted."""

    key: str  # "Patient/abc"
    number: int
    at: str  # meta.lastUpdated, an instant in UTC
    resource: Resource | None

    @property
    def etag(self) -> str:
        """The weak entity tag of this version."""
        return f'W/"{self.number}"'


@dataclass(frozen=True, slots=True)
class Operation:
    """One request: of a client alone, or an entry of a transaction."""

    method: str
    type: str
    id: str = ""
    resource: Resource | None = None
    if_match: str = ""
    if_none_exist: str = ""
    full_url: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one operation did; ``changed`` is False where everything already stood so."""

    status: int
    version: Version | None
    changed: bool


class Resources:
    """All current versions. ``do`` computes effects without keeping them; ``keep`` makes them so."""

    def __init__(self) -> None:
        self._versions: dict[str, Version] = {}

    def __iter__(self) -> Iterator[Version]:
        return iter(self._versions.values())

    def read(self, type_: str, id_: str) -> Version:
        """The current version; refuses with 404 or, once deleted, 410."""
        version = self._versions.get(f"{type_}/{id_}")
        if version is None:
            raise Refusal(404, "not-found", "no such resource")
        if version.resource is None:
            raise Refusal(410, "deleted", "the resource was deleted")
        return version

    def search(self, type_: str, terms: list[tuple[str, str]]) -> list[Version]:
        """The resources of a type that meet every term; 400 for a parameter that is not offered."""
        return _search(self._versions, type_, terms)

    def do(self, operations: list[Operation], at: str, new_ids: Iterator[str]) -> list[Effect]:
        """The effects of ``operations``, in their order, as one transaction; nothing is kept yet."""
        draft = ChainMap[str, Version]({}, self._versions)
        operations = [replace(o, full_url=o.full_url or f"#{n}") for n, o in enumerate(operations)]
        known = _assign(operations, draft, new_ids)
        effects: dict[int, Effect] = {}
        for index in sorted(range(len(operations)), key=lambda i: _ORDER.get(operations[i].method, 9)):
            operation = operations[index]
            effects[index] = _METHODS[operation.method](operation, known, draft, at)
        return [effects[index] for index in range(len(operations))]

    def keep(self, versions: Iterable[Version]) -> None:
        """Make these the current versions."""
        for version in versions:
            self._versions[version.key] = version


def stamped(version: Version) -> Resource:
    """The resource with ``meta.versionId`` and ``meta.lastUpdated``."""
    resource = version.resource or {}
    meta = {**resource.get("meta", {}), "versionId": str(version.number), "lastUpdated": version.at}
    return {"resourceType": resource["resourceType"], "id": resource["id"], "meta": meta} | {
        name: value for name, value in resource.items() if name not in ("resourceType", "id", "meta")
    }


# --- the methods -----------------------------------------------------------------------------------

_Draft = MutableMapping[str, Version]
_Known = dict[str, str]  # fullUrl -> "Type/id", for the references of a transaction


def _put(operation: Operation, known: _Known, draft: _Draft, at: str) -> Effect:
    key = f"{operation.type}/{operation.id}"
    content = _checked(operation, known)
    if content.get("id") != operation.id:
        raise Refusal(400, "invalid", "the id of the body is not the id of the address", "id")
    before = draft.get(key)
    _match(operation.if_match, before)
    return _written(key, content, before, draft, at)


def _post(operation: Operation, known: _Known, draft: _Draft, at: str) -> Effect:
    key = known[operation.full_url]
    if operation.if_none_exist and key in draft and draft[key].resource is not None:
        return Effect(200, draft[key], False)
    content = _checked(operation, known) | {"id": key.partition("/")[2]}
    return _written(key, content, draft.get(key), draft, at)


def _delete(operation: Operation, known: _Known, draft: _Draft, at: str) -> Effect:
    before = draft.get(f"{operation.type}/{operation.id}")
    _match(operation.if_match, before)
    if before is None or before.resource is None:
        return Effect(204, before, False)
    after = Version(before.key, before.number + 1, at, None)
    draft[before.key] = after
    return Effect(204, after, True)


def _get(operation: Operation, known: _Known, draft: _Draft, at: str) -> Effect:
    version = draft.get(f"{operation.type}/{operation.id}")
    if version is None or version.resource is None:
        raise Refusal(404, "not-found", "no such resource")
    return Effect(200, version, False)


_METHODS: Final = {"PUT": _put, "POST": _post, "DELETE": _delete, "GET": _get}


def _written(key: str, content: Resource, before: Version | None, draft: _Draft, at: str) -> Effect:
    exists = before is not None and before.resource is not None
    if before is not None and _same(before.resource, content):
        return Effect(200, before, False)
    after = Version(key, before.number + 1 if before else 1, at, content)
    draft[key] = after
    return Effect(200 if exists else 201, after, True)


def _same(one: Any, other: Any) -> bool:
    """Equal, and every number with the same digits: 0.40 is not 0.4 in FHIR."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other))
    return type(one) is type(other) and one == other and str(one) == str(other)


def _match(if_match: str, before: Version | None) -> None:
    if if_match and (before is None or if_match != before.etag):
        raise Refusal(412, "conflict", "If-Match names a version that is not the current one")


def _assign(operations: list[Operation], draft: _Draft, new_ids: Iterator[str]) -> _Known:
    """Where each entry will live, before anything is written: references may point forward."""
    known: _Known = {}
    for operation in operations:
        if operation.method not in _METHODS:
            raise Refusal(405, "not-supported", "only DELETE, POST, PUT and GET are offered")
        key = f"{operation.type}/{operation.id or _created_id(operation, draft, new_ids)}"
        if key in known.values():
            raise Refusal(400, "invalid", "two entries are about the same resource")
        known[operation.full_url] = key
    return known


def _created_id(operation: Operation, draft: _Draft, new_ids: Iterator[str]) -> str:
    if not operation.if_none_exist:
        return next(new_ids)
    found = _search(draft, operation.type, parse_qsl(operation.if_none_exist))
    if len(found) > 1:
        raise Refusal(412, "multiple-matches", "the condition of this create fits more than one resource")
    return found[0].key.partition("/")[2] if found else next(new_ids)


def _search(
    versions: MutableMapping[str, Version], type_: str, terms: list[tuple[str, str]]
) -> list[Version]:
    for name, value in terms:
        if matches(name, value, {}, "2000-01-01T00:00:00.000Z") is None:
            raise Refusal(400, "not-supported", "this search parameter or its value is not offered")
    return [
        version
        for version in versions.values()
        if version.key.startswith(f"{type_}/")
        and version.resource is not None
        and all(matches(name, value, version.resource, version.at) for name, value in terms)
    ]


# --- content ---------------------------------------------------------------------------------------


def _checked(operation: Operation, known: _Known) -> Resource:
    content = operation.resource
    if not isinstance(content, dict) or content.get("resourceType") != operation.type:
        raise Refusal(400, "invalid", "the body is no resource of the type of the address", "resourceType")
    if operation.id and not _ID.fullmatch(operation.id):
        raise Refusal(400, "value", "an id has 1 to 64 letters, digits, hyphens and dots", "id")
    if not isinstance(content.get("meta", {}), dict):
        raise Refusal(422, "invalid", "meta is no object", f"{operation.type}.meta")
    for path in _empty_elements(content, operation.type):
        raise Refusal(422, "invalid", "an element is empty", path)
    content = _pointed(content, known)
    meta = {k: v for k, v in content.get("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    return {k: v for k, v in content.items() if k != "meta"} | ({"meta": meta} if meta else {})


def _pointed(value: Any, known: _Known) -> Any:
    """``value`` with the references to other entries of its transaction made real."""
    if isinstance(value, list):
        return [_pointed(item, known) for item in value]
    if not isinstance(value, dict):
        return value
    pointed = {name: _pointed(item, known) for name, item in value.items()}
    if isinstance(value.get("reference"), str):
        pointed["reference"] = known.get(value["reference"], value["reference"])
    return pointed


def _empty_elements(value: Any, path: str) -> Iterator[str]:
    if value in ("", [], {}):
        yield path
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from [f"{path}.{name}"] if item is None else _empty_elements(item, f"{path}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _empty_elements(item, f"{path}[{index}]")
