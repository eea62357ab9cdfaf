"""The invariants of FHIR R4 that the tables cannot say and that partners get wrong most.

Each function is one rule of the specification, named by its key; it gets the object and its FHIRPath.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from connector.errors import InvalidResource, RequiredElementMissing
from connector.fhir import references
from connector.fhir.invariants import INVARIANTS

Findings = Iterator[InvalidResource]
Rule = Callable[[dict[str, Any], str], Findings]


def of(kind: str, node: dict[str, Any], path: str) -> Findings:
    """The faults by the rules of this type."""
    for rule in RULES.get(kind, ()):
        yield from rule(node, path)
    for invariant in INVARIANTS.get(kind, ()):
        if not invariant.holds(node):
            yield InvalidResource(invariant.what, location=f"{path}.{invariant.at}" if invariant.at else path)


def ext_1(node: dict[str, Any], path: str) -> Findings:
    """An extension has a value or extensions, not both and not neither."""
    valued = any(name.lstrip("_").startswith("value") for name in node)
    if valued == ("extension" in node):
        yield InvalidResource("an extension has either a value or extensions", location=path)


def per_1(node: dict[str, Any], path: str) -> Findings:
    """A period does not end before it starts (compared on the days, whose order needs no zone)."""
    start, end = node.get("start"), node.get("end")
    if isinstance(start, str) and isinstance(end, str):
        shared = min(len(start), len(end), len("2024-01-01"))
        if end[:shared] < start[:shared] and not ("T" in start and "T" in end and _next_to(start, end)):
            yield InvalidResource("the period ends before it starts", location=path)


def _next_to(start: str, end: str) -> bool:
    """Two offsets can put the same moment on two days of the calendar."""
    return start[-6:] != end[-6:]


def contained(node: dict[str, Any], path: str) -> Findings:
    """ref-1, dom-2 to dom-5: what is contained contains nothing, is referred to, and has no version."""
    inside = _objects(node.get("contained"))
    for index, inner in enumerate(inside):
        where = f"{path}.contained[{index}]"
        if "contained" in inner:
            yield InvalidResource("a contained resource contains another", location=f"{where}.contained")
        meta = inner.get("meta")
        if isinstance(meta, dict) and meta.keys() & {"versionId", "lastUpdated", "security"}:
            yield InvalidResource("a contained resource has no version or label", location=f"{where}.meta")
        if not any(f"#{inner.get('id')}" == text for text in _texts(node)) and "#" not in _texts(inner):
            yield InvalidResource("nothing refers to the contained resource", location=where)
    named = {f"#{one.get('id')}" for one in inside} | {"#"}
    for at, one in references.walk(node, path):
        if one["reference"].startswith("#") and one["reference"] not in named:
            yield InvalidResource("no contained resource has this id", location=f"{at}.reference")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def bdl_3(node: dict[str, Any], path: str) -> Findings:
    """Every entry of a transaction or batch has a request."""
    if node.get("type") in ("transaction", "batch"):
        for index, entry in enumerate(_objects(node.get("entry"))):
            if "request" not in entry:
                yield RequiredElementMissing(
                    "the entry says no request", location=f"{path}.entry[{index}].request"
                )


def bdl_7(node: dict[str, Any], path: str) -> Findings:
    """A fullUrl occurs once for each version of its resource (a history bundle aside)."""
    seen: set[tuple[str, Any]] = set()
    for index, entry in enumerate(_objects(node.get("entry"))):
        url = entry.get("fullUrl")
        if isinstance(url, str) and node.get("type") not in ("history", "batch"):
            if (url, _version(entry)) in seen:
                yield InvalidResource("the fullUrl occurs twice", location=f"{path}.entry[{index}].fullUrl")
            seen.add((url, _version(entry)))


def _version(entry: dict[str, Any]) -> str:
    resource = entry.get("resource")
    meta = resource.get("meta") if isinstance(resource, dict) else None
    return str(meta.get("versionId", "")) if isinstance(meta, dict) else ""


def bdl_12(node: dict[str, Any], path: str) -> Findings:
    """A message begins with its MessageHeader."""
    if node.get("type") == "message":
        first = next(iter(_objects(node.get("entry"))), {}).get("resource")
        if not isinstance(first, dict) or first.get("resourceType") != "MessageHeader":
            yield RequiredElementMissing(
                "a message begins with a MessageHeader", location=f"{path}.entry[0].resource"
            )


def request_body(node: dict[str, Any], path: str) -> Findings:
    """A POST or PUT of a bundle carries its resource, and a PUT names the id that the resource has."""
    for index, entry in enumerate(_objects(node.get("entry"))):
        request, resource = entry.get("request"), entry.get("resource")
        method = request.get("method") if isinstance(request, dict) else None
        if method in ("POST", "PUT") and not isinstance(resource, dict):
            yield RequiredElementMissing(
                "the request carries no resource", location=f"{path}.entry[{index}].resource"
            )
        elif method in ("POST", "PUT") and isinstance(request, dict) and isinstance(resource, dict):
            yield from _same_target(method, request.get("url"), resource, f"{path}.entry[{index}]")


def _same_target(method: str, url: Any, resource: dict[str, Any], path: str) -> Findings:
    kind, identity = resource.get("resourceType"), resource.get("id")
    expected = str(kind) if method == "POST" else f"{kind}/{identity}"
    conditional = method == "PUT" and isinstance(url, str) and url.startswith(f"{kind}?")
    operation = method == "POST" and isinstance(url, str) and "$" in url
    if url != expected and not conditional and not operation:
        yield InvalidResource(
            "the url of the request is not that of its resource", location=f"{path}.request.url"
        )


RULES: Final[dict[str, tuple[Rule, ...]]] = {
    "Extension": (ext_1,),
    "Period": (per_1,),
    "Bundle": (bdl_3, bdl_7, bdl_12, request_body),
}
