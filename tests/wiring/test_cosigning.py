"""The log has its checkpoints cosigned by real witnesses over TLS; alarms where they stop or disagree."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit import notes
from audit.notes import Kind
from audit.primitives import signer
from audit.witness import Answer, Log
from connector.errors import AuditUnwitnessed
from connector.profile.audit_witness import AuditWitness
from connector.wiring.cosigners import LONGEST_PAUSE
from tests.audit.signers import LOG
from tests.audit.witness_site import FORK, LIMITS, Running, body, site
from tests.pki import SiteFiles

from .cosigning_site import Asking, Sealed

Run = Callable[..., Running]
YEARS = (Log("ward.example/*", (LOG.key,)),)


@pytest.fixture
def files(tmp_path: Path) -> SiteFiles:
    return site(tmp_path)


@pytest.fixture
def run(tmp_path: Path, files: SiteFiles) -> Iterator[Run]:
    running: list[Running] = []

    def made(name: str = "a", port: int = 0) -> Running:
        (folder := tmp_path / name).mkdir(exist_ok=True)
        running.append(Running(folder, files, LIMITS, name=f"{name}.example/w", logs=YEARS, port=port))
        return running[-1]

    yield made
    for one in running:
        one.close()


@pytest.fixture
def log(tmp_path: Path) -> Sealed:
    return Sealed(tmp_path / "log")


def asking(log: Sealed, files: SiteFiles, *witnesses: Running, **chosen: object) -> Asking:
    return Asking(log.shard.root.parent, files, witnesses, **chosen)  # type: ignore[arg-type]


async def test_what_is_published_is_cosigned_and_put_beside_it(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    one = run()
    us = asking(log, files, one)
    for size in (3, 3, 9, 20):
        log.publish(size)
        await us.settled()
        found = log.cosigned(one, quorum=1)
        assert found is not None
        assert found.checkpoint.size == size
    await us.cosigning.close()
    assert us.entries == []


async def test_a_checkpoint_counts_only_with_as_many_witnesses_as_are_required(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    first, second, third = run("a"), run("b"), run("c")
    us = asking(log, files, first, second, third, required=2)
    second.close = third.close = lambda: None  # type: ignore[method-assign]
    Running.close(second)
    Running.close(third)
    log.publish(5)
    await us.settled()
    assert log.shard.cosigned() is None
    assert "connection" in us.cosigning.warnings()["audit witness b.example/w"]
    again = run("b", second.port)
    us.at += LONGEST_PAUSE
    await us.settled()
    found = log.cosigned(first, again, quorum=2)
    assert found is not None
    assert found.checkpoint.size == 5
    assert set(us.cosigning.warnings()) == {"audit witness c.example/w"}
    await us.cosigning.close()


async def test_all_witnesses_that_cosign_stand_in_the_note(run: Run, files: SiteFiles, log: Sealed) -> None:
    witnesses = [run(name) for name in "abc"]
    us = asking(log, files, *witnesses)
    log.publish(5)
    await us.settled()
    assert log.cosigned(*witnesses, quorum=3) is not None
    await us.cosigning.close()


async def test_a_witness_that_knows_more_than_was_remembered_is_asked_from_there(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    one = run()
    assert one.witness.add(body(0, 9)).status == 200
    log.publish(20)
    us = asking(log, files, one)
    await us.settled()
    assert (found := log.cosigned(one, quorum=1)) is not None
    assert found.checkpoint.size == 20
    await us.cosigning.close()


async def test_after_a_start_it_is_asked_from_what_it_cosigned_before(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    one = run()
    for size in (9, 20):
        log.publish(size)
        us = asking(log, files, one)
        await us.settled()
        await us.cosigning.close()
    assert [line.partition(": ")[2] for line in one.told] == ["0 -> 9: 200", "9 -> 20: 200"]


@pytest.mark.parametrize(("ours", "theirs"), [(20, 9), (20, 20), (9, 20)])
async def test_a_fork_signed_with_the_real_key_is_an_alarm_and_is_never_cosigned(
    ours: int, theirs: int, run: Run, files: SiteFiles, log: Sealed
) -> None:
    """The witness has seen the other version: a shorter one, one as long, a longer one."""
    one = run()
    assert one.witness.add(body(0, theirs, FORK)).status == 200
    log.publish(ours)
    us = asking(log, files, one)
    for _ in range(3):
        await us.settled()
        us.at += LONGEST_PAUSE
    assert log.shard.cosigned() is None
    assert us.tags() == ["audit:witness:disagreed"]
    entry = us.entries[0]
    assert entry.outcome == "failure"
    assert entry.object == {
        "witness": "a.example/w",
        "origin": log.origin,
        "entries": ours,
        "seen": theirs,
    }
    assert us.cosigning.warnings()["audit witness a.example/w"].startswith("it disagrees: ")
    await us.cosigning.close()


async def test_a_log_that_is_forked_after_it_was_cosigned_is_found_out(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    one = run()
    us = asking(log, files, one)
    log.publish(9)
    await us.settled()
    log.publish(20, FORK)
    await us.settled()
    assert us.tags() == ["audit:witness:disagreed"]
    assert (found := log.cosigned(one, quorum=1)) is not None
    assert found.checkpoint.size == 9
    await us.cosigning.close()


async def test_silence_is_an_alarm_and_its_end_is_told(run: Run, files: SiteFiles, log: Sealed) -> None:
    one = run()
    us = asking(log, files, one, silent_after_seconds=60.0)
    log.publish(3)
    await us.settled()
    one.witness.add = lambda sent: Answer(500, "text/plain", b"no\n")  # type: ignore[method-assign]
    log.publish(9)
    for _ in range(4):
        us.at += LONGEST_PAUSE
        await us.settled()
    assert us.tags() == ["audit:witness:silent"]
    assert us.cosigning.warnings() == {
        "audit witnesses": "silent",
        "audit witness a.example/w": "it answers 500: no",
    }
    assert us.cosigning.ready() == {"audit witnesses": True}
    del one.witness.add
    us.at += LONGEST_PAUSE
    await us.settled()
    assert us.tags() == ["audit:witness:silent", "audit:witness:returned"]
    assert us.cosigning.warnings() == {}
    await us.cosigning.close()


async def test_an_idle_log_is_cosigned_anew_and_does_not_count_as_silent(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    one = run()
    us = asking(log, files, one, silent_after_seconds=60.0)
    log.publish(3)
    for _ in range(10):
        us.at += LONGEST_PAUSE
        await us.settled()
    assert us.entries == []
    assert len(one.told) == 10
    await us.cosigning.close()


async def test_an_alarm_that_cannot_be_recorded_is_recorded_later(
    files: SiteFiles, log: Sealed, run: Run
) -> None:
    us = asking(log, files, run(), silent_after_seconds=60.0)
    us.at += 61
    us.refuses = 1
    with pytest.raises(OSError, match="the disk"):
        await us.cosigning.turn()
    assert us.tags() == []
    await us.cosigning.turn()
    assert us.tags() == ["audit:witness:silent"]
    await us.cosigning.close()


async def test_nothing_is_taken_in_while_they_are_silent_where_that_is_wanted(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    one = run()
    us = asking(log, files, one, silent_after_seconds=60.0, fail_closed=True)
    assert isinstance(us.cosigning.withheld(), AuditUnwitnessed)  # nobody has cosigned yet
    log.publish(3)
    await us.settled()
    assert us.cosigning.withheld() is None
    us.at += 61
    assert isinstance(us.cosigning.withheld(), AuditUnwitnessed)
    assert us.cosigning.ready() == {"audit witnesses": "silent"}
    await us.settled()
    assert us.cosigning.withheld() is None
    await us.cosigning.close()


@pytest.mark.parametrize(("ago", "open_"), [(30, True), (90, False)])
async def test_a_restart_does_not_open_what_silence_has_closed(
    ago: int, open_: bool, run: Run, files: SiteFiles, log: Sealed
) -> None:
    one = run()
    log.publish(3)
    us = asking(log, files, one)
    await us.settled()
    await us.cosigning.close()
    one.witness.add = lambda sent: Answer(500, "text/plain", b"")  # type: ignore[method-assign]
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ago)
    us = asking(log, files, one, clock=later, silent_after_seconds=60.0, fail_closed=True)
    await us.settled()
    assert (us.cosigning.withheld() is None) is open_
    assert us.tags() == ([] if open_ else ["audit:witness:silent"])
    await us.cosigning.close()


ANSWERS: dict[str, Answer] = {
    "nothing": Answer(200, "text/plain", b""),
    "another's cosignature": Answer(200, "text/plain", b"\xe2\x80\x94 b.example/w " + b"A" * 104 + b"\n"),
    "not its key": Answer(403, "text/plain", b"not signed\n"),
    "no such log": Answer(404, "text/plain", b"unknown\n"),
    "a size that is none": Answer(409, "text/x.tlog.size", b"many\n"),
    "no size": Answer(409, "text/plain", b"0\n"),
    "an error page": Answer(502, "text/html", b"<html>\n<b>" + b"x" * 2000),
}


@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_that_does_not_count_leaves_things_as_they_are(
    case: str, run: Run, files: SiteFiles, log: Sealed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("audit.witness_http").witness_http._REASONS, 502, "Bad Gateway")
    one = run()
    one.witness.add = lambda sent: ANSWERS[case]  # type: ignore[method-assign]
    us = asking(log, files, one)
    log.publish(3)
    await us.settled()
    assert log.shard.cosigned() is None
    assert us.entries == []
    (said,) = us.cosigning.warnings().values()
    assert len(said) < 150
    assert "<" not in said
    await us.cosigning.close()


async def test_a_cosignature_of_another_checkpoint_does_not_count(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    one = run()
    other = one.witness.add(body(0, 9))
    one.witness.add = lambda sent: other  # type: ignore[method-assign]
    us = asking(log, files, one)
    log.publish(20)
    await us.settled()
    assert log.shard.cosigned() is None
    assert "no cosignature" in us.cosigning.warnings()["audit witness a.example/w"]
    await us.cosigning.close()


async def test_a_witness_that_never_comes_to_an_end_is_given_up(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    one = run()
    sizes = iter([1, 2, 1, 2, 1, 2])
    one.witness.add = lambda sent: Answer(409, "text/x.tlog.size", b"%d\n" % next(sizes))  # type: ignore[method-assign]
    us = asking(log, files, one)
    log.publish(3)
    await us.settled()
    assert us.cosigning.warnings() == {"audit witness a.example/w": "it says another size each time"}
    await us.cosigning.close()


async def test_the_last_checkpoint_of_a_year_is_cosigned_after_the_next_one_has_begun(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    young = signer("ward.example/2027", Kind.ED25519, bytes([1] * 32))
    later = Sealed(log.shard.root.parent, 2027, young)
    log.publish(9)
    later.publish(4)
    one = run()
    us = asking(log, files, one)
    for _ in range(2):
        await us.settled()
    assert log.cosigned(one, quorum=1) is not None
    assert later.cosigned(one, quorum=1) is not None
    await us.cosigning.close()


async def test_a_year_that_is_disposed_of_is_no_trouble_any_more(
    run: Run, files: SiteFiles, log: Sealed
) -> None:
    young = signer("ward.example/2027", Kind.ED25519, bytes([1] * 32))
    later = Sealed(log.shard.root.parent, 2027, young)
    one = run()
    assert one.witness.add(body(0, 9, FORK)).status == 200
    log.publish(9)
    later.publish(4)
    us = asking(log, files, one)
    for _ in range(2):
        await us.settled()
    assert us.cosigning.warnings()["audit witness a.example/w"].startswith("it disagrees")
    shutil.rmtree(log.shard.root)
    await us.settled()
    assert us.cosigning.warnings() == {}
    await us.cosigning.close()


async def test_a_silent_host_delays_nobody(run: Run, files: SiteFiles, log: Sealed) -> None:
    """It takes connections and says nothing: the others cosign meanwhile."""
    one, dead = run("a"), run("b")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        us = asking(log, files, one, dead)
        us.asks_instead(1, f"https://localhost:{silent.getsockname()[1]}", files)
        log.publish(3)
        await us.cosigning.turn()
        async with asyncio.timeout(5):
            await us.until(lambda: log.shard.cosigned() is not None)
        assert us.cosigning._witnesses[1].under_way is not None
        await us.cosigning.close()


async def test_a_witness_that_says_nothing_is_given_up(run: Run, files: SiteFiles, log: Sealed) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        us = asking(log, files, run())
        us.asks_instead(0, f"https://localhost:{silent.getsockname()[1]}", files, 0.1)
        log.publish(3)
        await us.settled()
        said = us.cosigning.warnings()["audit witness a.example/w"]
        assert said.startswith("the partner did not answer in time (")
        await us.cosigning.close()


async def test_it_runs_by_itself(run: Run, files: SiteFiles, log: Sealed) -> None:
    one = run()
    us = asking(log, files, one)
    us.cosigning.start()
    log.publish(3)
    async with asyncio.timeout(10):
        await us.until(lambda: log.cosigned(one, quorum=1) is not None)
    await us.cosigning.close()


def test_settings_that_could_never_be_met_are_refused() -> None:
    key = str(notes.key("a.example/w", Kind.COSIGNATURE, bytes(32)))
    ask = {"url": "https://a.example", "keys": (key,)}
    AuditWitness.model_validate({"ask": (ask,)})
    wrong = (
        {"ask": ()},
        {"ask": (ask, {**ask, "keys": (str(notes.key("b.example/w", Kind.COSIGNATURE, bytes(32))),)})},
        {"ask": (ask,), "required": 2},
        {"ask": (ask, ask)},
        {"ask": ({**ask, "url": "http://a.example"},)},
        {"ask": ({**ask, "keys": ()},)},
        {"ask": ({**ask, "keys": ("a.example",)},)},
        {"ask": ({**ask, "keys": (key, key.replace("a.", "b."))},)},
    )
    for one in wrong:
        with pytest.raises(ValueError, match="validation error"):
            AuditWitness.model_validate(one)
