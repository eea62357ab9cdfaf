"""Literal references between resources (https://hl7.org/fhir/R4/references.html#literal).

A reference is relative (``Patient/p1``, perhaps with ``/_history/3``), absolute, a urn, a fragment of
the resource it stands in (``#x``), or, in a transaction, a search (``Patient?identifier=...``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from connector.errors import UnresolvedReference

ID: Final = r"[A-Za-z0-9\-.]{1,64}"
_RELATIVE: Final = re.compile(rf"([A-Z][A-Za-z]+)/({ID})(?:/_history/({ID}))?\Z")
_TAIL: Final = re.compile(rf"/([A-Z][A-Za-z]+)/({ID})(?:/_history/({ID}))?\Z")
_ABSOLUTE: Final = re.compile(r"https?://[^\s/?#][^\s?#]*\Z")
_URN: Final = re.compile(
    r"urn:(?:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|oid:[0-2](?:\.(?:0|[1-9]\d*))+)\Z"
)
_SEARCH: Final = re.compile(r"([A-Z][A-Za-z]+)\?\S+\Z")


class Target(NamedTuple):
    """What a reference says about its target; ``""`` for what it does not say."""

    form: str  # relative, absolute, urn, fragment, search
    type: str = ""
    id: str = ""
    version: str = ""


def parse(text: str) -> Target | None:
    """The parts of ``Reference.reference``; None when it has none of the five forms."""
    if found := _RELATIVE.match(text):
        return Target("relative", found[1], found[2], found[3] or "")
    if text.startswith("#"):
        return Target("fragment", id=text[1:])
    if _ABSOLUTE.match(text):
        tail = _TAIL.search(text)
        return Target("absolute", *(tail.groups(default="") if tail else ()))
    if _URN.match(text):
        return Target("urn")
    if found := _SEARCH.match(text):
        return Target("search", found[1])
    return None


def walk(resource: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every element with a literal reference in it: its FHIRPath and the element itself (not a copy).

    ``path`` replaces the name of the resource's type as the beginning. In a bundle the paths begin with
    ``Bundle.entry[n].resource``. A property called ``reference`` that is no text (as in ``Provenance``
    or ``Consent``) is no literal reference and is passed by.
    """
    yield from _walk(resource, path or str(resource.get("resourceType", "")))


def _walk(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _walk(child, f"{path}[{index}]")
    elif isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield path, node
        for name, child in node.items():
            if isinstance(child, dict | list):
                yield from _walk(child, f"{path}.{name}")


def index(bundle: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The resources of a bundle by what may refer to them: ``fullUrl``, ``Type/id``, both with version."""
    known: dict[str, dict[str, Any]] = {}
    for entry in bundle.get("entry", ()):
        resource = entry.get("resource")
        if isinstance(resource, dict):
            known.update(dict.fromkeys(_names(entry, resource), resource))
    return known


def _names(entry: dict[str, Any], resource: dict[str, Any]) -> Iterator[str]:
    if entry.get("fullUrl"):
        yield entry["fullUrl"]
    if resource.get("id"):
        yield f"{resource.get('resourceType')}/{resource['id']}"


def resolve(reference: str, known: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The resource that a reference names, out of ``index(bundle)``; a version in it is not compared.

    An absolute reference is found under its ``fullUrl`` only: another server's ``Patient/1`` is not ours.
    """
    found = known.get(reference)
    target = parse(reference)
    if found is None and target is not None and target.form == "relative":
        found = known.get(f"{target.type}/{target.id}")
    return found


def unresolved(
    bundle: dict[str, Any], known: dict[str, dict[str, Any]] | None = None
) -> list[UnresolvedReference]:
    """References of a bundle that name none of its resources and none of ``known``.

    Searches and other servers' addresses are for somebody else to resolve and are not listed.
    """
    within = index(bundle) | (known or {})
    found = []
    for number, entry in enumerate(bundle.get("entry", ())):
        resource = entry.get("resource") or {}
        for path, element in walk(resource, f"Bundle.entry[{number}].resource"):
            if _dangling(element["reference"], within, resource):
                found.append(_error(f"{path}.reference"))
    return found


def _dangling(reference: str, within: dict[str, dict[str, Any]], resource: dict[str, Any]) -> bool:
    target = parse(reference)
    if target is None:
        return True
    if target.form == "fragment":
        contained = resource.get("contained", ())
        return bool(target.id) and all(one.get("id") != target.id for one in contained)
    return target.form in ("relative", "urn") and resolve(reference, within) is None


def _error(location: str) -> UnresolvedReference:
    return UnresolvedReference(
        "the reference names no resource that is known here",
        fix="send the resource in the same bundle, or before",
        location=location,
    )


def referred(resource: Any) -> Iterator[str]:
    """``Type/id`` of every relative reference in a resource."""
    for _, element in walk(resource):
        target = parse(element["reference"])
        if target is not None and target.form == "relative":
            yield f"{target.type}/{target.id}"
