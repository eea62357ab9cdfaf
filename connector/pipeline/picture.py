"""What the FHIR side looks like as far as we know: read from the journal of one link.

The journal holds, per resource, its latest FHIR content and the latest v2 message that spoke of it. Keys
are the FHIR side's (see ``names``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from connector.fhir import bundle as bundles
from connector.fhir import json as fjson
from connector.fhir.references import referred
from connector.hl7v2.tree import Message
from connector.mapping.linking import other_of
from connector.mapping.messages.registry import map_of
from connector.mapping.units import ResourceMap
from connector.pipeline import names
from connector.pipeline.changes import Planned
from connector.pipeline.links import Link
from connector.store import JournalEntry, Saw, Store

Json = dict[str, Any]

_DEPTH: Final = 2  # references followed from what a message says: report -> visit -> patient
_KEEPS_MESSAGE: Final = {
    "ADT": frozenset({"Patient", "Encounter"}),
    "ORU": frozenset({"DiagnosticReport", "Observation"}),
    "ORM": frozenset({"ServiceRequest"}),
    "OML": frozenset({"ServiceRequest"}),
    "OMG": frozenset({"ServiceRequest"}),
    "REF": frozenset({"ServiceRequest"}),
    "OMP": frozenset({"MedicationRequest"}),
    "RDE": frozenset({"MedicationRequest"}),
    "RDS": frozenset({"MedicationDispense"}),
    "RAS": frozenset({"MedicationAdministration"}),
    "VXU": frozenset({"Immunization"}),
    "SIU": frozenset({"Appointment"}),
    "MDM": frozenset({"DocumentReference"}),
    "PPR": frozenset({"Condition"}),
    "DFT": frozenset({"ChargeItem"}),
}
_NEVER_CHANGED: Final = frozenset({"MessageHeader", "Provenance"})  # they speak of one message only
_KEEPS_ANY: Final = frozenset({"Patient", "Encounter"}).union(*_KEEPS_MESSAGE.values())


async def known(store: Store, link: str, keys: Iterable[str], saw: Saw | None = None) -> dict[str, Json]:
    """The resources as last known, by key; a key that is not known, or was deleted, is absent.

    ``saw``: takes down what of the journal was read.
    """
    asked = list(dict.fromkeys(keys))
    found = await store.resources(link, asked, saw) if asked else {}
    return {key: fjson.loads(content) for key, content in found.items() if content}


async def prior_message(store: Store, link: str, planned: Planned) -> str | None:
    """The v2 message whose words the new one keeps: the last of its family about its focus.

    What has no messages of its own (an allergy) is said in those of its patient. A new visit keeps
    nothing of the patient's earlier visits; a message made of other segments keeps nothing at all.
    """
    found = await store.prior_message(link, planned.focus, planned.family)
    if found is None and planned.focus.partition("/")[0] not in _KEEPS_ANY:
        focus = next(change for change in planned.changes if change.key == planned.focus)
        for key in referred(focus.resource or {}):
            if key.startswith("Patient/"):
                found = found or await store.prior_message(link, key, planned.family)
    return found.decode("utf-8") if found and _alike(Message.parse(found.decode("utf-8")), planned) else None


def _alike(prior: Message, planned: Planned) -> bool:
    """Whether a message is made of the same units as the one that is planned."""
    maps = map_of(*planned.event.split("^")), map_of(prior.message_code, prior.trigger_event)
    return len({each.like or each.name for each in maps}) == 1


def _of_one_patient(message: str) -> bool:
    """Whether a message names no second patient, and nothing that it retires."""
    names = [segment.name for segment in Message.parse(message).segments]
    return names.count("PID") < 2 and "MRG" not in names


async def around(store: Store, link: Link, planned: Planned, prior: str | None, saw: Saw) -> dict[str, Json]:
    """The resources that one message is made from, by the FHIR side's keys.

    Among them are the changed ones; everything else that the prior message said, as it is now known;
    and what these refer to (the patient of a report). Other records of a patient are among them only where
    the message is about that: the one in whose place another stands now.
    """
    said = await _spoken(store, link, prior)
    resources = dict(said)
    gone = {change.key for change in planned.changes if change.resource is None}
    resources = {key: one for key, one in resources.items() if key not in gone or key == planned.focus}
    resources |= {one.key: one.resource for one in planned.changes if one.resource is not None}
    if planned.focus in gone:
        resources |= await known(store, link.name, [planned.focus], saw)
    links = _links(planned, resources.get(planned.focus, {}))
    for _ in range(_DEPTH):
        wanted = {key for resource in resources.values() for key in _referred(resource)} | links
        resources |= await known(store, link.name, sorted(wanted - resources.keys() - gone), saw)
    return resources


def _referred(resource: Json) -> Iterator[str]:
    """What a resource refers to, but for other records of the same patient."""
    is_patient = resource["resourceType"] == "Patient"
    return referred({name: value for name, value in resource.items() if not is_patient or name != "link"})


def _links(planned: Planned, focus: Json) -> set[str]:
    """The other record that the message is about too."""
    maps = (each for unit in map_of(*planned.event.split("^")).units for each in unit.maps)
    mutual = (each.mutual for each in maps if isinstance(each, ResourceMap) and each.kind == "Patient")
    return {other_of(each, focus) for each in mutual if each is not None} - {""}


async def _spoken(store: Store, link: Link, prior: str | None) -> dict[str, Json]:
    if prior is None:
        return {}
    said = by_key(link.translator.to_fhir(prior).bundle)
    return names.renamed(said, await names.theirs(store, link.name, said))


def by_key(bundle: Json) -> dict[str, Json]:
    """The resources of a Bundle by ``Type/id``."""
    return {f"{one['resourceType']}/{one['id']}": one for one in bundles.resources(bundle)}


def with_names(bundle: Json, keys: dict[str, str]) -> Json:
    """A transaction of PUTs whose resources have other names."""
    if not keys:
        return bundle
    entries = []
    for entry in bundles.entries(bundle):
        url = entry["request"]["url"]
        name = keys.get(url, url)
        resource = {**names.with_references(entry["resource"], keys), "id": name.partition("/")[2]}
        full_url = f"{entry['fullUrl'].removesuffix(url)}{name}"
        entries.append(
            {"fullUrl": full_url, "resource": resource, "request": {**entry["request"], "url": name}}
        )
    return {**bundle, "entry": entries}


def without(bundle: Json, keys: Collection[str]) -> Json:
    """A bundle without the entries of some resources."""
    if not keys:
        return bundle
    return {**bundle, "entry": [one for one in bundles.entries(bundle) if one["request"]["url"] not in keys]}


def bundle_of(link: Link, resources: dict[str, Json]) -> Json:
    """The transaction that brings the resources to where they are known to be."""
    return bundles.transaction(link.base, (("PUT", resource) for resource in resources.values()))


def spoken_of(resources: Iterable[str], family: str) -> list[str]:
    """Those of the keys by which a later message of the family is looked up."""
    keeps = _KEEPS_MESSAGE.get(family, _KEEPS_ANY)
    return [key for key in resources if key.partition("/")[0] in keeps]


async def told_at(store: Store, link: str, key: str) -> dt.datetime | None:
    """When the latest v2 message about a resource says that it happened."""
    kind = key.partition("/")[0]
    families = [family for family, kinds in _KEEPS_MESSAGE.items() if kind in kinds]
    found = [await store.told_at(link, [key], family) for family in families]
    return max((at for at in found if at is not None), default=None)


def remembered(
    link: str,
    resources: dict[str, Json],
    message: str,
    family: str,
    told: dt.datetime | None = None,
    unchanged: Collection[str] = (),
) -> list[JournalEntry]:
    """The journal's rows after ``message`` spoke of ``resources``; ``told``: when it says it happened.

    ``unchanged``: those of which nothing new is known; only that the message spoke of them is remembered.

    The text is kept with the resources by which a later message of its family is looked up; not of a merge
    or another message about two patients, over which none about one of them is written.
    """
    keeps = _KEEPS_MESSAGE.get(family, _KEEPS_ANY) if _of_one_patient(message) else frozenset()
    text = message.encode("utf-8")
    return [
        JournalEntry(
            link=link,
            resource=key,
            content=fjson.dumps(resource),
            message=text if resource["resourceType"] in keeps else None,
            family=family if resource["resourceType"] in keeps else "",
            told_at=told,
        )
        for key, resource in resources.items()
        if resource["resourceType"] not in _NEVER_CHANGED
        and (key not in unchanged or resource["resourceType"] in keeps)
    ]
