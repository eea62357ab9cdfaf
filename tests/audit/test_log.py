from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from audit import AuditLog, Draft, Outcome, Tag, verify
from audit.entry import FIELDS, GRAMMAR, EntryRefused, entry
from audit.log import LogAltered
from tests.audit.site import FREE, connected, draft, entries, make, tamper, write


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path / "log.db")


@pytest.mark.parametrize("tag", list(Tag))
def test_every_tag_keeps_the_grammar(tag: Tag) -> None:
    assert GRAMMAR.fullmatch(tag)
    assert tag.name == tag.value.replace(":", "_").upper()


def test_entries_are_numbered_chained_and_hashed_as_leaves(path: Path) -> None:
    write(path, [draft(n) for n in range(3)])
    write(path, [])
    write(path, [draft(3)])
    previous = bytes(32)
    for expected, (seq, text, hashed) in enumerate(entries(path), start=1):
        said = json.loads(text)
        assert said.keys() == FIELDS
        assert (seq, said["seq"], said["previous"]) == (expected, expected, previous.hex())
        assert hashed == hashlib.sha256(b"\x00" + text.encode()).digest()
        previous = hashed
    assert expected == 4
    with connected(path) as connection:
        assert AuditLog().head(connection) == (4, previous)


def test_an_entry_says_what_its_draft_said(path: Path) -> None:
    drafted = Draft(
        time="2026-11-23T10:15:00Z",
        tag=Tag.TLS_HANDSHAKE_REFUSED,
        actor={"role": "peer", "subject": "CN=é"},
        object={"listener": "mllp", "count": 1},
        outcome=Outcome.REFUSED,
        reason="CERTIFICATE_VERIFY_FAILED",
        correlation="c",
    )
    write(path, [drafted])
    said = json.loads(entries(path)[0][1])
    assert {name: said[name] for name in Draft._fields} == drafted._asdict()


def test_anything_with_the_fields_of_a_draft_will_do(path: Path) -> None:
    write(path, [SimpleNamespace(**draft()._asdict())])
    write(path, [draft()])
    one, other = (json.loads(text) for _, text, _ in entries(path))
    assert one | {"seq": 0, "previous": ""} == other | {"seq": 0, "previous": ""}


def test_a_transaction_that_is_rolled_back_leaves_no_gap(path: Path) -> None:
    with connected(path) as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        AuditLog().append(connection, [draft(), draft()])
        connection.exec_driver_sql("ROLLBACK")
    write(path, [draft()])
    assert [seq for seq, _, _ in entries(path)] == [1]
    assert verify(path).good


@pytest.mark.parametrize(
    "bad",
    [
        {"tag": "message:v2:eaten"},
        {"tag": "message:translated"},
        {"tag": ""},
        {"outcome": "fine"},
        {"time": "2026-11-23T10:15:00+01:00"},
        {"time": "2026-11-23 10:15:00Z"},
        {"time": "2026-11-23T10:15:00Z\n"},
        {"time": "２026-11-23T10:15:00Z"},
    ],
)
def test_what_is_no_entry_is_refused_and_not_repeated(bad: dict[str, str]) -> None:
    with pytest.raises(EntryRefused) as refused:
        entry(draft()._replace(**bad), 1, b"")
    value = next(iter(bad.values()))
    assert not value or value not in str(refused.value)


def test_outcomes_are_three() -> None:
    assert {one.value for one in Outcome} == {"success", "refused", "failure"}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit_entry SET entry = '{}'",
        "UPDATE audit_entry SET hash = hash WHERE seq = 2",
        "UPDATE OR REPLACE audit_entry SET seq = 1 WHERE seq = 2",
        "DELETE FROM audit_entry",
        "DELETE FROM audit_entry WHERE seq = 3",
        "INSERT OR REPLACE INTO audit_entry VALUES (2, '{}', x'00')",
        "REPLACE INTO audit_entry VALUES (3, '{}', x'00')",
        "INSERT INTO audit_entry VALUES (5, '{}', x'00')",
        "INSERT INTO audit_entry VALUES (0, '{}', x'00')",
        "INSERT INTO audit_entry VALUES (-1, '{}', x'00')",
        "INSERT INTO audit_entry (entry, hash) VALUES ('{}', x'00')",
        "INSERT INTO audit_entry VALUES (1, '{}', x'00') ON CONFLICT (seq) DO UPDATE SET entry = '{}'",
    ],
)
def test_the_database_refuses_everything_but_the_next_entry(path: Path, sql: str) -> None:
    write(path, [draft(n) for n in range(3)])
    before = entries(path)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(sql)
    connection.close()
    assert entries(path) == before


def test_an_installed_log_is_left_alone(path: Path) -> None:
    write(path, [draft()])
    with connected(path) as connection:
        for new in (True, False):
            AuditLog().install(connection, new=new)
    assert len(entries(path)) == 1


def test_a_log_that_should_be_there_is_not_made_anew(tmp_path: Path) -> None:
    with connected(tmp_path / "none.db") as connection, pytest.raises(LogAltered):
        AuditLog().install(connection, new=False)


@pytest.mark.parametrize("name", ["audit_entry_no_update", "audit_entry_no_delete", "audit_entry_in_order"])
def test_a_trigger_that_is_gone_is_not_mended_in_silence(path: Path, name: str) -> None:
    with connected(path) as connection:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
        with pytest.raises(LogAltered, match=name):
            AuditLog().install(connection)


def test_two_writers_cannot_take_the_same_number(path: Path) -> None:
    write(path, [draft()])
    with connected(path) as connection, pytest.raises(IntegrityError):
        connection.exec_driver_sql("INSERT INTO audit_entry VALUES (1, '{}', x'00')")
    tamper(path)
    assert verify(path).good


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
_json = st.dictionaries(_texts, st.none() | st.integers(-9, 9) | _texts | st.floats(-1e30, 1e30), max_size=3)
_said = st.tuples(st.sampled_from(Tag), _json, _json)


@given(st.lists(st.lists(_said, max_size=4), max_size=4))
def test_whatever_is_written_verifies(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Any]]
) -> None:
    path = make(tmp_path_factory.mktemp("log") / "log.db")
    for batch in batches:
        write(path, [Draft("2026-11-23T10:15:00.1Z", *one) for one in batch], FREE)
    report = verify(path)
    assert report.good, report
    assert report.entries == sum(map(len, batches))
