from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import Erased, KeyUnavailable, Tampered
from connector.store.cipher import HEADER, BlindIndex, Cipher, Record, framed
from connector.store.keyring import DAY_MICROS, DayKey, Keyring

RING = Keyring(bytearray(b"r" * 32))
for _partner in ("demo", "other"):
    for _day in (0, 1):
        _number = 1 + _day + 2 * (_partner == "other")
        RING.put(DayKey(_number, _partner, _day, 0, bytearray(os.urandom(32))), current=True)
CIPHER = Cipher(RING)
texts = st.text(max_size=12)
partners = st.sampled_from(["demo", "other"])


def _new(table: str = "inbox", row: str = "1", partner: str = "demo", day: int = 0) -> Record:
    return CIPHER.new(table, row, partner, day * DAY_MICROS)


@given(st.binary(max_size=300), texts, texts, partners, texts)
def test_what_is_sealed_opens_where_it_lies(
    plain: bytes, table: str, row: str, partner: str, column: str
) -> None:
    record = _new(table, row, partner)
    sealed = record.seal(column, plain)
    assert CIPHER.of(table, row, partner, record.wrapped).open(column, sealed) == plain
    assert len(plain) < 8 or plain not in sealed


places = st.tuples(texts, texts, partners, texts)


@given(places, places)
def test_what_is_sealed_opens_nowhere_else(
    here: tuple[str, str, str, str], there: tuple[str, str, str, str]
) -> None:
    if here == there:
        return
    record = _new(*here[:3])
    sealed = record.seal(here[3], b"plain")
    with pytest.raises(Tampered):
        CIPHER.of(*there[:3], record.wrapped).open(there[3], sealed)


@pytest.mark.parametrize("moved", ["table", "row", "partner", "column"])
def test_a_ciphertext_that_is_moved_is_found(moved: str) -> None:
    place = {"table": "inbox", "row": "1", "partner": "demo", "column": "payload"}
    other = place | {moved: "other"}
    here = _new(place["table"], place["row"], place["partner"])
    there = _new(other["table"], other["row"], other["partner"])
    with pytest.raises(Tampered):
        there.open(other["column"], here.seal(place["column"], b"plain"))


def test_a_data_key_that_is_moved_along_does_not_help() -> None:
    here = _new()
    here.seal("payload", b"plain")
    with pytest.raises(Tampered):
        CIPHER.of("inbox", "2", "demo", here.wrapped)


def test_every_flipped_bit_is_found_and_no_plain_text_is_told() -> None:
    record = _new()
    sealed = record.seal("payload", b"Smith^John")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 0x80
        with pytest.raises(Tampered) as found:
            record.open("payload", bytes(changed))
        assert found.value.location == "inbox.payload"
        assert "Smith" not in str(found.value)
    for short in (b"", sealed[:1], sealed[:12], sealed[:-1]):
        with pytest.raises(Tampered):
            record.open("payload", short)


def test_equal_texts_look_different() -> None:
    record = _new()
    assert len({record.seal("payload", b"plain") for _ in range(100)}) == 100
    assert _new().wrapped != _new().wrapped


@pytest.mark.parametrize("place", [0, 1, 2])
def test_another_header_does_not_open(place: int) -> None:
    record = _new()
    changed = bytearray(record.seal("payload", b"plain"))
    assert bytes(changed[:3]) == HEADER
    changed[place] ^= 3  # another form, or another schema version
    with pytest.raises(Tampered):
        record.open("payload", bytes(changed))


def test_a_wrapped_data_key_opens_under_its_own_day_key_only() -> None:
    today, tomorrow = _new(), _new(day=1)
    mixed = tomorrow.wrapped[:9] + today.wrapped[9:]
    with pytest.raises(Tampered):
        CIPHER.of("inbox", "1", "demo", mixed)
    for place in range(9, len(today.wrapped)):
        changed = bytearray(today.wrapped)
        changed[place] ^= 0x80
        with pytest.raises(Tampered):
            CIPHER.of("inbox", "1", "demo", bytes(changed))


def test_a_data_key_of_another_form_is_refused_and_an_empty_one_says_that_it_was_erased() -> None:
    with pytest.raises(KeyUnavailable):
        CIPHER.of("inbox", "1", "demo", b"\x01" + _new().wrapped[1:])
    with pytest.raises(Erased):
        CIPHER.of("inbox", "1", "demo", b"")


def test_keys_are_zeroed_once_they_are_in_use() -> None:
    data_key, day_key = bytearray(b"d" * 32), bytearray(b"k" * 32)
    DayKey(99, "demo", 0, 0, day_key)
    Record("inbox", b"", data_key, b"")
    assert (data_key, day_key) == (bytes(32), bytes(32))


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_a_blind_index_tells_lists_of_parts_apart(one: list[str], other: list[str]) -> None:
    index = BlindIndex(RING, "inbox.control")
    assert (index.of(*one) == index.of(*other)) == (one == other)
    assert (b"".join(map(framed, one)) == b"".join(map(framed, other))) == (one == other)


def test_each_column_has_an_index_of_its_own() -> None:
    assert BlindIndex(RING, "a").of("x") != BlindIndex(RING, "b").of("x")
    assert BlindIndex(RING, "a").of("x") == BlindIndex(RING, "a").of("x")
