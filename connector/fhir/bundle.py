"""Bundles (https://hl7.org/fhir/R4/bundle.html): their entries, and the interactions they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

JsonObject = dict[str, Any]

MESSAGE: Final = "message"
TRANSACTION: Final = "transaction"
BATCH: Final = "batch"


class Interaction(NamedTuple):
    """What one entry asks for."""

    verb: str  # the SMART letter: c create, r read, u update, d delete, s search; "" unknown
    type: str  # resource type; "" when it cannot be told
    id: str  # "" for a create or a conditional interaction
    if_match: str  # as sent, "" when absent
    conditional: bool  # by search (ifNoneExist, or a "?" in the url)
    location: str  # FHIRPath of the entry


_VERBS: Final = {"POST": "c", "PUT": "u", "DELETE": "d"}  # PATCH is none: it carries no resource to judge


def entries(bundle: JsonObject) -> list[JsonObject]:
    """The entries that are objects, in their order; [] for a bundle without."""
    listed = bundle.get("entry")
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def resources(bundle: JsonObject) -> list[JsonObject]:
    """The resources of the entries, in their order."""
    found = (entry.get("resource") for entry in entries(bundle))
    return [resource for resource in found if isinstance(resource, dict)]


def interactions(bundle: JsonObject) -> Iterator[Interaction]:
    """What each entry asks for. A message creates everything it carries (FHIR R4 messaging)."""
    message = bundle.get("type") == MESSAGE
    for number, entry in enumerate(entries(bundle)):
        location = f"Bundle.entry[{number}]"
        yield _carried(entry, location) if message else _asked(entry, location)


def _carried(entry: JsonObject, location: str) -> Interaction:
    return Interaction("c", _type_of(entry), "", "", conditional=False, location=location)


def _type_of(entry: JsonObject) -> str:
    resource = entry.get("resource")
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) else ""


def _asked(entry: JsonObject, location: str) -> Interaction:
    request = entry.get("request")
    request = request if isinstance(request, dict) else {}
    method, url = _text(request, "method"), _text(request, "url")
    path, search, _ = url.partition("?")
    kind, _, identity = path.partition("/")
    verb = _VERBS.get(method) or _reading(method, identity)
    if "$" in path or "/" in identity:  # an operation, a version or a compartment: none of the five verbs
        verb = ""
    conditional = bool(search) or bool(request.get("ifNoneExist"))
    return Interaction(verb, kind, identity, _text(request, "ifMatch"), conditional, location)


def _reading(method: str, identity: str) -> str:
    if method not in ("GET", "HEAD"):
        return ""
    return "r" if identity else "s"


def _text(node: JsonObject, name: str) -> str:
    value = node.get(name)
    return value if isinstance(value, str) else ""


def transaction(base: str, requests: Iterable[tuple[str, JsonObject]]) -> JsonObject:
    """A transaction of (method, resource) pairs, each under ``Type/id``; ``base`` without a last slash."""
    return {
        "resourceType": "Bundle",
        "type": TRANSACTION,
        "entry": [_entry(base, method, resource) for method, resource in requests],
    }


def _entry(base: str, method: str, resource: JsonObject) -> JsonObject:
    url = f"{resource['resourceType']}/{resource['id']}"
    request = {"method": method, "url": url}
    return {"fullUrl": f"{base}/{url}", "resource": resource, "request": request}


def response(kind: str, statuses: Iterable[str]) -> JsonObject:
    """The answer to a transaction or batch: one entry a status line, such as ``202 Accepted``."""
    answered = [{"response": {"status": status}} for status in statuses]
    return {"resourceType": "Bundle", "type": f"{kind}-response", **({"entry": answered} if answered else {})}
