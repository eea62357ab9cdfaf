from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from connector.edges import judge_worker
from connector.edges.judge import KINDS, Judge
from connector.errors import (
    DataTypeFault,
    MessageError,
    Overloaded,
    RequiredFieldMissing,
    SegmentSequence,
    TableValueNotFound,
    UnsupportedEvent,
)

MSH = "MSH|^~\\&|ADT1|GHH|LAB|GHH|20240818112600-0500||ADT^A01^ADT_A01|MSG1|P|2.5.1\r"
ADT = (
    MSH + "EVN|A01|20240818112300-0500\r"
    "PID|1||PATID1234^5^M11^ADT1&1.2.3&ISO^MR~123^^^USSSA^SS||EVERYMAN^ADAM^A^III^^^L||19610615|M\r"
    "PV1|1|I|W4^389^1||||004777^ATTEND^AARON^A\r"
    "ZPI|anything^goes&here|x\r"
)
ORU = (
    MSH.replace("ADT^A01^ADT_A01", "ORU^R01^ORU_R01") + "PID|1||1^^^A||DOE^JOHN\r"
    "ORC|RE\rOBR|1|||24331-1^Lipids^LN\rOBX|1|NM|2093-3^Cholesterol^LN||0.40|mg/dL|||||F\r"
    "ORC|RE\rOBR|2|||24331-1^Lipids^LN\rOBX|1|TX|2093-3^Cholesterol^LN||some\\.br\\text & more||||||F\r"
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def judge() -> AsyncIterator[Judge]:
    async with Judge(size_limit=64 * 1024, deadline=30) as one:
        yield one


async def found(judge: Judge, text: str) -> list[tuple[type[MessageError], str]]:
    return [(type(error), error.location) for error in await judge.findings(text)]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("text", [ADT, ORU, ADT.replace("\r", "\r\n"), ADT.replace("^~\\&", "^~\\&#")])
async def test_a_message_that_conforms_has_no_findings(judge: Judge, text: str) -> None:
    assert await found(judge, text) == []
    assert list(await judge(text)) == []


@pytest.mark.parametrize(
    ("old", "new", "kind", "location"),
    [
        ("||EVERYMAN^ADAM^A^III^^^L", "||", RequiredFieldMissing, "PID-5"),
        ("|19610615|M", "|1961-06-15|M", DataTypeFault, "PID-7.1"),
        ("|19610615|M", "|19611315|M", DataTypeFault, "PID-7.1"),
        ("|19610615|M", "|19610615|Q", TableValueNotFound, "PID-8"),
        ("~123^^^USSSA^SS", "~123^^^USSSA^SS^^^^^^x", DataTypeFault, "PID-3(2)"),
        ("~123^^^USSSA^SS", "~123^^^USSSA^SS^^2024x", DataTypeFault, "PID-3(2).7"),
        ("W4^389^1", "W4^389^1~W5", DataTypeFault, "PV1-3"),
        ("PV1|1|I|", "PV1|1||", RequiredFieldMissing, "PV1-2"),
        ("PV1|1|I|", "PV1|one|I|", DataTypeFault, "PV1-1"),
        ("EVN|A01|", "XYZ|1\rEVN|A01|", SegmentSequence, "XYZ"),
        ("PV1|1|I|", "PRB|1\rPV1|1|I|", SegmentSequence, "PRB"),
        ("PV1|1|I|", "PID|1||1||A\rPV1|1|I|", SegmentSequence, "PID[2]"),
        ("PV1|1|I|", "stray text\rPV1|1|I|", SegmentSequence, ""),
        ("ADT^A01^ADT_A01", "XXX^A01^XXX_A01", UnsupportedEvent, "MSH-9"),
    ],
)
async def test_a_fault_is_found_where_it_is(
    judge: Judge, old: str, new: str, kind: type[MessageError], location: str
) -> None:
    assert old in ADT
    assert (kind, location) in await found(judge, ADT.replace(old, new))


async def test_a_missing_segment_is_named(judge: Judge) -> None:
    text = ADT.replace("EVN|A01|20240818112300-0500\r", "")
    assert await found(judge, text) == [(SegmentSequence, "EVN")]


async def test_a_result_is_judged_by_its_own_value_type(judge: Judge) -> None:
    assert await found(judge, ORU.replace("|0.40|", "|a lot|")) == [(DataTypeFault, "OBX-5")]
    assert await found(judge, ORU.replace("|0.40|", "|1~none|")) == [(DataTypeFault, "OBX-5(2)")]
    assert await found(judge, ORU.replace("OBX|1|TX|", "OBX|1|DT|")) == [(DataTypeFault, "OBX[2]-5")]


async def test_the_explicit_null_is_no_fault(judge: Judge) -> None:
    assert await found(judge, ADT.replace("|19610615|M", '|""|""')) == []


async def test_no_finding_shows_a_value(judge: Judge) -> None:
    text = ADT.replace("|19610615|M", "|SECRET|SECRET").replace("W4^389^1", "SECRET&SECRET~SECRET")
    errors = await judge.findings(text + "SECRET|1\rSEC|RET\r")
    assert len(errors) >= 4
    assert not any("SEC" in f"{error!r} {error} {error.fix}".replace("SEC:", "") for error in errors)


async def test_a_text_that_is_no_message_is_a_finding(judge: Judge) -> None:
    assert await found(judge, "PID|1\r") == [(MessageError, "")]


async def test_a_message_over_the_size_limit_is_refused_unjudged(judge: Judge) -> None:
    (error,) = await judge.findings(ADT + "ZZZ|" + "x" * 64 * 1024)
    assert type(error) is MessageError
    assert error.answer.acknowledgment == "AE"


async def test_a_message_that_takes_too_long_is_refused_and_the_next_one_judged() -> None:
    async with Judge(deadline=0.4) as hasty:
        long = ORU + "OBX|1|NM|2093-3^Cholesterol^LN||0.40|mg/dL|||||F\r" * 3000
        (error,) = await hasty.findings(long)
        assert "deadline" in error.what
        hasty._deadline = 30
        assert await hasty.findings(ADT) == []


async def test_a_judge_that_breaks_down_refuses_the_message_and_comes_back(judge: Judge) -> None:
    assert await judge.findings(ADT) == []
    (worker,) = judge._workers
    assert worker._process is not None
    asking = asyncio.create_task(judge.findings(ORU + "OBX|1|NM|1||1||||||F\r" * 200))
    await asyncio.sleep(0.05)
    os.kill(worker._process.pid, signal.SIGKILL)
    (error,) = await asking
    assert "broke down" in error.what
    assert await judge.findings(ADT) == []


async def test_a_judge_that_died_in_its_sleep_is_replaced(judge: Judge) -> None:
    assert await judge.findings(ADT) == []
    (worker,) = judge._workers
    assert worker._process is not None
    os.kill(worker._process.pid, signal.SIGKILL)
    await worker._process.wait()
    assert await judge.findings(ADT) == []


async def test_who_waits_too_long_for_a_judge_is_told_to_come_again() -> None:
    async with Judge(deadline=0.2) as busy:
        (worker,) = busy._workers
        assert busy._idle.get_nowait() is worker
        with pytest.raises(Overloaded):
            await busy.findings(ADT)
        busy._idle.put_nowait(worker)


async def test_a_cancelled_question_leaves_no_answer_behind(judge: Judge) -> None:
    asking = asyncio.create_task(judge.findings(ORU + "OBX|1|NM|1||1||||||F\r" * 200))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await judge.findings(ADT) == []


async def test_messages_are_judged_side_by_side() -> None:
    async with Judge(workers=2, deadline=30) as both:
        answers = await asyncio.gather(*(both.findings(text) for text in [ADT, ORU] * 4))
        assert answers == [[]] * 8


async def test_the_worker_knows_no_kind_that_the_judge_does_not() -> None:
    texts = [ADT, MSH, ADT.replace("|M\r", "|Q\r"), "MSH|^~\\&|\r", MSH + "PID|x|||||||||&&&\rXXX\rxx\r"]
    kinds = {kind for text in texts for kind, _ in judge_worker.findings(text)}
    assert len(kinds) > 4
    assert kinds <= set(KINDS)


async def test_hl7apy_writes_no_file(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    judge_worker.findings(ADT.replace("|M\r", "|Q\r"))
    assert os.listdir(tmp_path) == []


async def test_findings_are_bounded() -> None:
    text = ORU + "OBX|x|NM|||x||||||\r" * 100
    assert len(judge_worker.findings(text)) == judge_worker.MOST_FINDINGS
