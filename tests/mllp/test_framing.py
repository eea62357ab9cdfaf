"""Bytes in, events out: however they are cut."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import FrameError
from connector.mllp.framing import HEAD, JUNK_LIMIT, BrokenOff, Event, Frame, Framer, Junk, TooLarge, frame

ADT = b"MSH|^~\\&|HIS|WARD|LAB|X|20261123||ADT^A01|1|P|2.5.1\rPID|1||4711\r"
LIMIT = 200


def events_of(*chunks: bytes, limit: int = LIMIT) -> list[Event]:
    framer = Framer(limit)
    events: list[Event] = []
    for chunk in chunks:
        framer.receive(chunk)
        events += framer.events()
    last = framer.close()
    return events if last is None else [*events, last]


def test_one_block_is_one_frame_without_its_delimiters() -> None:
    assert events_of(frame(ADT)) == [Frame(ADT)]


def test_many_frames_in_one_read_come_in_order() -> None:
    payloads = [b"MSH|%d" % number for number in range(50)]
    assert events_of(b"".join(frame(payload) for payload in payloads)) == [Frame(p) for p in payloads]


def test_a_frame_split_anywhere_is_the_same_frame() -> None:
    block = frame(ADT)
    for cut in range(len(block) + 1):
        assert events_of(block[:cut], block[cut:]) == [Frame(ADT)]


def test_a_frame_in_single_bytes_is_the_same_frame() -> None:
    assert events_of(*(bytes([byte]) for byte in frame(ADT))) == [Frame(ADT)]


def test_an_empty_block_is_an_empty_frame() -> None:
    assert events_of(b"\x0b\x1c\r") == [Frame(b"")]


def test_line_ends_between_frames_are_blank_junk() -> None:
    assert events_of(frame(ADT) + b"\r\n" + frame(ADT)) == [Frame(ADT), Junk(2, blank=True), Frame(ADT)]


def test_junk_before_a_frame_is_counted_and_the_frame_is_read() -> None:
    assert events_of(b"hello" + frame(ADT)) == [Junk(5, blank=False), Frame(ADT)]


def test_junk_without_any_frame_is_reported_at_the_end() -> None:
    assert events_of(b"GET / HTTP/1.1\r\n\r\n") == [Junk(18, blank=False)]


def test_endless_junk_is_reported_in_portions_and_never_held() -> None:
    framer = Framer(LIMIT)
    framer.receive(b"x" * (3 * JUNK_LIMIT + 7))
    assert list(framer.events()) == [Junk(JUNK_LIMIT, blank=False)] * 3
    assert framer.held == 0
    assert framer.close() == Junk(7, blank=False)


def test_a_trailer_outside_a_block_is_junk() -> None:
    assert events_of(b"\x1c\r" + frame(ADT)) == [Junk(2, blank=False), Frame(ADT)]


@pytest.mark.parametrize("content", [b"a\x1cb", b"\x1c", b"a\x1c\x1c", b"\x1c\x1cb\r", b"\x1c\n"])
def test_an_fs_that_no_cr_follows_is_content(content: bytes) -> None:
    assert events_of(frame(content)) == [Frame(content)]
    assert events_of(*(bytes([byte]) for byte in frame(content))) == [Frame(content)]


def test_a_start_byte_inside_a_frame_is_content() -> None:
    assert events_of(frame(b"MSH|a\x0bb")) == [Frame(b"MSH|a\x0bb")]


@pytest.mark.parametrize("opening", [b"MSH|", b"FHS|", b"BHS|"])
def test_a_sender_that_broke_off_and_began_again_does_not_join_two_messages(opening: bytes) -> None:
    stream = b"\x0bMSH|half of one pat" + frame(opening + b"another patient")
    assert events_of(stream) == [BrokenOff(19), Frame(opening + b"another patient")]


def test_only_the_last_beginning_counts() -> None:
    stream = b"\x0bMSH|1\x0bMSH|2\x0bMSH|3\x1c\rafter"
    assert events_of(stream) == [BrokenOff(11), Frame(b"MSH|3"), Junk(5, blank=False)]


def test_half_a_frame_at_the_end_is_broken_off() -> None:
    assert events_of(b"\x0bMSH|half") == [BrokenOff(8)]


def test_a_frame_of_exactly_the_limit_is_taken() -> None:
    payload = b"x" * LIMIT
    assert events_of(frame(payload)) == [Frame(payload)]
    assert events_of(*(bytes([byte]) for byte in frame(payload))) == [Frame(payload)]


def test_a_frame_over_the_limit_is_reported_once_and_the_next_one_is_read() -> None:
    payload = b"x" * (LIMIT + 1)
    expected = [TooLarge(LIMIT, b"x" * LIMIT), Frame(ADT)]
    assert events_of(frame(payload) + frame(ADT)) == expected
    assert events_of(*(bytes([byte]) for byte in frame(payload) + frame(ADT))) == expected


def test_too_large_is_reported_before_the_frame_ends() -> None:
    framer = Framer(LIMIT)
    framer.receive(b"\x0b" + b"x" * (LIMIT + 1))
    assert list(framer.events()) == [TooLarge(LIMIT, b"x" * LIMIT)]
    assert framer.inside
    framer.receive(b"x" * 1000)
    assert list(framer.events()) == []
    assert framer.close() is None


def test_the_head_of_a_frame_too_large_is_enough_for_its_msh() -> None:
    (event,) = events_of(frame(ADT + b"x" * 20000), limit=10000)
    assert isinstance(event, TooLarge)
    assert event.head.startswith(ADT)
    assert len(event.head) == HEAD


def test_memory_stays_flat_over_the_limit() -> None:
    framer = Framer(1 << 16)
    chunk = b"x" * 65536
    framer.receive(b"\x0b")
    tracemalloc.start()
    for _ in range(1600):  # 100 MiB
        framer.receive(chunk)
        list(framer.events())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_inside_tells_whether_a_frame_has_begun() -> None:
    framer = Framer(LIMIT)
    assert not framer.inside
    framer.receive(b"\x0bMSH")
    assert list(framer.events()) == []
    assert framer.inside
    framer.receive(b"|\x1c\r")
    assert list(framer.events()) == [Frame(b"MSH|")]
    assert not framer.inside


@pytest.mark.parametrize("payload", [b"a\x1c\rb", b"a\x0bMSH|", b"\x0bBHS|"])
def test_content_that_a_receiver_would_cut_is_not_framed(payload: bytes) -> None:
    with pytest.raises(FrameError):
        frame(payload)


def test_one_byte_reads_of_a_large_frame_take_linear_time() -> None:
    def seconds(size: int) -> float:
        framer = Framer(1 << 20)
        began = time.process_time()
        for byte in frame(b"\x1c" * size):
            framer.receive(bytes([byte]))
            for _ in framer.events():
                pass
        return time.process_time() - began

    small = min(seconds(20_000) for _ in range(3))
    assert seconds(160_000) < 8 * small * 3


def test_a_large_read_of_many_small_frames_takes_linear_time() -> None:
    framer = Framer(LIMIT)
    framer.receive(frame(b"MSH|1") * 200_000)
    began = time.process_time()
    assert sum(1 for _ in framer.events()) == 200_000
    assert time.process_time() - began < 4


_PIECES = st.sampled_from(
    [b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"MSH", b"\x0bMSH", b"x", b" ", b"\n", b"y" * 30, frame(b"MSH|1")]
)


@settings(max_examples=400)
@given(st.lists(_PIECES, max_size=40), st.lists(st.integers(1, 50), max_size=40), st.integers(0, 60))
def test_any_chunking_gives_the_same_events(pieces: list[bytes], cuts: list[int], limit: int) -> None:
    stream = b"".join(pieces)
    chunks, rest = [], stream
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    whole = events_of(stream, limit=limit)
    assert events_of(*chunks, rest, limit=limit) == whole
    assert events_of(*(stream[at : at + 1] for at in range(len(stream))), limit=limit) == whole


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_what_can_be_framed_is_read_back_exactly(payloads: list[bytes]) -> None:
    clean = [payload.replace(b"\x1c\r", b"").replace(b"\x0b", b"") for payload in payloads]
    clean = [payload for payload in clean if b"\x1c\r" not in payload]
    assert events_of(b"".join(frame(payload) for payload in clean)) == [Frame(payload) for payload in clean]


@settings(max_examples=200)
@given(st.lists(_PIECES, max_size=40), st.integers(0, 60))
def test_every_byte_is_accounted_for_and_no_frame_passes_the_limit(pieces: list[bytes], limit: int) -> None:
    stream = b"".join(pieces)
    events = events_of(stream, limit=limit)
    frames = [event.payload for event in events if isinstance(event, Frame)]
    assert all(len(payload) <= limit for payload in frames)
    if not any(isinstance(event, TooLarge) for event in events):
        counted = sum(event.count for event in events if isinstance(event, Junk | BrokenOff))
        assert len(stream) == counted + sum(len(p) + 3 for p in frames) + _broken(events)


def _broken(events: list[Event]) -> int:
    return sum(isinstance(event, BrokenOff) for event in events)  # each had one VT of its own
