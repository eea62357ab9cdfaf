"""The audit log of a service, read for a person: only as it was written, and held against what is signed."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from audit import stamps
from audit.directory import shards
from audit.notes import Kind, Note, parse
from audit.primitives import signer
from audit.writing import publish_cosigned
from connector.errors import AuditRefused, StoreUnavailable
from connector.wiring.auditing import Kept
from connector.wiring.reviewing import AuditReader
from tests.audit.sealed import SITE, Place
from tests.audit.site import entries, tamper

WITNESS = signer("w.example", Kind.COSIGNATURE, bytes(32))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Two years that are sealed, and three entries that are not."""
    place = Place(tmp_path)
    place.write(300, 2026)
    place.write(5, 2027)
    place.seal()
    place.write(3, 2027)
    return place


def kept(place: Place) -> Kept:
    return Kept(place.store, place.directory, place.key, SITE)


def reader(place: Place) -> AuditReader:
    return AuditReader(kept(place), [WITNESS.key])


def test_all_is_read_in_order_and_the_seals_are_good(place: Place) -> None:
    reading = reader(place)
    assert list(reading.entries()) == [json.loads(entry) for _, entry, _ in entries(place.store)]
    first, second = reading.seals()
    assert (first.origin, first.first, first.sealed) == (f"{SITE}/2026", 1, 300)
    assert (second.origin, second.first, second.sealed) == (f"{SITE}/2027", 301, 5)
    assert first.signature.startswith("good")
    assert second.signature.startswith("good")
    assert (second.cosigned, second.witnesses) == (0, "")


def test_years_before_are_left_out(place: Place) -> None:
    assert [one["seq"] for one in reader(place).entries(2027)] == list(range(301, 309))
    assert [one["seq"] for one in reader(place).entries(2028)] == list(
        range(1, 309)
    )  # nothing is sealed of it


def test_cosignatures_count_by_the_keys_that_are_known(place: Place) -> None:
    shard = shards(place.directory)[1]
    note = parse(shard.checkpoint() or b"")
    signed = Note(note.text, (*note.signatures, WITNESS.signature(note.text, 1_795_000_000)))
    publish_cosigned(shard, signed.written())
    (_, known), (_, unknown) = reader(place).seals(), AuditReader(kept(place)).seals()
    assert (known.cosigned, known.witnesses) == (5, "w.example (good)")
    assert unknown.witnesses == "w.example (its key is not known here)"


def test_time_stamps_count_by_the_newest(place: Place) -> None:
    assert [one.stamped for one in reader(place).seals()] == [0, 0]
    folder = shards(place.directory)[0].root / stamps.FOLDER
    folder.mkdir()
    for name in ("7", "256", "x", "12.part"):
        (folder / f"{name}{stamps.SUFFIX}").write_bytes(b"")
    assert [one.stamped for one in reader(place).seals()] == [256, 0]


def test_a_changed_entry_ends_the_reading_with_its_number(place: Place) -> None:
    tamper(place.store, "UPDATE audit_entry SET entry = replace(entry, 'demo', 'dome') WHERE seq = 7")
    with pytest.raises(AuditRefused, match="entry 7: its hash is another"):
        list(reader(place).entries())


def test_a_chain_that_was_computed_again_is_not_what_was_signed(place: Place, tmp_path: Path) -> None:
    """Whoever writes to the table can make all hashes anew; the tiles say otherwise."""
    (tmp_path / "other").mkdir()
    other = Place(tmp_path / "other")
    other.write(299, 2026)
    other.write(6, 2027)
    (tmp_path / "other" / "store.db").replace(place.store)
    reading = reader(place)
    assert len(list(reading.entries())) == 305
    assert [one.signature.partition(":")[0] for one in reading.seals()] == ["NOT GOOD", "NOT GOOD"]
    assert "entry 300 is another than what was signed" in reading.seals()[0].signature


def test_tiles_that_were_changed_are_told_and_all_is_read(place: Place) -> None:
    shard = shards(place.directory)[0]
    (shard.root / "checkpoint").write_bytes((shard.checkpoint() or b"").replace(b"\n300\n", b"\n299\n"))
    reading = reader(place)
    assert len(list(reading.entries(2027))) == 308  # where a year begins is not known any more
    assert reading.seals()[0].signature.startswith("NOT GOOD")
    assert reading.seals()[1].signature.startswith("good")


def test_a_log_that_was_never_sealed_is_read(tmp_path: Path) -> None:
    place = Place(tmp_path, 3)
    reading = reader(place)
    assert len(list(reading.entries())) == 3
    assert reading.seals() == ()


def test_a_store_that_is_not_there_or_no_store_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.store.unlink()
    with pytest.raises(StoreUnavailable, match="the audit log cannot be read"):
        list(reader(place).entries())
    sqlite3.connect(place.store).close()
    with pytest.raises(StoreUnavailable, match="SQLITE_ERROR"):
        list(reader(place).entries())
