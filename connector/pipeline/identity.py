"""How a resource is known at the FHIR side, and what asks it to be written there: pure.

Three ways, by profile. ``client``: our deterministic ids, written by PUT. ``conditional``: the first time
by PUT on a search for one of its identifiers; ``server``: the first time by POST with ``If-None-Exist``.
After that under the id that the server gave, which its answer tells. What has no identifier gets one of
ours, whose value is the deterministic id: the same resource sent twice is found, not created again.

Sources: https://hl7.org/fhir/R4/http.html (conditional create and update, references in a transaction),
references.html (logical references).
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

from connector.fhir.elements import shape
from connector.profile.model import Profile

Json = dict[str, Any]
Ids = Literal["client", "conditional", "server"]

_SPACE: Final = uuid.UUID("5bfc6fd4-9ad5-5a0b-8a3e-3c7f0f9f8a51")  # of names that are made here
_STALE: Final = frozenset({"old", "temp"})  # Identifier.use
_MEANT: Final = {  # which identifiers (table 0203) name a resource of its type, the best first
    "Patient": ("MR", "PI", "PT", "NI", "NH", "SS", "SB"),
    "Encounter": ("VN",),
    "Account": ("AN",),
    "ServiceRequest": ("PLAC", "FILL"),
    "DiagnosticReport": ("FILL", "PLAC"),
    "Practitioner": ("NPI", "LN", "EI", "PRN"),
}


_OF_ANOTHER: Final = frozenset({"PLAC", "FILL", "AN", "VN"})  # which other types have too: an order's number


class Known(NamedTuple):
    """What a resource is found by: an identifier, or a tag where its type has none."""

    parameter: Literal["identifier", "_tag"]
    system: str
    value: str

    @property
    def query(self) -> str:
        """As a search, URL-encoded; what has a meaning in a token is escaped (search.html#escaping)."""
        words = "|".join(_escaped(word) for word in (self.system, self.value))
        return f"{self.parameter}={quote(words, safe=':/')}"


def _escaped(text: str) -> str:
    for mark in "\\$,|":
        text = text.replace(mark, f"\\{mark}")
    return text


def own_system(namespace: str) -> str:
    """The system of identifiers that we give to what has none: follows from the link's namespace."""
    return uuid.uuid5(_SPACE, namespace).urn


def temporary(key: str) -> str:
    """The ``fullUrl`` of a resource whose id is not known yet; the same one at each attempt."""
    return uuid.uuid5(_SPACE, key).urn


@dataclass(frozen=True, slots=True)
class Identity:
    """How the resources of one link are known at its FHIR side."""

    ids: Ids = "client"
    system: str = ""  # of our own identifiers
    searches: bool = False  # a reference may be a search (conditional reference)

    @classmethod
    def of(cls, profile: Profile) -> Identity:
        """As the profile says."""
        chosen = profile.fhir.identity
        system = chosen.system or own_system(profile.namespace)
        return cls(chosen.ids, system, searches=chosen.references == "search")

    def known(self, resources: Mapping[str, Json]) -> dict[str, Known]:
        """What each resource is found by; two of one type that share their identifier are told apart."""
        best = {key: self._best(key, resource) for key, resource in resources.items()}
        times = Counter((key.partition("/")[0], *known) for key, known in best.items())
        return {
            key: known if times[key.partition("/")[0], *known] == 1 else self._own(key)
            for key, known in best.items()
        }

    def _best(self, key: str, resource: Json) -> Known:
        kind = key.partition("/")[0]
        ranked = _MEANT.get(kind, ())
        found: list[tuple[int, Known]] = []
        for one in _identifiers(resource):
            place = _rank(_codes(one), ranked)
            if place is not None and one.get("system") and one.get("value") and one.get("use") not in _STALE:
                found.append((place, Known("identifier", str(one["system"]), str(one["value"]))))
        return min(found, key=lambda each: each[0])[1] if found else self._own(key)

    def _own(self, key: str) -> Known:
        kind, _, identity = key.partition("/")
        described = shape(kind)
        has = described is not None and "identifier" in described.elements
        return Known("identifier" if has else "_tag", self.system, identity)

    def named(self, resource: Json, known: Known) -> Json:
        """The resource with our own identifier or tag, where it is known by that."""
        if known.system != self.system:
            return resource
        if known.parameter == "_tag":
            meta = resource.get("meta") or {}
            tags = [one for one in meta.get("tag", ()) if one.get("system") != self.system]
            tag = {"system": known.system, "code": known.value}
            return {**resource, "meta": {**meta, "tag": [*tags, tag]}}
        others = [one for one in _identifiers(resource) if one.get("system") != self.system]
        ours: Json = {"system": known.system, "value": known.value}
        return {**resource, "identifier": [*others, ours] if _repeats(resource) else ours}

    def without_own(self, resource: Json) -> Json:
        """The resource as v2 may hear of it: without the identifier that only we gave it."""
        ours = [one for one in _identifiers(resource) if one.get("system") == self.system]
        if not self.system or not ours:
            return resource
        others = [one for one in _identifiers(resource) if one.get("system") != self.system]
        copy = {name: value for name, value in resource.items() if name != "identifier"}
        return {**copy, "identifier": others if _repeats(resource) else others[0]} if others else copy

    def first(self, key: str, resource: Json, known: Known) -> Json:
        """The entry for a resource that has no id at the FHIR side yet."""
        kind = key.partition("/")[0]
        request = {"method": "PUT", "url": f"{kind}?{known.query}"}
        if self.ids == "server":
            request = {"method": "POST", "url": kind, "ifNoneExist": known.query}
        content = {name: value for name, value in self.named(resource, known).items() if name != "id"}
        return {"fullUrl": temporary(key), "resource": content, "request": request}


BY_OUR_IDS: Final = Identity()


def update(base: str, key: str, resource: Json, version: str) -> Json:
    """The entry for a resource under the id it has there; ``version``: over which it was made, "" unknown."""
    meta = {name: value for name, value in (resource.get("meta") or {}).items() if name not in _STAMPS}
    content = {name: value for name, value in resource.items() if name != "meta"}
    if meta:
        content["meta"] = meta
    request = {"method": "PUT", "url": key, **({"ifMatch": f'W/"{version}"'} if version else {})}
    return {
        "fullUrl": f"{base}/{key}",
        "resource": {**content, "id": key.partition("/")[2]},
        "request": request,
    }


_STAMPS: Final = frozenset({"versionId", "lastUpdated"})  # the server's own


def pointed(node: Any, where: Callable[[str], Json | None]) -> Any:
    """A copy whose references say what ``where`` answers for their key; None: they stay as they are."""
    if isinstance(node, list):
        return [pointed(child, where) for child in node]
    if not isinstance(node, dict):
        return node
    copy = {name: pointed(child, where) for name, child in node.items()}
    if isinstance(copy.get("reference"), str):
        said = where(copy["reference"])
        if said is not None:
            kept = {name: value for name, value in copy.items() if name not in ("reference", *said)}
            copy = {**said, **kept}
    return copy


def by_search(key: str, known: Known, *, searches: bool) -> Json:
    """A reference to what has no id that we know: a search that the server resolves, else the identifier."""
    kind = key.partition("/")[0]
    if searches:
        return {"reference": f"{kind}?{known.query}"}
    return {"type": kind, "identifier": {"system": known.system, "value": known.value}}


def _identifiers(resource: Json) -> list[Json]:
    listed = resource.get("identifier") or []
    return [one for one in (listed if isinstance(listed, list) else [listed]) if isinstance(one, dict)]


def _codes(identifier: Json) -> list[str]:
    kind = identifier.get("type") or {}
    return [str(coding.get("code")) for coding in kind.get("coding", ()) if isinstance(coding, dict)]


def _rank(codes: Sequence[str], ranked: Sequence[str]) -> int | None:
    """How well an identifier with these types names a resource, 0 the best; None: not at all."""
    places = [ranked.index(code) for code in codes if code in ranked]
    if places:
        return min(places)
    strange = bool(codes) if ranked else bool(_OF_ANOTHER.intersection(codes))
    return None if strange else len(ranked)


def _repeats(resource: Json) -> bool:
    described = shape(str(resource.get("resourceType")))
    return (
        described is None
        or "identifier" not in described.elements
        or described.elements["identifier"].repeats
    )
