"""What a v2 partner may do wrong when we send, and the state that each fault ends in.

Two changes of patients go out over the real store, the real delivery, a real MLLP client with mutual TLS and
a proxy; the partner does to the first what its row says. Expected of each row: what became of the first and
of the second message (delivery, acknowledgment, attempts), what stops, and how often each came.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from connector.errors import Retry
from tests.faults import mllp_partner as does
from tests.faults.mllp_partner import Heard, Step
from tests.faults.mllp_scene import DONE, Row, scene
from tests.faults.proxy import Cut, Faults

COMMITTED: Final = {"accept": "AL", "application": "AL", "delivered": "commit"}
ENHANCED: Final = {**COMMITTED, "delivered": "application", "application_seconds": 0.5}


def again(what: str, *plan: Step, times: int = 2, **more: Any) -> Row:
    """A row whose first message is delivered with the second attempt."""
    return Row(what, plan, first=f"{DONE} 2", times=(times, 1), **more)


def refused(what: str, plan: Step, **more: Any) -> Row:
    """A row whose first message is a dead letter, and the second overtakes it."""
    return Row(what, (plan,), first="dead negative 1", **more)


def stopped(what: str, plan: Step, **more: Any) -> Row:
    """A row whose first message waits at the head of the lane for a person."""
    waiting: dict[str, Any] = {"first": "refused negative 1", "second": "queued pending 0", "times": (1,)}
    return Row(what, (plan,), stops="lane", **(waiting | more))


def held(what: str, plan: Step, **more: Any) -> Row:
    """A row after which nothing is sent to the partner."""
    waiting: dict[str, Any] = {"first": "queued pending 1", "second": "queued pending 0", "times": (1,)}
    return Row(what, (plan,), stops="partner", **waiting, **more)


def replies(**rows: str) -> dict[str, Any]:
    """A reply table: ``AE__103`` is ``AE.103``, ``wrong_id`` is ``wrong-id``."""
    return {"replies": {key.replace("__", ".").replace("_", "-"): way for key, way in rows.items()}}


OTHER: Final = does.answer("AA", identity="X1")


def wrong(one: Heard) -> bytes:
    return one.ack("AR", identity="X")


DUPLICATE: Final = does.answer("AR", text="Duplicate control ID")

ROWS: Final = (
    Row("nothing is wrong", connections=1),
    # --- what it answers
    refused("AE", does.answer("AE")),
    refused("AR", does.answer("AR")),
    refused("CE", does.answer("CE")),
    refused("CR", does.answer("CR")),
    Row("CA in original mode", (does.answer("CA"),)),
    again("AE, record locked", does.answer("AE", "206")),
    again("CE, internal error", does.answer("CE", "207")),
    refused("AR, internal error", does.answer("AR", "207")),
    again("AR by profile: retry", does.answer("AR"), to=replies(AR="retry")),
    stopped("AE by profile: stop", does.answer("AE"), to=replies(AE="stop")),
    held("CR by profile: hold", does.answer("CR"), to=replies(CR="hold")),
    stopped("AE 103 by profile: stop", does.answer("AE", "103"), to=replies(AE__103="stop", AE="retry")),
    refused("AE 207 by profile: dead", does.answer("AE", "207"), to=replies(AE__207="dead")),
    Row("AR, duplicate control id in words", (DUPLICATE,)),
    Row("AE 205 at MSH-10", (does.answer("AE", "205", place="MSH^1^10"),)),
    refused("AE 205 at PID-3: the patient exists", does.answer("AE", "205", place="PID^1^3")),
    refused("AE 205 without a place, the first time", does.answer("AE", "205")),
    again("AE 205 without a place, after silence", does.silence, does.answer("AE", "205")),
    refused("AR, duplicate, refused by profile", DUPLICATE, to={"duplicates": "refused"}),
    # --- when it answers
    again("no ACK", does.silence, connections=2),
    again("no ACK, a connection a message", does.silence, to={"keep": False}, connections=3),
    Row("no ACK by profile: dead", (does.silence,), first="dead pending 1", to=replies(timeout="dead")),
    held("no ACK by profile: hold", does.silence, to=replies(timeout="hold")),
    again("late ACK", does.after(0.7, does.answer("AA"))),
    again("late AE, never credited to what follows", does.after(0.7, does.answer("AE"))),
    Row("slow ACK, in time", (does.after(0.1, does.answer("AA")),)),
    Row("ACK in pieces of one byte", (does.in_pieces(1),)),
    # --- which message it answers
    Row("double ACK", (does.says(lambda one: one.ack("AA"), lambda one: one.ack("AA")),)),
    Row("AA, then AE for the same", (does.says(lambda one: one.ack("AA"), lambda one: one.ack("AE")),)),
    again("wrong MSA-2", OTHER),
    Row("wrong MSA-2, then the right one", (does.says(wrong, lambda one: one.ack("AA")),)),
    stopped("wrong MSA-2 by profile: stop", OTHER, to=replies(wrong_id="stop"), first="refused pending 1"),
    again("no MSA-2", does.answer("AA", identity="")),
    again("a flood of wrong MSA-2", does.says(*[wrong] * 200)),
    # --- what it answers with
    again("garbage ACK", does.raw(b"\x0bhello\x1c\r")),
    held("garbage ACK by profile: hold", does.raw(b"\x0bhello\x1c\r"), to=replies(garbage="hold")),
    again("no MLLP at all", does.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    again("an ACK code of its own", does.answer("OK")),
    again("an empty block", does.raw(b"\x0b\x1c\r")),
    again("bytes that are no text", does.raw(b"\x0b\xff\xfe\x00MSA\x1c\r")),
    again("oversized ACK", does.raw(b"\x0b" + b"x" * 5000 + b"\x1c\r"), to={"acknowledgment_bytes": 1024}),
    again("endless ACK", does.raw(b"\x0b" + b"x" * 100_000), to={"acknowledgment_bytes": 1024}),
    # --- how it goes away
    again("TLS close before the ACK", does.goes),
    again("TLS close without notify before the ACK", does.goes_without_a_word),
    Row("TLS close without notify after the ACK", (does.answers_and_goes_without_a_word,), connections=2),
    again("goes after VT", does.in_pieces(1, only=1)),
    again("goes within MSA", does.in_pieces(7, only=60)),
    again("goes before FS", does.in_pieces(50, only=-2)),
    again("goes between FS and CR", does.in_pieces(50, only=-1)),
    # --- the network
    again("connection refused by reset", network=(Faults(refuse=True),), times=1),
    again("reset after the first byte", network=(Faults(up=Cut(1)),), times=1),
    again("reset within a TLS record's head", network=(Faults(up=Cut(5)),), times=1),
    again("reset within the ClientHello", network=(Faults(up=Cut(100)),), times=1),
    again("reset before the ServerHello", network=(Faults(down=Cut(0)),), times=1),
    again("reset within the partner's certificate", network=(Faults(down=Cut(300)),), times=1),
    again("closed within the handshake", network=(Faults(down=Cut(300, "close")),), times=1),
    again("silent from the start", network=(Faults(down=Cut(0, "silence")),), times=1),
    Row("latency", network=(Faults(latency=0.02),)),
    Row("slow read", network=(Faults(piece=200, pause=0.005),)),
    # --- who is there
    Row("a certificate of another name", to={"server_name": "lab.example"}, first="queued pending 1",
        second="queued pending 0", times=(), stops="partner"),
    Row("nobody listens", to={"port": 1}, first="queued pending 4", second="queued pending 0", times=()),
    # --- enhanced mode
    Row("CA, then AA", (does.commits("AA"),) * 2, to={"acknowledgments": ENHANCED}),
    Row("CA, then AA later", (does.commits("AA", later=0.2),) * 2, to={"acknowledgments": ENHANCED}),
    Row("CA, then AE", (does.commits("AE"), does.commits("AA")), to={"acknowledgments": ENHANCED},
        first="dead negative 1"),
    Row("CA, then no AA", (does.commits(""), does.commits("AA"), does.commits("AA")),
        to={"acknowledgments": ENHANCED}, first=f"{DONE} 2", times=(2, 1)),
    Row("CR, no AA is awaited", (does.answer("CR"), does.commits("AA")), to={"acknowledgments": ENHANCED},
        first="dead negative 1"),
    Row("CA ends it, AA comes afterwards", (does.commits("AA", later=0.05),) * 2,
        to={"acknowledgments": COMMITTED}),
    Row("CA ends it, AE comes afterwards", (does.commits("AE", later=0.05), does.commits("AA")),
        to={"acknowledgments": COMMITTED}, first="delivered negative 1"),
    Row("CA ends it, no AA comes", (does.commits(""), does.commits("AA")),
        to={"acknowledgments": COMMITTED}, first="delivered pending 1"),
    Row("CA ends it, no AA is asked for", (does.answer("CA"),) * 2,
        to={"acknowledgments": {"accept": "AL", "application": "NE"}},
        first="delivered not owed 1", second="delivered not owed 1"),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
async def test_each_fault_of_a_partner_ends_in_its_state(tmp_path: Path, row: Row) -> None:
    async with scene(tmp_path, row) as on:
        await on.run()
        await on.ends(row.first, row.second)
        assert tuple(on.partner.times) == row.times
        assert await on.stops() == row.stops
        assert on.partner.most <= 1
        assert row.connections in (None, on.partner.connections)
        assert on.partner.crowd <= 1


def test_the_table_has_the_rows_it_should() -> None:
    assert len(ROWS) >= 60
    assert len({row.what for row in ROWS}) == len(ROWS)
    assert {way.value for way in Retry} == {"never", "later", "hold", "stop"}
