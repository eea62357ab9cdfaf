"""v2 comes in: what is taken, what is refused and how, and what stays if the store refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import AuditLog
from connector.errors import AuditUnwitnessed, FrameError, FrameTooLarge, MessageError, TableValueNotFound
from connector.hl7v2.ack import read_ack
from connector.hl7v2.tree import Message
from connector.pipeline.links import Accepts, Links, Shape
from connector.pipeline.receive import V2Receiver
from connector.store import Store
from tests.pipeline.site import TO_FHIR, Clock, Cycle, ids, link, message, peer
from tests.store.site import open_store


async def refused(cycle: Cycle, text: str | bytes) -> tuple[str, str, str]:
    """Code, condition and location of the answer, after checking that nothing was taken."""
    answer = await cycle.receive(text)
    assert answer is not None
    ack = read_ack(answer)
    assert (await cycle.counts(TO_FHIR)).received == 0
    return ack.code, ack.errors[0].condition, ack.errors[0].location


async def test_a_message_is_taken_with_its_audit_entry_and_acknowledged(cycle: Cycle) -> None:
    answer = await cycle.receive(message("M1"))
    assert answer is not None
    assert read_ack(answer)[:2] == ("AA", "M1")
    (item,) = await cycle.store.pending("demo", TO_FHIR, 10)
    assert item.payload == message("M1").encode()
    (entry,) = cycle.entries("message:")
    assert (entry["tag"], entry["correlation"]) == ("message:v2:received", item.uid)
    assert entry["actor"]["certificate"] == peer().fingerprint
    assert entry["object"]["message"] == "ADT^A28"


async def test_the_answer_goes_to_the_sender_in_its_version(cycle: Cycle) -> None:
    msh = Message.parse(str(await cycle.receive(message("M1", msh={12: "2.3"})))).msh
    assert [msh.value(number) for number in (3, 4, 5, 6, 12)] == ["CONNECTOR", "DEMO", "STVADT", "STV", "2.3"]


async def test_a_duplicate_gets_the_very_same_answer_and_is_not_taken_again(cycle: Cycle) -> None:
    first = await cycle.receive(message("M1"))
    cycle.clock.move(3600)
    assert await cycle.receive(message("M1")) == first
    counts = await cycle.counts(TO_FHIR)
    assert (counts.received, counts.duplicates) == (1, 1)
    assert cycle.tags() == ["message:v2:received", "message:v2:duplicate"]


async def test_another_content_under_a_known_control_id_is_another_message(cycle: Cycle) -> None:
    await cycle.receive(message("M1"))
    await cycle.receive(message("M1", phone="5550102"))
    assert (await cycle.counts(TO_FHIR)).received == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (message("", msh={10: ""}), ("AE", "101", "MSH-10")),
        (message(kind="SIU^S12"), ("AR", "200", "MSH-9.1")),
        (message(kind="ADT^A40"), ("AR", "201", "MSH-9.2")),
        (message(kind=""), ("AE", "101", "MSH-9.1")),
        (message(msh={11: "T"}), ("AR", "202", "MSH-11")),
        (message(msh={12: "2.8"}), ("AR", "203", "MSH-12")),
        (message(msh={3: "ELSE"}), ("AE", "103", "MSH-3.1")),
        (message(msh={4: "ELSE"}), ("AE", "103", "MSH-4.1")),
        (message(patient="").replace("^^^STV^MR", ""), ("AE", "101", "PID-3")),
        (message().partition("PID")[0], ("AE", "100", "PID")),
    ],
    ids=[
        "no-control-id",
        "type",
        "event",
        "no-type",
        "processing",
        "version",
        "app",
        "facility",
        "pid-3",
        "pid",
    ],
)
async def test_what_the_profile_does_not_accept_is_refused_with_code_and_place(
    cycle: Cycle, text: str, expected: tuple[str, str, str]
) -> None:
    assert await refused(cycle, text) == expected
    assert cycle.tags() == ["message:v2:refused"]
    assert (await cycle.counts(TO_FHIR)).refused == 1


async def test_all_faults_of_the_content_are_named_at_once(cycle: Cycle) -> None:
    text = message(msh={3: "ELSE", 4: "ELSE", 12: "9"})
    ack = read_ack(str(await cycle.receive(text)))
    assert [one.location for one in ack.errors] == ["MSH-12", "MSH-3.1", "MSH-4.1"]


async def test_no_answer_and_no_entry_holds_a_value_of_the_message(cycle: Cycle) -> None:
    answer = await cycle.receive(message(kind="ADT^A40", more=["NK1|1|Geheim^Tobias"]))
    seen = str(answer) + str(cycle.entries())
    assert not any(value in seen for value in ("Beispiel", "Clara", "70012", "Geheim", "5550101", "19840212"))


@pytest.mark.parametrize("event", ["A28", "A31", "A99"])
async def test_a_profile_may_accept_every_event_of_a_type(store: Store, tmp_path: Path, event: str) -> None:
    cycle = Cycle(store, tmp_path, accepts=Accepts(messages=frozenset({"ADT^*"})))
    answer = await cycle.receive(message(kind=f"ADT^{event}"))
    assert read_ack(str(answer)).code == "AA"


async def test_a_certificate_that_no_profile_names_is_closed_and_audited(cycle: Cycle) -> None:
    assert await cycle.receive(message(), peer("sha256:" + "f" * 64)) is None
    (entry,) = cycle.entries()
    assert (entry["tag"], entry["reason"]) == ("tls:peer:refused", "UntrustedPeer")


async def test_a_partner_may_be_known_by_the_subject_of_its_certificate(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path, peers=frozenset({"CN=hospital"}))
    assert read_ack(str(await cycle.receive(message(), peer("sha256:" + "e" * 64)))).code == "AA"


# --- what cannot be read ---------------------------------------------------------------------------


async def test_without_msh_the_bytes_go_to_quarantine_and_the_answer_invents_nothing(cycle: Cycle) -> None:
    answer = str(await cycle.receive(b"PID|1||70012\r"))
    ack = read_ack(answer)
    assert (ack.code, ack.control_id, ack.errors[0].condition) == ("AR", "", "100")
    assert (await cycle.counts(TO_FHIR)).quarantined == 1
    assert cycle.tags() == ["message:v2:quarantined"]


async def test_a_profile_may_close_the_connection_instead(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path, on_unreadable="close")
    assert await cycle.receive(b"") is None
    assert (await cycle.counts(TO_FHIR)).quarantined == 1


async def test_undecodable_bytes_are_refused_and_never_replaced(cycle: Cycle) -> None:
    raw = message("M7", msh={18: "UNICODE UTF-8"}).encode().replace(b"Clara", b"Cl\xe4ra")
    assert await refused(cycle, raw) == ("AR", "102", "MSH-18")
    assert await cycle.store.pending("demo", TO_FHIR, 1) == []


async def test_the_refusal_of_undecodable_bytes_echoes_the_control_id_byte_by_byte(cycle: Cycle) -> None:
    raw = message("M\u00e4", msh={18: "UNICODE UTF-8"}).encode("latin-1")
    answer = await cycle.v2.receive(raw, peer())
    assert answer is not None
    assert b"|M\xe4\r" in answer


async def test_a_message_in_another_character_set_is_answered_in_it(cycle: Cycle) -> None:
    text = message("M\u00e4", msh={18: "8859/1"})
    answer = await cycle.v2.receive(text.encode("latin-1"), peer())
    assert answer is not None
    assert read_ack(answer.decode("latin-1")).control_id == "M\u00e4"


# --- limits ----------------------------------------------------------------------------------------


async def test_a_frame_over_the_limit_is_refused_by_its_own_control_id(cycle: Cycle) -> None:
    answer = await cycle.v2.too_long(message("BIG").encode()[:200], peer(), FrameTooLarge("too large"))
    assert answer is not None
    ack = read_ack(answer.decode())
    assert (ack.code, ack.control_id, ack.errors[0].condition) == ("AR", "BIG", "207")
    assert cycle.entries()[0]["reason"] == "FrameTooLarge"


async def test_a_frame_over_the_limit_without_msh_gets_an_answer_that_echoes_nothing(cycle: Cycle) -> None:
    answer = await cycle.v2.too_long(b"junk", peer(), FrameTooLarge("too large"))
    assert answer is not None
    assert read_ack(answer.decode()).control_id == ""


async def test_the_limits_of_a_link_hold_beside_those_of_the_service(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path, frame_bytes=300, shape=Shape(segments=5))
    assert await refused(cycle, message("BIG", more=["ZZZ|" + "x" * 300])) == ("AR", "207", "")
    assert await refused(cycle, message("LONG", more=["ZZZ|1"] * 9)) == ("AE", "207", "")


async def test_bytes_outside_a_frame_are_audited_and_the_connection_closes(cycle: Cycle) -> None:
    assert await cycle.v2.fault(peer(), FrameError("bytes outside a frame")) is None
    assert cycle.entries()[0]["reason"] == "FrameError"


async def test_when_too_much_waits_new_messages_are_turned_away(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path, waiting=2)
    codes = []
    for number in range(4):
        cycle.clock.move(2)
        codes.append(read_ack(str(await cycle.receive(message(str(number))))).code)
    assert codes == ["AA", "AA", "AE", "AE"]


# --- what we cannot do ------------------------------------------------------------------------------


class Refusing(AuditLog):
    """An audit log that takes nothing."""

    def append(self, connection: object, drafts: object) -> None:
        if drafts:
            raise ValueError


async def test_if_the_audit_log_refuses_nothing_is_taken_and_the_sender_may_try_again(tmp_path: Path) -> None:
    store = open_store(tmp_path, Refusing())
    cycle = Cycle(store, tmp_path)
    ack = read_ack(str(await cycle.receive(message("M1"))))
    assert (ack.code, ack.errors[0].condition) == ("AE", "207")
    assert await store.pending("demo", TO_FHIR, 1) == []
    await store.close()


async def test_if_nothing_can_be_kept_unreadable_bytes_get_no_answer(tmp_path: Path) -> None:
    store = open_store(tmp_path, Refusing())
    cycle = Cycle(store, tmp_path)
    assert await cycle.receive(b"junk") is None
    assert await cycle.v2.fault(peer(), FrameError("bytes outside a frame")) is None
    await store.close()


async def test_a_refusal_that_cannot_be_audited_is_answered_as_our_own_trouble(tmp_path: Path) -> None:
    store = open_store(tmp_path, Refusing())
    cycle = Cycle(store, tmp_path)
    for bad in (message(kind="ADT^A40").encode(), message(msh={18: "ASCII"}).encode() + b"\xff"):
        assert read_ack(str(await cycle.receive(bad))).errors[0].condition == "207"
    await store.close()


async def test_while_the_log_is_not_witnessed_messages_are_turned_away(cycle: Cycle) -> None:
    cycle.v2.bar(lambda: AuditUnwitnessed("nobody has cosigned"))
    ack = read_ack(str(await cycle.receive(message("M1"))))
    assert (ack.code, ack.errors[0].condition) == ("AE", "207")
    assert cycle.tags() == []
    cycle.v2.bar(lambda: None)
    answer = await cycle.receive(message("M1"))
    assert answer is not None
    assert read_ack(answer).code == "AA"


async def test_while_the_service_stops_messages_are_turned_away(cycle: Cycle) -> None:
    cycle.v2.accepting = False
    ack = read_ack(str(await cycle.receive(message())))
    assert (ack.code, ack.errors[0].condition) == ("AE", "207")
    assert cycle.tags() == []


# --- acknowledgments --------------------------------------------------------------------------------


async def test_a_sender_that_wants_no_answer_gets_none_and_its_message_is_taken(cycle: Cycle) -> None:
    assert await cycle.receive(message(msh={15: "NE", 16: "NE"})) == ""
    assert (await cycle.counts(TO_FHIR)).received == 1


async def test_no_answer_is_no_answer_in_utf_16_either(cycle: Cycle) -> None:
    text = message(msh={15: "NE", 16: "NE", 18: "UNICODE UTF-16"})
    assert await cycle.v2.receive(text.encode("utf-16"), peer()) == b""


async def test_in_enhanced_mode_the_commit_is_acknowledged(cycle: Cycle) -> None:
    assert read_ack(str(await cycle.receive(message(msh={15: "AL", 16: "NE"})))).code == "CA"


async def test_a_refusal_reaches_a_sender_that_only_listens_for_application_acknowledgments(
    cycle: Cycle,
) -> None:
    ack = read_ack(str(await cycle.receive(message(kind="ADT^A40", msh={15: "NE", 16: "AL"}))))
    assert ack.code == "AR"


@pytest.mark.parametrize("kind", ["ACK", "ACK^A28^ACK", "MCF"])
async def test_an_acknowledgment_is_never_acknowledged(cycle: Cycle, kind: str) -> None:
    for code in ("AA", "CR", ""):
        assert await cycle.receive(message(kind=kind, more=[f"MSA|{code}|X"], msh={15: "AL", 16: "AL"})) == ""
    entries = cycle.entries()
    assert [(one["tag"], one["reason"]) for one in entries] == [
        ("message:v2:refused", "AnswerNotUnderstood")
    ] * 3
    assert await cycle.store.pending("demo", TO_FHIR, 1) == []


async def test_an_acknowledgment_in_bytes_that_are_no_text_gets_no_answer_either(cycle: Cycle) -> None:
    raw = message(kind="ACK", msh={18: "UNICODE UTF-8"}).encode() + b"MSA|AA|\xff\r"
    assert await cycle.v2.receive(raw, peer()) == b""


async def test_an_acknowledgment_that_is_too_long_gets_no_answer_either(cycle: Cycle) -> None:
    head = message(kind="ACK").encode()
    assert await cycle.v2.too_long(head, peer(), FrameTooLarge("too large")) == b""


# --- a control id that came before -------------------------------------------------------------------


async def test_another_content_under_a_known_control_id_is_taken_and_put_on_record(cycle: Cycle) -> None:
    await cycle.receive(message("M1"))
    assert read_ack(str(await cycle.receive(message("M1", phone="5550102")))).code == "AA"
    assert cycle.tags() == ["message:v2:received", "message:v2:received", "message:v2:reused"]


async def test_a_profile_may_refuse_another_content_under_a_known_control_id(
    store: Store, tmp_path: Path
) -> None:
    cycle = Cycle(store, tmp_path, reused="refuse")
    first = await cycle.receive(message("M1"))
    ack = read_ack(str(await cycle.receive(message("M1", phone="5550102"))))
    assert (ack.code, ack.errors[0].condition, ack.errors[0].location) == ("AE", "205", "MSH-10")
    assert cycle.entries()[-1]["reason"] == "DuplicateControlId"
    assert await cycle.receive(message("M1")) == first
    assert (await cycle.counts(TO_FHIR)).received == 1


# --- strict conformance ------------------------------------------------------------------------------


async def test_a_strict_link_asks_the_judge_and_gives_its_findings(store: Store) -> None:
    asked: list[str] = []

    async def judge(text: str) -> list[MessageError]:
        asked.append(text)
        return [TableValueNotFound("the code is not in its table", location="PID-8")]

    receiver = V2Receiver(Links([link(strict=True)]), store, Clock(), ids(), judge)
    answer = await receiver.receive(message().encode(), peer())
    assert answer is not None
    assert read_ack(answer.decode()).errors[0][:2] == ("103", "PID-8")
    assert asked == [message()]


async def test_a_lenient_link_asks_no_judge(store: Store) -> None:
    async def judge(text: str) -> list[MessageError]:
        raise AssertionError

    receiver = V2Receiver(Links([link()]), store, Clock(), ids(), judge)
    answer = await receiver.receive(message().encode(), peer())
    assert answer is not None
    assert read_ack(answer.decode()).code == "AA"
