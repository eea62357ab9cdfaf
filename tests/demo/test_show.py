"""What the demo shows and how it reckons."""

from __future__ import annotations

import io
import os
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from connector.demo.processes import Processes, choose_ports
from connector.demo.reckoning import reckon
from connector.demo.rows import day, lines, rows_to_fhir, rows_to_v2, said_before
from connector.demo.show import Row, balances, how_to_play, marked, table
from connector.demo.site import Site
from connector.demo.status import Counted, Listed
from connector.errors import ConfigurationError, UnableToWork
from tests.ports import free_ports

PRIOR = "MSH|^~\\&|A|20261123\rPID|1||77||Beispiel^Clara|Old street|x\rNK1|1|A\rNK1|2|B\r"


def text(shown: Any) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(shown)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_only_changed_fields_are_marked() -> None:
    after = (
        PRIOR.replace("Old street", "New street").replace("NK1|2|B", "NK1|2|C").replace("20261123", "2027")
    )
    assert text(marked(after, PRIOR)).count("»") == 2
    assert "|»New street«|x" in text(marked(after, PRIOR))
    assert "»" not in text(marked(PRIOR, PRIOR))
    assert "»" not in text(marked(after, None))


def test_of_a_repeated_field_only_the_repetitions_that_differ_are_marked() -> None:
    before = PRIOR.replace("Old street", "A~B")
    assert "|A~»C«|" in text(marked(PRIOR.replace("Old street", "A~C"), before))
    assert "|A~B~»C«|" in text(marked(PRIOR.replace("Old street", "A~B~C"), before))
    assert "|»«|x" in text(marked(PRIOR.replace("Old street", ""), before))


def test_a_field_more_is_marked_and_a_new_segment_is_not_compared() -> None:
    after = PRIOR.replace("|x\r", "|x|y\r") + "ZZZ|1\r"
    assert "|»y«" in text(marked(after, PRIOR))
    assert "\nZZZ|1" in text(marked(after, PRIOR))


def test_the_last_adt_about_the_same_patient_is_what_a_change_is_compared_with() -> None:
    adt = "MSH|^~\\&|X|||||||ADT^A08^ADT_A01|9\rPID|1||70012^^^STV\r"
    known = said_before(adt)
    assert known is not None
    assert "ADT^A02" in known
    assert said_before(adt.replace("70012", "1")) is None
    assert said_before(adt.replace("ADT^A08", "ORU^R01")) is None


def sent(number: int, control_id: str, ack: str = "AA", file: str = "01-admit.hl7") -> dict[str, Any]:
    return {
        "n": number,
        "at": "2026-11-23T10:00:00.000Z",
        "file": file,
        "control_id": control_id,
        "ack": ack,
        "errors": ["100 PID"] if ack == "AE" else [],
        "matches": True,
    }


def received(control_id: str, repeat: bool = False) -> dict[str, Any]:
    message = f"MSH|^~\\&|C||||2026||ADT^A08|{control_id}\r"
    at = "2026-11-23T10:00:00.000Z"
    return {"at": at, "control_id": control_id, "repeat": repeat, "conflict": False, "message": message}


SENT = [sent(1, "a"), sent(2, "b"), sent(3, "a"), sent(4, "c", "AE"), sent(5, "d")]
LISTED = [
    Listed("to_fhir", "delivered", 2),
    Listed("to_fhir", "delivered", 0),
    Listed("to_v2", "delivered", 3),
    Listed("to_fhir", "waiting", 1),
]


def test_each_row_finds_its_message_and_repeats_and_refusals_have_none() -> None:
    rows = list(rows_to_fhir(SENT, LISTED, [9, 4]))
    assert [row.resources for row in rows] == [9, 4, None, None, None]
    assert [row.delivered for row in rows] == [True, True, None, None, False]
    assert rows[3].note == "100 PID"
    back = list(rows_to_v2([received("x"), received("x", repeat=True)], LISTED, [1]))
    assert [(row.message, row.lost, row.note) for row in back] == [
        ("ADT^A08", 3, ""),
        ("ADT^A08", None, "sent again"),
    ]
    assert "v2 → FHIR" in text(table(rows))


def sandbox(**notices: int) -> dict[str, Any]:
    return {"writes": {"connector": 12}, "notices": {"waiting": 0, "accepted": 1} | notices}


GOOD = {
    "to_fhir": Counted(received=3, duplicates=1, refused=1, delivered=3),
    "to_v2": Counted(received=1, delivered=1, sent=1),
}


def test_a_good_run_reconciles() -> None:
    sides = reckon(SENT, [received("x"), received("x", repeat=True)], sandbox(), GOOD)
    assert all(side.holds for side in sides)
    assert text(balances(sides)).count("reconciles") == 2


@pytest.mark.parametrize(
    ("direction", "counts"),
    [
        ("to_fhir", Counted(received=3, duplicates=1, refused=1, delivered=2, waiting=1)),
        ("to_fhir", Counted(received=3, duplicates=1, refused=1, delivered=2, dead=1)),
        ("to_fhir", Counted(received=3, duplicates=0, refused=1, delivered=3)),
        ("to_fhir", Counted(received=3, duplicates=1, refused=0, delivered=3)),
        ("to_v2", Counted(received=1, delivered=1, sent=2)),
        ("to_v2", Counted()),
    ],
)
def test_a_difference_to_the_connectors_own_counts_is_found(direction: str, counts: Counted) -> None:
    sides = reckon(SENT, [received("x")], sandbox(), GOOD | {direction: counts})
    assert [side.direction for side in sides if not side.holds] == [direction]
    assert "reconciles" in text(balances(sides))


def test_what_the_partners_saw_decides_too() -> None:
    assert not reckon(SENT, [], sandbox(), GOOD)[1].holds
    assert not reckon(SENT, [received("x")], sandbox(waiting=1), GOOD)[1].holds
    assert not reckon(SENT[:4], [received("x")], sandbox(), GOOD)[0].holds


def test_the_page_says_how_to_play(site: Site) -> None:
    page = how_to_play(site)
    assert f"mllps://localhost:{site.ports.mllp}" in page
    assert f"{site.connector_url}/fhir" in page
    assert "python -m audit fsck" in page
    assert "audit log  not signed yet" in page
    (site.store.with_suffix(".audit") / "2026").mkdir(parents=True)
    checkpoint = "demo.example/2026\n87\nr00t=\n\n\N{EM DASH} demo.example/2026 c2ln\n"
    (site.store.with_suffix(".audit") / "2026" / "checkpoint").write_text(checkpoint)
    assert "87 entries signed as demo.example/2026, root r00t=" in how_to_play(site)


def test_half_a_line_of_another_process_waits(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    assert lines(path) == []
    path.write_text('{"n": 1}\n{"n": ')
    assert lines(path) == [{"n": 1}]


def test_a_port_that_was_asked_for_must_be_free_and_a_partners_gives_way() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match="taken") as caught:
            choose_ports(mllp=port, https=1)
        assert "--port-mllp" in caught.value.fix
    mllp, https = free_ports(2)
    ports = choose_ports(mllp=mllp, https=https)
    assert (ports.mllp, ports.https) == (mllp, https)
    assert len({ports.mllp, ports.https, ports.hospital, ports.sandbox}) == 4


async def test_processes_are_ended_also_after_a_failure(site: Site) -> None:
    running: list[int] = []

    async def fail() -> None:
        with Processes(site) as processes:
            await processes.sandbox()
            await processes.hospital(0.0)
            running.extend(process.pid for process in processes._running.values())
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert len(running) == 2
    for pid in running:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIG_DFL)


async def test_a_process_that_ends_by_itself_is_named_with_its_log(site: Site) -> None:
    (site.folder / "fhir.key").unlink()
    with Processes(site) as processes, pytest.raises(UnableToWork, match="sandbox") as caught:
        await processes.sandbox()
    assert "sandbox.log" in caught.value.fix


def test_the_rows_know_the_kind_of_every_file_of_the_day() -> None:
    every = [sent(n, str(n), file=name) for n, (name, _) in enumerate(day())]
    assert all(row.message for row in rows_to_fhir(every, []))
    assert isinstance(next(rows_to_fhir(every, [])), Row)
