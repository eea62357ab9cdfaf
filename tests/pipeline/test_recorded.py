"""What the audit log keeps of a message: pseudonyms of its patients, and commitments to its bytes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.errors import ConnectorError, Erased, Forbidden, MovedOn
from connector.fhir import json as fjson
from connector.pipeline.entries import PATIENTS, about_whom, whom
from connector.pipeline.operate import Operator
from connector.store import About, Kind, Listed, Made
from tests.audit.samples import sample
from tests.pipeline.site import NOW, Cycle, Sent, message, patient, peer
from tests.store.site import TO_FHIR, open_store

CYCLE = ["received", "translated", "intended", "acknowledged"]


@pytest.fixture
async def cycle(tmp_path: Path) -> AsyncIterator[Cycle]:
    store = open_store(tmp_path)
    yield Cycle(store, tmp_path)
    await store.close()


def mia(cycle: Cycle) -> Operator:
    return Operator(cycle.store, lambda: NOW, "mia", "the patient asks")


async def one(cycle: Cycle, made: bool = False, number: int = 1) -> Any:
    found: Listed | Made | None = await (cycle.store.made(number) if made else cycle.store.taken(number))
    assert found is not None
    return found


async def test_every_step_of_a_message_names_its_patient_by_a_pseudonym(cycle: Cycle) -> None:
    await cycle.receive(message("1", patient="70012"))
    await cycle.run()
    operator = mia(cycle)
    await operator.content(await one(cycle))
    await operator.content(await one(cycle, made=True))
    await operator.replay(await one(cycle, made=True))
    said = cycle.entries()
    assert [entry["tag"].rpartition(":")[2] for entry in said] == [*CYCLE, "viewed", "viewed", "replayed"]
    (pseudonym,) = said[0]["object"]["patient"]
    assert all(entry["object"]["patient"] == [pseudonym] for entry in said)
    assert len({entry["correlation"] for entry in said}) == 1
    assert "70012" not in json.dumps(said)


async def test_a_patient_is_the_same_by_whatever_message_and_from_either_side(cycle: Cycle) -> None:
    authority = fjson.loads((await _translated(cycle, message("1", patient="70012"))).encode())
    (identifier,) = [
        entry["resource"]["identifier"][0]
        for entry in authority["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    ]
    asked = About(Kind.MRN, "70012", identifier["system"])
    await cycle.receive(message("2", "ADT^A31^ADT_A05", patient=" 70012", phone="5550102"))
    await cycle.submit(Sent.update(patient("fhir-7", identifier=[identifier])))
    await cycle.run()
    found = cycle.store.patients([asked])
    assert [one["object"]["patient"] for one in cycle.entries("message:v2:received")] == [found] * 2
    assert [one["object"]["patient"] for one in cycle.entries("message:fhir:received")] == [found]
    other = cycle.store.patients([About(Kind.MRN, "70012", "urn:oid:1.2.3"), About(Kind.ACCOUNT, "70012")])
    assert len(other) == 1
    assert other != found


async def _translated(cycle: Cycle, text: str) -> str:
    await cycle.receive(text)
    await cycle.lanes[TO_FHIR].translating.step()
    return (await cycle.store.made_payload(1)).decode()


async def test_a_search_names_the_patient_that_was_looked_for(cycle: Cycle) -> None:
    asked = About(Kind.MRN, "70012", "urn:oid:2.999.1.1")
    await mia(cycle).search([asked])
    (entry,) = cycle.entries("operator:content:searched")
    assert entry["object"]["patient"] == cycle.store.patients([asked])
    await mia(cycle).search([About(Kind.CONTROL_ID, "4711")])
    assert "patient" not in cycle.entries("operator:content:searched")[1]["object"]


def test_more_patients_than_an_entry_has_room_for_are_counted() -> None:
    many = [f"{number:016x}" for number in range(PATIENTS + 1)]
    assert whom(many) == {"patient": many[:-1], "patients": PATIENTS + 1}
    assert whom(many[:-1]) == {"patient": many[:-1]}
    assert whom([]) == {}
    assert about_whom({"kind": "ADT^A01", **whom(many)}) == whom(many)


async def test_what_was_taken_and_made_is_what_the_log_committed_to(cycle: Cycle) -> None:
    await cycle.receive(message("1"))
    await cycle.receive(message("2", phone="5550102"))
    await cycle.run()
    assert _said(await mia(cycle).compare(await one(cycle))) == [("message:v2:received", True)]
    assert _said(await mia(cycle).compare(await one(cycle, made=True))) == [("message:v2:translated", True)]
    assert [entry["object"]["kind"] for entry in cycle.entries("audit:compared")] == ["message", "delivery"]
    with pytest.raises(MovedOn):
        await cycle.store.compared(4711, [], made=False)


async def test_the_same_bytes_have_another_commitment_each_time(cycle: Cycle) -> None:
    """Else who guesses a message could see in the log that it came."""
    for number in ("1", "2"):
        await cycle.submit(Sent.bundle(patient(), id=number))
    await cycle.receive(b"no message")
    await cycle.receive(b"no message")
    kept = [one["object"]["content"] for one in cycle.entries("message:")]
    assert len(set(kept)) == len(kept) == 4
    assert all(len(one) == 64 for one in kept)


async def test_a_record_in_which_another_content_was_put_does_not_match(cycle: Cycle) -> None:
    await cycle.receive(message("1"))
    await cycle.receive(message("2", phone="5550102"))
    said = cycle.rows("SELECT data_key, payload, uid, content FROM inbox WHERE id = 2")[0]
    cycle.rows("DELETE FROM blind_index")
    cycle.rows("DELETE FROM inbox WHERE id = 2")
    hexed = [value.hex() if isinstance(value, bytes) else value for value in said]
    cycle.rows(
        f"UPDATE inbox SET data_key = x'{hexed[0]}', payload = x'{hexed[1]}', uid = '{hexed[2]}',"  # noqa: S608
        f" content = x'{hexed[3]}' WHERE id = 1"
    )
    assert [one.same for one in await cycle.store.compared(1, [], made=False)] == [False]


async def test_a_corrected_copy_is_committed_to_and_its_original_still_is(cycle: Cycle) -> None:
    await cycle.receive(message("1", "ADT^A28^ADT_A05", more=["ZZZ|x"]))
    await cycle.lanes[TO_FHIR].translating.step()
    (head,) = await cycle.store.heads("demo", TO_FHIR, NOW, 9)
    await cycle.store.intent(head.id, 1, NOW, [])
    await cycle.store.dead(head.id, "PartnerRefusedMessage", [])
    copy = fjson.dumps(fjson.loads(head.payload) | {"id": "mended"})
    original = await mia(cycle).correct(await one(cycle, made=True, number=head.id), copy)
    tags = [("message:v2:translated", False), ("operator:message:edited", True)]
    assert _said(await mia(cycle).compare(await one(cycle, made=True, number=head.id))) == tags
    assert _said(await mia(cycle).compare(await one(cycle, made=True, number=original))) == tags[1:]


async def test_after_it_is_erased_nothing_can_be_matched(cycle: Cycle) -> None:
    await cycle.receive(message("1"))
    await cycle.run()
    await cycle.store.erase_record(1, lambda tag, what: sample(tag, **what))
    with pytest.raises(Erased):
        await cycle.store.compared(1, [], made=False)
    with pytest.raises(Erased):
        await cycle.store.compared(1, [], made=True)
    assert about_whom((await one(cycle)).meta) == {}


async def test_a_pseudonym_costs_little(cycle: Cycle) -> None:
    about = [About(Kind.MRN, "70012", "urn:oid:2.999.1.1")]
    begun = time.process_time()
    for _ in range(1_000):
        cycle.store.patients(about)
    assert time.process_time() - begun < 0.1


CANARY = "Weasleyxq"


async def test_no_entry_holds_a_word_of_a_message_or_a_hash_that_can_be_guessed(cycle: Cycle) -> None:
    odd = {3: CANARY, 4: CANARY, 10: f"{CANARY}9", 13: ""}
    texts = [
        message(f"{CANARY}1", patient=CANARY, phone=CANARY, more=[f"ZZZ|{CANARY}", f"NK1|1|{CANARY}"]),
        message(f"{CANARY}1", patient=CANARY, phone=CANARY, more=[f"ZZZ|{CANARY}", f"NK1|1|{CANARY}"]),
        message(f"{CANARY}2", patient=CANARY, msh=odd),
        message(f"{CANARY}3", kind=f"ADT^{CANARY}"),
        message(f"{CANARY}4", kind=f"{CANARY}^A28^ADT_A05"),
        message(f"{CANARY}5", patient=""),
        f"MSH|{CANARY}",
        CANARY,
        f"BHS|^~\\&|{CANARY}\r{message(CANARY)}BTS|7|{CANARY}\r",
    ]
    for text in texts:
        await cycle.receive(text)
    told = patient(CANARY, street=CANARY, identifier=[{"system": f"urn:{CANARY}", "value": CANARY}])
    for sent in (
        Sent.update(told),
        Sent.bundle(told, id=CANARY),
    ):  # an unknown element is refused at the edge
        with contextlib.suppress(ConnectorError):
            await cycle.submit(sent)
    await cycle.api.refused(None, peer(), Forbidden("no", location="http.authorization"))
    await cycle.run()
    await mia(cycle).search([About(Kind.MRN, CANARY, f"urn:{CANARY}")])
    await mia(cycle).content(await one(cycle))
    entries = cycle.entries()
    assert {one["tag"].rpartition(":")[2] for one in entries} >= {
        "received", "duplicate", "refused", "quarantined", "translated", "acknowledged", "searched", "viewed",
    }  # fmt: skip
    said = json.dumps(entries).lower()
    words = [CANARY, f"{CANARY}1", *texts, *(fjson.dumps(told).decode(), f"urn:{CANARY}")]
    for word in words:
        plain = word.encode()
        for kind in ("md5", "sha1", "sha256", "sha512"):
            assert hashlib.new(kind, plain).hexdigest()[:16] not in said, kind
    for form in (CANARY, CANARY.encode().hex(), base64.b64encode(CANARY.encode()).decode().rstrip("=")):
        assert form.lower() not in said


def _said(found: list[Any]) -> list[tuple[str, bool]]:
    return [(one.tag, one.same) for one in found]
