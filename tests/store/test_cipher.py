from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import Tampered
from connector.store import FileKeyProvider
from connector.store.cipher import BlindIndex, Cipher, framed

with tempfile.TemporaryDirectory() as _folder:
    KEYS = FileKeyProvider.create(Path(_folder) / "kek")
CIPHER = Cipher(KEYS)
texts = st.text(max_size=12)


@given(st.binary(max_size=300), texts, texts, texts, texts)
def test_what_is_sealed_opens_where_it_lies(
    plain: bytes, table: str, row: str, partner: str, column: str
) -> None:
    record = CIPHER.new(table, row, partner)
    sealed = record.seal(column, plain)
    assert CIPHER.of(table, row, partner, record.wrapped).open(column, sealed) == plain
    assert len(plain) < 8 or plain not in sealed


@given(st.lists(texts, min_size=4, max_size=4), st.lists(texts, min_size=4, max_size=4))
def test_what_is_sealed_opens_nowhere_else(here: list[str], there: list[str]) -> None:
    if here == there:
        return
    record = CIPHER.new(*here[:3])
    sealed = record.seal(here[3], b"plain")
    with pytest.raises(Tampered):
        CIPHER.of(*there[:3], record.wrapped).open(there[3], sealed)


@pytest.mark.parametrize("moved", ["table", "row", "partner", "column"])
def test_a_ciphertext_that_is_moved_is_found(moved: str) -> None:
    place = {"table": "inbox", "row": "1", "partner": "demo", "column": "payload"}
    other = place | {moved: place[moved] + "x"}
    here = CIPHER.new(place["table"], place["row"], place["partner"])
    there = CIPHER.new(other["table"], other["row"], other["partner"])
    with pytest.raises(Tampered):
        there.open(other["column"], here.seal(place["column"], b"plain"))


def test_a_data_key_that_is_moved_along_does_not_help() -> None:
    here = CIPHER.new("inbox", "1", "demo")
    here.seal("payload", b"plain")
    with pytest.raises(Tampered):
        CIPHER.of("inbox", "2", "demo", here.wrapped)


def test_every_flipped_bit_is_found_and_no_plain_text_is_told() -> None:
    record = CIPHER.new("inbox", "1", "demo")
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
    record = CIPHER.new("inbox", "1", "demo")
    assert len({record.seal("payload", b"plain") for _ in range(100)}) == 100
    assert CIPHER.new("inbox", "1", "demo").wrapped != CIPHER.new("inbox", "1", "demo").wrapped


@given(st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_a_blind_index_tells_lists_of_parts_apart(one: list[str], other: list[str]) -> None:
    index = BlindIndex(KEYS, "inbox.control")
    assert (index.of(*one) == index.of(*other)) == (one == other)
    assert (b"".join(map(framed, one)) == b"".join(map(framed, other))) == (one == other)


def test_each_column_has_an_index_of_its_own() -> None:
    assert BlindIndex(KEYS, "a").of("x") != BlindIndex(KEYS, "b").of("x")
    assert BlindIndex(KEYS, "a").of("x") == BlindIndex(KEYS, "a").of("x")
