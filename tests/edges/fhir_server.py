"""A FHIR R4 server in memory for the tests: versions, conditions, transactions, batches, messages.

``FhirServer`` is a reply of ``partner_site.Partner``: it answers what is asked over TLS. It is written from
https://hl7.org/fhir/R4/http.html and shares nothing with the connector but how decimals are written.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from connector.fhir import json

from .partner_site import FHIR_JSON, Asked
from .partner_site import answer as over_http

Json = dict[str, Any]


def answer(status: int, body: Json | bytes = b"", kind: str = FHIR_JSON, **headers: str) -> bytes:
    """As ``partner_site`` does, with decimals as they were sent."""
    return over_http(status, body if isinstance(body, bytes) else json.dumps(body), kind, **headers)


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, code: str, where: str = "") -> None:
        super().__init__(f"{status} {code} {where}")
        self.status = status
        issue: Json = {"severity": "error", "code": code, "diagnostics": "Everywoman"}
        if where:
            issue["expression"] = [where]
        self.outcome = {"resourceType": "OperationOutcome", "issue": [issue]}


@dataclass
class Done:
    """An answer that is one."""

    status: int
    key: str = ""
    version: int = 0


@dataclass
class FhirServer:
    """``refuses``: statuses by key or type, that an entry or request about it gets, each once.

    ``client_ids``: whether a PUT may create; ``places``: whether answers name what was written; ``tags``:
    whether they name its version; ``whole``: references must lead to something that is there;
    ``each``: every write makes a version, also one that changes nothing.
    """

    client_ids: bool = True
    places: bool = True
    tags: bool = True
    whole: bool = False
    each: bool = False
    refuses: dict[str, list[int]] = field(default_factory=dict)
    versions: dict[str, list[Json | None]] = field(default_factory=dict)
    messages: list[Json] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # "PUT Patient/p1": what was asked, entry by entry
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(100))

    def __call__(self, asked: Asked) -> bytes:
        path = unquote(asked.path.removeprefix("/fhir").lstrip("/"))
        body: Any = json.loads(asked.body) if asked.body else None
        try:
            if asked.method == "POST" and path == "$process-message":
                return self._process(body)
            if asked.method == "POST" and not path:
                return answer(200, self._bundle(body))
            if asked.method == "GET":
                return self._got(path)
            headers = {"ifMatch": "if-match", "ifNoneExist": "if-none-exist"}
            request = {
                name: asked.headers[header] for name, header in headers.items() if header in asked.headers
            }
            return self._one(self._do({"method": asked.method, "url": path, **request}, body, {}))
        except Refused as refused:
            return answer(refused.status, refused.outcome)

    # --- what tests look at, and do

    def now(self, key: str) -> Json:
        """A resource as it stands."""
        found = self.versions[key][-1]
        assert found is not None
        return found

    def of(self, kind: str) -> list[Json]:
        """The resources of a type that are there."""
        return [
            now for key, all_ in self.versions.items() if key.startswith(f"{kind}/") and (now := all_[-1])
        ]

    def edit(self, key: str, **changed: Any) -> None:
        """Somebody else writes."""
        self._write(key, {**self.now(key), **changed})

    def count(self) -> dict[str, int]:
        """How many versions of each resource there were."""
        return {key: len(all_) for key, all_ in self.versions.items()}

    # --- interactions

    def _process(self, bundle: Json) -> bytes:
        assert bundle["type"] == "message"
        assert bundle["entry"][0]["resource"]["resourceType"] == "MessageHeader"
        self.messages.append(bundle)
        header = {"resourceType": "MessageHeader", "response": {"code": "ok", "identifier": "x"}}
        return answer(200, {"resourceType": "Bundle", "type": "message", "entry": [{"resource": header}]})

    def _got(self, path: str) -> bytes:
        self.requests.append(f"GET {path}")
        self._maybe_refuse(path)
        if "?" in path:
            kind, _, query = path.partition("?")
            entries = [{"resource": self._stamped(key)} for key in self._matching(kind, query)]
            return answer(200, {"resourceType": "Bundle", "type": "searchset", "entry": entries})
        if path not in self.versions:
            raise Refused(404, "not-found")
        if self.versions[path][-1] is None:
            raise Refused(410, "deleted")
        return answer(200, self._stamped(path), etag=f'W/"{len(self.versions[path])}"')

    def _one(self, done: Done) -> bytes:
        headers = {"etag": f'W/"{done.version}"'} if self.tags and done.version else {}
        if self.places and done.key:
            headers["location"] = f"https://x.test/fhir/{done.key}/_history/{done.version}"
        return answer(done.status, b"", "", **headers)

    def _bundle(self, bundle: Json) -> Json:
        entries = bundle["entry"]
        if bundle["type"] == "batch":
            return self._answered("batch", [self._alone(entry) for entry in entries])
        before = {key: list(all_) for key, all_ in self.versions.items()}
        try:
            known = {entry["fullUrl"]: self._key_of(entry) for entry in entries if "fullUrl" in entry}
            done = [self._entry(entry, known, number) for number, entry in enumerate(entries)]
            for entry in entries:
                self._check_references(known.get(entry.get("fullUrl", ""), ""))
        except Refused:
            self.versions = before
            raise
        return self._answered("transaction", [self._said(one) for one in done])

    def _answered(self, kind: str, responses: list[Json]) -> Json:
        entries = [{"response": response} for response in responses]
        return {"resourceType": "Bundle", "type": f"{kind}-response", "entry": entries}

    def _alone(self, entry: Json) -> Json:
        try:
            done = self._do(entry["request"], entry.get("resource"), {})
            self._check_references(done.key)
            return self._said(done)
        except Refused as refused:
            return {"status": str(refused.status), "outcome": refused.outcome}

    def _entry(self, entry: Json, known: dict[str, str], number: int) -> Done:
        try:
            return self._do(
                entry["request"], entry.get("resource"), known, known.get(entry.get("fullUrl", ""))
            )
        except Refused as refused:
            refused.outcome["issue"][0]["expression"] = [f"Bundle.entry[{number}].resource"]
            raise

    def _said(self, done: Done) -> Json:
        said: Json = {"status": str(done.status)}
        if self.tags and done.version:
            said["etag"] = f'W/"{done.version}"'
        if self.places and done.key:
            said["location"] = f"{done.key}/_history/{done.version}"
        return said

    def _key_of(self, entry: Json) -> str:
        """Where an entry of a transaction will stand, before anything is written."""
        request = entry["request"]
        kind, _, rest = request["url"].partition("?")
        if "/" in kind:
            return str(kind)
        query = rest or request.get("ifNoneExist", "")
        found = self._matching(kind, query) if query else []
        if len(found) > 1:
            raise Refused(412, "multiple-matches")
        return found[0] if found else f"{kind}/s{next(self._ids)}"

    def _do(self, request: Json, resource: Any, known: dict[str, str], at: str | None = None) -> Done:
        method, url = request["method"], unquote(request["url"])
        self.requests.append(f"{method} {url}")
        self._maybe_refuse(url)
        key = at or self._key_of({"request": {**request, "url": url}})
        there = self.versions.get(key, [None])[-1]
        if method == "DELETE":
            self._write(key, None)
            return Done(204)
        if request.get("ifMatch") not in (None, f'W/"{len(self.versions.get(key, []))}"'):
            raise Refused(412, "conflict")
        if method == "POST" and there is not None and request.get("ifNoneExist"):
            return Done(200, key, len(self.versions[key]))
        if method == "PUT" and "?" not in url and there is None and not self.client_ids:
            raise Refused(405, "not-supported")
        if "?" in url and "id" in resource and resource["id"] != key.partition("/")[2]:
            raise Refused(400, "invalid")
        self._write(key, _pointed({**resource, "id": key.partition("/")[2]}, known, self))
        return Done(201 if there is None else 200, key, len(self.versions[key]))

    def _write(self, key: str, resource: Json | None) -> None:
        all_ = self.versions.setdefault(key, [])
        if self.each or not all_ or all_[-1] != resource:
            all_.append(resource)

    def _maybe_refuse(self, url: str) -> None:
        for name in (url, re.split("[/?]", url)[0]):
            if self.refuses.get(name):
                raise Refused(self.refuses[name].pop(0), "business-rule")

    def _check_references(self, key: str) -> None:
        now = self.versions.get(key, [None])[-1]
        for reference in _references(now) if self.whole else ():
            if self.versions.get(reference, [None])[-1] is None:
                raise Refused(422, "not-found", reference)

    def _stamped(self, key: str) -> Json:
        now = self.now(key)
        return {**now, "meta": {**now.get("meta", {}), "versionId": str(len(self.versions[key]))}}

    def _matching(self, kind: str, query: str) -> list[str]:
        name, _, token = unquote(query).partition("=")
        system, _, value = token.partition("|")
        return [
            key
            for key, all_ in self.versions.items()
            if key.startswith(f"{kind}/") and all_[-1] is not None and _has(all_[-1], name, system, value)
        ]


def _has(resource: Json, name: str, system: str, value: str) -> bool:
    if name == "_tag":
        tags = resource.get("meta", {}).get("tag", [])
        return any((one.get("system"), one.get("code")) == (system, value) for one in tags)
    assert name == "identifier", name
    listed = resource.get("identifier", [])
    listed = listed if isinstance(listed, list) else [listed]
    return any((one.get("system"), one.get("value")) == (system, value) for one in listed)


def _pointed(node: Any, known: dict[str, str], server: FhirServer) -> Any:
    if isinstance(node, list):
        return [_pointed(child, known, server) for child in node]
    if not isinstance(node, dict):
        return node
    copy = {name: _pointed(child, known, server) for name, child in node.items()}
    reference = copy.get("reference")
    if isinstance(reference, str):
        copy["reference"] = known.get(reference, reference)
        kind, asks, query = reference.partition("?")
        if asks:
            (copy["reference"],) = server._matching(kind, query)
    return copy


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for child in node:
            yield from _references(child)
    elif isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        for child in node.values():
            yield from _references(child)
