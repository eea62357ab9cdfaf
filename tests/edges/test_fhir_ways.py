"""Transaction, batch, one by one, message: what is sent, and what becomes of the parts that fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.edges.fhir_client import Delivery
from connector.fhir import json

from ..pipeline.site import message
from .fhir_room import VISIT, FhirRoom, fhir_room, report
from .partner_site import answer

ONE_BY_ONE: list[Delivery] = ["batch", "each"]


def admission(control_id: str = "1") -> str:
    return message(control_id, "ADT^A01^ADT_A01", more=[VISIT])


def asked_for(here: FhirRoom, kind: str) -> int:
    return len([one for one in here.server.requests if one.startswith(f"PUT {kind}")])


def audited(here: FhirRoom) -> list[tuple[str, str, int, str, str]]:
    """Verb, reason, status, issue and location of every outcome."""
    found = []
    for one in here.cycle.entries("delivery:fhir"):
        said = one["object"]
        verb = one["tag"].rpartition(":")[2]
        if verb != "intended":
            places = said.get("status", 0), said.get("issue", ""), said.get("location", "")
            found.append((verb, one["reason"], *places))
    return found


@pytest.mark.parametrize("delivery", ["transaction", "batch", "each"])
async def test_every_way_brings_the_same_resources(tmp_path: Path, delivery: Delivery) -> None:
    async with fhir_room(tmp_path, delivery=delivery) as here:
        await here.takes(admission(), report())
        kinds = {one.partition("/")[0] for one in here.server.versions}
        assert {"Patient", "Encounter", "Observation", "DiagnosticReport"} <= kinds
        bundles = [json.loads(one.body) for one in here.partner.asked if one.path == "/fhir"]
        assert {one["type"] for one in bundles} == ({delivery} if delivery != "each" else set())


@pytest.mark.parametrize("delivery", ["transaction", "batch", "each", "message"])
async def test_types_that_are_left_out_are_not_sent(tmp_path: Path, delivery: Delivery) -> None:
    async with fhir_room(tmp_path, delivery=delivery, omit=frozenset({"Organization"})) as here:
        await here.takes(admission())
        assert await here.state() == ("delivered", 1, "")
        bodies = [json.loads(one.body) for one in here.partner.asked]
        entries = [entry["resource"] for body in bodies for entry in body.get("entry", [{"resource": body}])]
        assert entries
        assert "Organization" not in {one["resourceType"] for one in entries}


async def test_a_message_of_nothing_that_is_wanted_is_delivered_by_not_sending_it(tmp_path: Path) -> None:
    kinds = {"Organization", "MessageHeader", "Patient", "Encounter", "Location", "Provenance"}
    async with fhir_room(tmp_path, omit=frozenset(kinds)) as here:
        await here.takes(message())
        assert await here.state() == ("delivered", 1, "")
        assert here.partner.asked == []


async def test_a_message_has_its_header_first_and_the_same_id_each_time(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, delivery="message") as here:
        here.partner.replies = [answer(503), here.server]
        await here.takes(admission())
        await here.later()
        assert await here.state() == ("delivered", 2, "")
        first, again = (json.loads(one.body) for one in here.partner.asked)
        assert first == again
        assert {one.path for one in here.partner.asked} == {"/fhir/$process-message"}
        assert first["id"]
        assert first["entry"][0]["resource"]["resourceType"] == "MessageHeader"
        assert not [entry for entry in first["entry"] if "request" in entry]
        assert here.server.messages == [again]


RESPONSES = [
    ("ok", "delivered", ""),
    ("transient-error", "queued", "PartnerBusy"),
    ("fatal-error", "dead", "PartnerRefusedMessage"),
    ("Everywoman", "queued", "AnswerNotUnderstood"),
]


@pytest.mark.parametrize(("code", "state", "reason"), RESPONSES)
async def test_the_answer_to_a_message_has_a_code_of_its_own(
    tmp_path: Path, code: str, state: str, reason: str
) -> None:
    header = {"resourceType": "MessageHeader", "response": {"code": code}}
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "fatal", "code": "business-rule"}]}
    entries = [{"resource": header}, {"resource": outcome}]
    async with fhir_room(tmp_path, delivery="message") as here:
        here.partner.replies = [answer(200, {"resourceType": "Bundle", "type": "message", "entry": entries})]
        await here.takes(admission())
        assert await here.state() == (state, 1, reason)
        assert "Everywoman" not in str(here.cycle.entries())


@pytest.mark.parametrize("status", [202, 204])
async def test_a_message_may_be_taken_without_a_word(tmp_path: Path, status: int) -> None:
    async with fhir_room(tmp_path, delivery="message") as here:
        here.partner.replies = [answer(status, b"", "")]
        await here.takes(admission())
        assert (await here.state())[0] == "delivered"


async def test_of_a_batch_only_what_was_busy_is_sent_again(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, delivery="batch") as here:
        here.server.refuses = {"Encounter": [503]}
        await here.takes(admission())
        assert await here.state() == ("queued", 1, "PartnerBusy")
        await here.later()
        assert await here.state() == ("delivered", 2, "")
        assert (asked_for(here, "Patient"), asked_for(here, "Encounter")) == (1, 2)


async def test_a_refused_entry_of_a_batch_is_said_when_all_others_are_settled(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, delivery="batch") as here:
        here.server.refuses = {"Encounter": [422], "Patient": [503]}
        await here.takes(admission())
        assert await here.state() == ("queued", 1, "PartnerBusy")
        await here.later()
        assert await here.state() == ("dead", 2, "PartnerRefusedMessage")
        assert (asked_for(here, "Patient"), asked_for(here, "Encounter")) == (2, 1)
        assert here.server.of("Patient")
        (_, refused) = audited(here)
        place = _place(here, "Encounter")
        assert refused == ("refused", "PartnerRefusedMessage", 422, "business-rule", place)
        assert "Everywoman" not in str(here.cycle.entries())


def _place(here: FhirRoom, kind: str) -> str:
    sent = json.loads(here.partner.asked[0].body)["entry"]
    (number,) = [n for n, entry in enumerate(sent) if entry["resource"]["resourceType"] == kind]
    return f"Bundle.entry[{number}]"


async def test_what_settled_before_a_crash_is_sent_again_and_changes_nothing(tmp_path: Path) -> None:
    async with fhir_room(tmp_path, delivery="batch") as here:
        here.server.refuses = {"Encounter": [503]}
        await here.takes(admission())
        here.restart()
        await here.later()
        assert await here.state() == ("delivered", 2, "")
        assert set(here.server.count().values()) == {1}


@pytest.mark.parametrize(
    ("status", "state"),
    [(503, ("queued", 1, "PartnerBusy")), (422, ("dead", 1, "PartnerRefusedMessage"))],
)
async def test_one_by_one_the_first_failure_is_the_last_request(
    tmp_path: Path, status: int, state: tuple[str, int, str]
) -> None:
    async with fhir_room(tmp_path, delivery="each") as here:
        here.server.refuses = {"Patient": [status]}
        await here.takes(admission())
        assert await here.state() == state
        assert asked_for(here, "Encounter") == 0
        await here.later()
        if status == 503:
            assert await here.state() == ("delivered", 2, "")
            assert asked_for(here, "Patient") == 2
            assert set(here.server.count().values()) == {1}


@pytest.mark.parametrize("delivery", ["transaction", "batch", "each"])
async def test_a_refusal_names_its_entry_and_the_code(tmp_path: Path, delivery: Delivery) -> None:
    async with fhir_room(tmp_path, delivery=delivery) as here:
        here.server.refuses = {"Patient": [422]}
        await here.takes(admission())
        assert (await here.state())[0] == "dead"
        ((verb, reason, status, issue, place),) = audited(here)
        assert (verb, reason) == ("refused", "PartnerRefusedMessage")
        assert (status, issue) == (422, "business-rule")
        assert place.startswith("Bundle.entry[")
        assert "Everywoman" not in str(here.cycle.entries())


@pytest.mark.parametrize("delivery", ONE_BY_ONE)
async def test_the_gravest_of_several_failures_decides(tmp_path: Path, delivery: Delivery) -> None:
    async with fhir_room(tmp_path, delivery=delivery) as here:
        here.server.refuses = {"Encounter": [403], "Patient": [503] if delivery == "batch" else []}
        await here.takes(admission())
        assert await here.state() == ("queued", 1, "PartnerRefusedUs")
        assert here.condition() == "held"
        here.cycle.lanes[next(iter(here.cycle.lanes))].delivering.resume()
        await here.later()
        assert (await here.state())[0] == "delivered"
