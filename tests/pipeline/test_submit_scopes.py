"""Scopes narrowed to some resources hold for what is known too: whoever may not send it may not change it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from connector.errors import Forbidden
from tests.pipeline.site import Cycle, Json, Sent, Who, patient

WOMEN = "?gender=female"


def sent(resource: Json, scope: str, **more: Any) -> Sent:
    return Sent.update(resource, principal=Who(scope=scope), **more)


def entry(method: str, resource: Json | None, url: str = "Patient/fhir-1") -> Json:
    carried = {} if resource is None else {"resource": resource}
    return {**carried, "request": {"method": method, "url": url}}


def bundled(scope: str, *entries: Json, kind: str = "transaction") -> Sent:
    content = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return Sent(content, kind, "Bundle", principal=Who(scope=scope))


async def known(cycle: Cycle, **more: Any) -> None:
    await cycle.submit(Sent.update(patient(**more)))
    await cycle.run()


async def refused(cycle: Cycle, asked: Sent, place: str) -> None:
    with pytest.raises(Forbidden) as caught:
        await cycle.submit(asked)
    assert caught.value.location == place


async def test_what_is_new_needs_no_look_at_what_was(cycle: Cycle) -> None:
    assert await cycle.submit(sent(patient(gender="female"), f"system/Patient.u{WOMEN}"))


async def test_what_the_scope_finds_may_be_changed(cycle: Cycle) -> None:
    await known(cycle, gender="female")
    assert await cycle.submit(
        sent(patient(street="Lindenweg 7", gender="female"), f"system/Patient.u{WOMEN}")
    )


@pytest.mark.parametrize("scope", [f"system/Patient.u{WOMEN}", f"system/Patient.c system/Patient.u{WOMEN}"])
async def test_what_the_scope_does_not_find_cannot_be_made_into_what_it_finds(
    cycle: Cycle, scope: str
) -> None:
    await known(cycle, gender="male")
    taken_over = patient(gender="female")
    await refused(cycle, sent(taken_over, scope), "Patient")
    await refused(cycle, bundled(scope, entry("PUT", taken_over)), "Bundle.entry[0].resource")
    assert await cycle.submit(sent(taken_over, "system/Patient.u"))


@pytest.mark.parametrize("kind", ["transaction", "batch"])
async def test_only_what_the_scope_finds_may_be_deleted(cycle: Cycle, kind: str) -> None:
    await known(cycle, gender="female")
    man = patient("fhir-2", gender="male")
    man["identifier"][0]["value"] = "80002"
    await cycle.submit(Sent.update(man))
    await cycle.run()
    scope = f"system/Patient.d{WOMEN}"
    deletes = [entry("DELETE", None), entry("DELETE", None, "Patient/fhir-2")]
    await refused(cycle, bundled(scope, *deletes, kind=kind), "Bundle.entry[1].resource")
    await refused(cycle, bundled(scope, entry("DELETE", None, "Patient/nobody")), "Bundle.entry[0].resource")


async def test_a_create_or_a_message_is_no_way_around(cycle: Cycle) -> None:
    await known(cycle, gender="male")
    scope, woman = f"system/Patient.c{WOMEN} system/MessageHeader.c", patient(gender="female")
    await refused(cycle, bundled(scope, entry("POST", woman, "Patient")), "Bundle.entry[0].resource")
    single = dataclasses.replace(sent(woman, scope), kind="create", resource_id="")
    await refused(cycle, single, "Patient")
    header = {
        "resourceType": "MessageHeader",
        "eventCoding": {"code": "A08"},
        "source": {"endpoint": "urn:a"},
    }
    message = bundled(scope, {"resource": header}, {"resource": woman}, kind="message")
    await refused(cycle, message, "Bundle.entry[1].resource")


async def test_a_refusal_names_no_value(cycle: Cycle) -> None:
    await known(cycle, gender="male")
    with pytest.raises(Forbidden) as caught:
        await cycle.submit(sent(patient(gender="female"), f"system/Patient.u{WOMEN}"))
    assert "fhir-1" not in f"{caught.value}"
    assert "male" not in f"{caught.value}"
