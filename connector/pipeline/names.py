"""One resource, two names: ours, which follows from the partner's identifiers, and the FHIR side's own.

What comes from v2 gets a deterministic id. What is created at the FHIR side has an id of that side
already; the first v2 message that speaks of it tells which deterministic id belongs to it, and from then
on both stand for one resource. Both directions are kept in the journal, as entries of no resource type.
A key is ``Type/id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from connector.store import JournalEntry, Store

Json = dict[str, Any]
Resources = dict[str, Json]

_THEIRS: Final = "name-at-fhir:"  # + our key: the FHIR side's
_OURS: Final = "name-here:"  # + the FHIR side's key: ours


async def theirs(store: Store, link: str, keys: Iterable[str]) -> dict[str, str]:
    """The FHIR side's keys for those of ours that have another one there."""
    return await _looked_up(store, link, _THEIRS, keys)


async def ours(store: Store, link: str, keys: Iterable[str]) -> dict[str, str]:
    """Our keys for those of the FHIR side that have another one here."""
    return await _looked_up(store, link, _OURS, keys)


def asking_theirs(keys: Iterable[str]) -> list[str]:
    """What to ask the journal for, to hear the FHIR side's names of our keys with something else."""
    return [f"{_THEIRS}{key}" for key in keys]


def told(found: Mapping[str, bytes]) -> dict[str, str]:
    """The FHIR side's names out of what the journal answered."""
    return {
        key.removeprefix(_THEIRS): name.decode("ascii")
        for key, name in found.items()
        if key.startswith(_THEIRS)
    }


async def _looked_up(store: Store, link: str, prefix: str, keys: Iterable[str]) -> dict[str, str]:
    asked = [f"{prefix}{key}" for key in keys]
    found = await store.resources(link, asked) if asked else {}
    return {key.removeprefix(prefix): name.decode("ascii") for key, name in found.items()}


def entries(link: str, learned: Mapping[str, str]) -> Iterator[JournalEntry]:
    """The journal's rows for names that were learned: our key to the FHIR side's."""
    for here, there in learned.items():
        yield JournalEntry(link, f"{_THEIRS}{here}", there.encode("ascii"), None, "")
        yield JournalEntry(link, f"{_OURS}{there}", here.encode("ascii"), None, "")


def renamed(resources: Mapping[str, Json], names: Mapping[str, str]) -> Resources:
    """The resources with other keys, ids and references."""
    if not names:
        return dict(resources)
    found: Resources = {}
    for key, resource in resources.items():
        name = names.get(key, key)
        found[name] = {**with_references(resource, names), "id": name.partition("/")[2]}
    return found


def with_references(node: Any, names: Mapping[str, str]) -> Any:
    """A copy of a resource whose literal references have other names."""
    if isinstance(node, list):
        return [with_references(child, names) for child in node]
    if not isinstance(node, dict):
        return node
    copy = {name: with_references(child, names) for name, child in node.items()}
    if isinstance(copy.get("reference"), str):
        copy["reference"] = names.get(copy["reference"], copy["reference"])
    return copy


def learn(here: Mapping[str, Json], there: Mapping[str, Json]) -> dict[str, str]:
    """Which of our keys stand for which of the FHIR side's, as far as it is certain.

    ``here``: what a v2 message says, under our keys; ``there``: the resources it was made from. Certain is
    an identifier in common, or being the only ones of the type, or agreeing code by code in order.
    """
    learned: dict[str, str] = {}
    for kind in dict.fromkeys(key.partition("/")[0] for key in there):
        ours = {key: one for key, one in here.items() if _is(kind, key) and key not in there}
        others = {key: one for key, one in there.items() if _is(kind, key) and key not in here}
        pairs = _by_identifier(ours, others)
        ours = {key: one for key, one in ours.items() if key not in pairs}
        others = {key: one for key, one in others.items() if key not in pairs.values()}
        learned |= pairs | _in_order(ours, others)
    return learned


def _is(kind: str, key: str) -> bool:
    return key.startswith(f"{kind}/")


def _by_identifier(here: Mapping[str, Json], there: Mapping[str, Json]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for key, resource in there.items():
        same = [one for one, other in here.items() if _identifiers(resource) & _identifiers(other)]
        if len(same) == 1 and same[0] not in pairs:
            pairs[same[0]] = key
    return pairs


def _identifiers(resource: Json) -> set[tuple[str, str]]:
    found = resource.get("identifier") or []
    listed = found if isinstance(found, list) else [found]
    return {(str(one.get("system", "")), str(one["value"])) for one in listed if one.get("value")}


def _in_order(here: Mapping[str, Json], there: Mapping[str, Json]) -> dict[str, str]:
    """The only ones of their type, or as many on both sides with the same codes in the same order."""
    if len(here) != len(there):
        return {}
    alike = all(_code(one) == _code(other) for one, other in zip(here.values(), there.values()))
    return dict(zip(here, there)) if alike or len(here) == 1 else {}


def _code(resource: Json) -> tuple[str, str]:
    for coding in (resource.get("code") or {}).get("coding", ()):
        return str(coding.get("system", "")), str(coding.get("code", ""))
    return "", ""
