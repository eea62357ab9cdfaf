"""The interactions of FHIR R4's RESTful API (http.html) over a ledger, without the HTTP around them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from connector.demo.access import permit
from connector.demo.ledger import Ledger
from connector.demo.resources import Effect, Operation, Refusal, Resource, Version, stamped
from connector.errors import ResourceError
from connector.fhir import json

_VERBS: Final = {"GET": "r", "PUT": "u", "DELETE": "d", "POST": "c"}
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class Call:
    """One request below the base address."""

    method: str
    type: str = ""
    id: str = ""
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: Resource | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Interactions:
    """``check`` turns an Authorization header into the claims of who asks, or refuses."""

    def __init__(self, ledger: Ledger, base: str, check: Callable[[str], dict[str, Any]]) -> None:
        self._ledger, self._base, self._check = ledger, base, check

    def answer(self, call: Call) -> Reply:
        """The answer to any call: every refusal is an OperationOutcome."""
        try:
            return self._route(call)
        except Refusal as refusal:
            headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
            return Reply(refusal.status, refusal.outcome, headers)
        except ResourceError as error:
            return Reply(error.answer.status, Refusal(0, error.answer.issue, error.what).outcome)

    def _route(self, call: Call) -> Reply:
        if (call.method, call.type) == ("GET", "metadata"):
            return Reply(200, _capabilities(self._base))
        claims = self._check(call.headers.get("authorization", ""))
        if call.method == "POST" and not call.type:
            return self._bundle(call, claims)
        if call.method == "GET" and call.type and not call.id:
            return self._search(call, claims)
        if call.method == "GET" and call.id:
            permit(claims["scope"], call.type, "r")
            return self._reply(Effect(200, self._ledger.resources.read(call.type, call.id), False))
        if (call.method in ("PUT", "DELETE") and call.id) or (call.method == "POST" and not call.id):
            return self._reply(self._write([_operation(call)], claims)[0])
        raise Refusal(405, "not-supported", "this interaction is not offered")

    def _write(self, operations: list[Operation], claims: dict[str, Any]) -> list[Effect]:
        for operation in operations:
            permit(claims["scope"], operation.type, _VERBS.get(operation.method, "?"))
        at = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        effects = self._ledger.resources.do(operations, at, _new_ids())
        self._ledger.write(effects, claims["client_id"], at)
        return effects

    def _reply(self, effect: Effect) -> Reply:
        version = effect.version
        if version is None:
            return Reply(effect.status)
        headers = {"ETag": version.etag, "Last-Modified": _http_date(version.at)}
        if effect.status == 201:
            headers["Location"] = f"{self._base}/{version.key}/_history/{version.number}"
        return Reply(effect.status, stamped(version) if version.resource else None, headers)

    def _search(self, call: Call, claims: dict[str, Any]) -> Reply:
        permit(claims["scope"], call.type, "s")
        terms = [(name, value) for name, value in call.query if name not in ("_count", "_offset")]
        found = self._ledger.resources.search(call.type, terms)
        count, offset = _number(call.query, "_count", _PAGE), _number(call.query, "_offset", 0)
        page = found[offset : offset + count]
        bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
        if count and len(found) > offset + count:
            query = urlencode([*terms, ("_count", count), ("_offset", offset + count)])
            bundle["link"] = [{"relation": "next", "url": f"{self._base}/{call.type}?{query}"}]
        if page:
            bundle["entry"] = [self._match(version) for version in page]
        return Reply(200, bundle)

    def _match(self, version: Version) -> Resource:
        full_url = f"{self._base}/{version.key}"
        return {"fullUrl": full_url, "resource": stamped(version), "search": {"mode": "match"}}

    def _bundle(self, call: Call, claims: dict[str, Any]) -> Reply:
        bundle = json.loads(call.body)
        if not isinstance(bundle, dict) or bundle.get("resourceType") != "Bundle":
            raise Refusal(400, "invalid", "post a Bundle here")
        entries = bundle.get("entry", [])
        if not isinstance(entries, list):
            raise Refusal(400, "structure", "the entries are no list", "Bundle.entry")
        operations = [_entry(entry, index) for index, entry in enumerate(entries)]
        if bundle.get("type") == "transaction":
            answers = [self._response(effect) for effect in self._write(operations, claims)]
        elif bundle.get("type") == "batch":
            answers = [self._alone(operation, claims) for operation in operations]
        else:
            raise Refusal(400, "invalid", "the Bundle is no transaction and no batch", "Bundle.type")
        return Reply(200, {"resourceType": "Bundle", "type": f"{bundle['type']}-response", "entry": answers})

    def _alone(self, operation: Operation, claims: dict[str, Any]) -> Resource:
        try:
            return self._response(self._write([operation], claims)[0])
        except Refusal as refusal:
            return {"response": {"status": str(refusal.status), "outcome": refusal.outcome}}

    def _response(self, effect: Effect) -> Resource:
        response: Resource = {"status": str(effect.status)}
        if effect.version:
            version = effect.version
            response |= {"etag": version.etag, "lastModified": version.at}
            response["location"] = f"{version.key}/_history/{version.number}"
        return {"response": response}


def _operation(call: Call) -> Operation:
    content = json.loads(call.body) if call.method != "DELETE" else None
    match, condition = call.headers.get("if-match", ""), call.headers.get("if-none-exist", "")
    return Operation(call.method, call.type, call.id, content, match, condition)


def _entry(entry: Any, index: int) -> Operation:
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or not all(isinstance(v, str) for v in request.values()):
        request = {}
    if not request.get("method") or not request.get("url"):
        raise Refusal(400, "required", "every entry says what it asks for", f"Bundle.entry[{index}].request")
    type_, _, id_ = request["url"].partition("/")
    if "?" in request["url"] or (request["method"] == "POST") == bool(id_):
        raise Refusal(400, "not-supported", "ask by type and id", f"Bundle.entry[{index}].request.url")
    return Operation(
        request["method"],
        type_,
        id_,
        entry.get("resource"),
        request.get("ifMatch", ""),
        request.get("ifNoneExist", ""),
        entry.get("fullUrl", ""),
    )


def _new_ids() -> Iterator[str]:
    while True:
        yield str(uuid.uuid4())


def _number(query: list[tuple[str, str]], name: str, default: int) -> int:
    value = dict(query).get(name, str(default))
    if not value.isdecimal():
        raise Refusal(400, "value", f"{name} is a number")
    return int(value)


def _http_date(instant: str) -> str:
    return dt.datetime.fromisoformat(instant).strftime("%a, %d %b %Y %H:%M:%S GMT")


def path_of(rest: str) -> tuple[str, str]:
    """Type and id of the path below the base address; anything longer is not offered."""
    type_, _, id_ = rest.strip("/").partition("/")
    if "/" in id_:
        raise Refusal(404, "not-supported", "only Type and Type/id are offered")
    return type_, id_


def query_of(text: str) -> list[tuple[str, str]]:
    """The search terms of a query string."""
    return parse_qsl(text, keep_blank_values=True)


def _capabilities(base: str) -> Resource:
    codes = ("read", "update", "delete", "create", "search-type")
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-01",
        "kind": "instance",
        "implementation": {"description": "Sandbox of the demo site", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {
                "mode": "server",
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "documentation": f"Every resource type, with {', '.join(codes)}.",
                "searchParam": [
                    {"name": "identifier", "type": "token"},
                    {"name": "_id", "type": "token"},
                    {"name": "_lastUpdated", "type": "date"},
                ],
            }
        ],
    }
