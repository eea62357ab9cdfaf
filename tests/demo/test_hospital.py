"""The hospital system: in order, until acknowledged, and every control id has its effect once."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from connector.demo import tls
from connector.demo.hospital import Receiving, Record, drop
from connector.demo.messages import (
    acknowledge,
    control_id,
    frame,
    kind,
    read_answer,
    split,
    text_of,
)
from connector.demo.site import Site

Start = Callable[..., subprocess.Popen[bytes]]


def message(identity: str, more: str = "") -> bytes:
    header = f"MSH|^~\\&|STV|HAUS|LAB|X|20261123||ADT^A08^ADT_A01|{identity}|P|2.5.1"
    return f"{header}\rPID|1||77{more}\r".encode()


def records(path: Path, count: int) -> list[dict[str, object]]:
    for _ in range(200):
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        time.sleep(0.05)
    raise AssertionError(f"{len(lines)} of {count} lines")


def test_a_file_is_split_into_its_messages_whatever_ends_the_lines() -> None:
    content = b"MSH|^~\\&|A\nPID|1||MSH 1\r\nZZZ|MSH|x\r\n\r\nMSH|^~\\&|B\rPID|2\r"
    assert split(content) == [b"MSH|^~\\&|A\rPID|1||MSH 1\rZZZ|MSH|x\r", b"MSH|^~\\&|B\rPID|2\r"]
    assert split(frame(message("1")) + frame(message("2"))) == [message("1"), message("2")]
    assert split(b"") == []


def test_the_fields_of_a_header_are_found() -> None:
    assert (control_id(message("M1")), kind(message("M1"))) == ("M1", "ADT^A08")
    latin = message("1", "^Mü").replace("Mü".encode(), "Mü".encode("iso8859-1"))
    assert "Mü" in text_of(latin.replace(b"|2.5.1", b"|2.5.1||||||8859/1"))
    assert "Mü" in text_of(message("1", "^Mü"))


def test_an_acknowledgment_goes_back_to_the_sender_and_can_be_read() -> None:
    text = acknowledge(message("M1"), "AA", "H1", "20261123").decode()
    assert text.startswith("MSH|^~\\&|LAB|X|STV|HAUS|20261123||ACK^A08^ACK|H1|P|2.5.1\r")
    assert read_answer(text.encode()).acknowledges == "M1"
    refusal = b"MSH|^~\\&|\rMSA|AE|M1\rERR||PID^1^3|101^Required field missing^HL70357|E\r"
    assert read_answer(refusal).errors == ("101 PID-1-3",)
    assert read_answer(b"MSH|^~\\&|").code == ""


def test_a_control_id_that_comes_again_is_acknowledged_and_counted_as_a_repeat(tmp_path: Path) -> None:
    incoming = (message("1"), message("1"), message("2"), message("2", "x"))
    with closing(Record(tmp_path / "received.jsonl")) as record:
        answers = list(map(Receiving(record).take, incoming))
    assert all(read_answer(answer).code == "AA" for answer in answers)
    lines = records(tmp_path / "received.jsonl", 4)
    assert [line["repeat"] for line in lines] == [False, True, False, True]
    assert [line["conflict"] for line in lines] == [False, False, False, True]
    assert [line["n"] for line in lines] == [1, 2, 3, 4]


def test_a_record_goes_on_after_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "received.jsonl"
    with closing(Record(path)) as record:
        Receiving(record).take(message("1"))
    with path.open("a") as file:
        file.write('{"n": 2, "contr')
    with closing(Record(path)) as record:
        Receiving(record).take(message("1"))
    assert [line["repeat"] for line in records(path, 2)] == [False, True]


def hung_up() -> bytes:
    raise ConnectionResetError


def talk(site: Site, *parts: bytes, context: ssl.SSLContext | None = None) -> list[bytes]:
    context = context or tls.client_context(site.folder, "connector")
    with (
        closing(socket.create_connection(("127.0.0.1", site.ports.hospital), timeout=5)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as peer,
    ):
        received = b""
        for part in parts:
            peer.sendall(part)
            while not received.endswith(b"\x1c\r"):
                received += peer.recv(65536) or hung_up()
        return split(received)


def test_it_receives_over_mutual_tls_and_keeps_the_order(site: Site, start: Start) -> None:
    start("hospital", site.ports.hospital)
    answers = talk(site, frame(message("1")) + frame(message("2")))
    assert [read_answer(answer).acknowledges for answer in answers][:1] == ["1"]
    assert [line["control_id"] for line in records(site.received, 2)] == ["1", "2"]


def test_without_a_certificate_it_takes_nothing(site: Site, start: Start) -> None:
    start("hospital", site.ports.hospital)
    bare = ssl.create_default_context(cafile=site.folder / "ca.pem")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        talk(site, frame(message("1")), context=bare)
    assert site.received.read_text() == ""


@contextmanager
def connector_that(site: Site, answers: Callable[[int, bytes], bytes | None]) -> Iterator[list[bytes]]:
    """A stand-in that answers the n-th frame with ``answers(n, message)``; None hangs up."""
    seen: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", site.ports.mllp))
    listening.settimeout(0.2)
    stopped = threading.Event()
    context = tls.server_context(site.folder, "connector")

    def converse(peer: ssl.SSLSocket) -> None:
        while not stopped.is_set():
            received = peer.recv(65536)
            if not received:
                return
            seen.append(split(received)[0])
            answer = answers(len(seen), seen[-1])
            if answer is None:
                return
            peer.sendall(frame(answer))

    def accept() -> None:
        while not stopped.is_set():
            try:
                plain, _ = listening.accept()
            except TimeoutError:
                continue
            plain.settimeout(5)
            with context.wrap_socket(plain, server_side=True) as peer:
                converse(peer)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield seen
    finally:
        stopped.set()
        thread.join(10)
        listening.close()


def test_what_is_dropped_is_sent_in_order_until_it_is_acknowledged(site: Site, start: Start) -> None:
    busy = b"MSH|^~\\&|\rMSA|AE|1\rERR|||207^Application internal error^HL70357|E\r"

    def answers(turn: int, received: bytes) -> bytes | None:
        return {1: None, 2: busy}.get(turn, acknowledge(received, "AA", "C1", "2026"))

    drop(site, "02-later", message("3"))
    drop(site, "01-first", message("1") + message("2"))
    process = start("hospital", site.ports.hospital)  # nobody listens yet
    with connector_that(site, answers) as seen:
        lines = records(site.sent, 3)
        process.terminate()
        process.wait(10)
    assert [control_id(one) for one in seen] == ["1", "1", "1", "2", "3"]
    assert [(line["control_id"], line["ack"], line["matches"]) for line in lines] == [
        ("1", "AA", True),
        ("2", "AA", True),
        ("3", "AA", True),
    ]


def test_a_refusal_is_recorded_and_the_next_message_goes_out(site: Site, start: Start) -> None:
    refusal = b"MSH|^~\\&|\rMSA|AE|1\rERR||PID^1|100^Segment sequence error^HL70357|E\r"

    def answers(turn: int, received: bytes) -> bytes:
        return refusal if turn == 1 else acknowledge(received, "AA", "C1", "2026")

    drop(site, "01", message("1") + message("2"))
    process = start("hospital", site.ports.hospital)
    with connector_that(site, answers):
        first, second = records(site.sent, 2)
        process.terminate()
        process.wait(10)
    assert (first["ack"], first["errors"], second["ack"]) == ("AE", ["100 PID-1"], "AA")
