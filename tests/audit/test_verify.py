from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from audit.__main__ import main
from audit.canonical import canonical
from audit.verify import Report, Unreadable, verify
from tests.audit.site import connected, draft, entries, make, tamper, write

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path / "log.db", 10)


def first_fault(path: Path) -> str:
    report = verify(path)
    assert not report.good
    return report.faults[0]


def test_a_good_log_is_reported_with_its_head(path: Path) -> None:
    head = entries(path)[-1][2].hex()
    expected = Report(10, "2026-11-23T10:00:00.000Z", "2026-11-23T10:00:09.009Z", head)
    assert verify(path) == expected
    assert head in str(expected)


def test_an_empty_log_is_good(tmp_path: Path) -> None:
    assert verify(make(tmp_path / "log.db")) == Report(0, "", "", "00" * 32)


def test_a_modified_entry_is_named(path: Path) -> None:
    tamper(path, "UPDATE audit_entry SET entry = replace(entry, 'demo', 'domo') WHERE seq = 4")
    assert first_fault(path).startswith("entry 4: modified")


def test_every_changed_byte_of_an_entry_is_found(path: Path) -> None:
    text = entries(path)[4][1].encode()
    for place in range(len(text)):
        changed = bytearray(text)
        changed[place] ^= 1
        tamper(path, "UPDATE audit_entry SET entry = CAST(? AS TEXT) WHERE seq = 5", values=(bytes(changed),))
        assert first_fault(path).startswith("entry 5: modified"), place


def test_every_changed_byte_of_a_hash_is_found(path: Path) -> None:
    hashed = entries(path)[4][2]
    for place in range(len(hashed)):
        changed = bytearray(hashed)
        changed[place] ^= 0x10
        tamper(path, "UPDATE audit_entry SET hash = ? WHERE seq = 5", values=(bytes(changed),))
        assert first_fault(path).startswith("entry 5: modified"), place


@pytest.mark.parametrize("value", [b"\xff\xfe", "text", 7, b""])
def test_a_value_of_another_kind_is_a_modified_entry(path: Path, value: object) -> None:
    for column in ("entry", "hash"):
        sql = f"UPDATE audit_entry SET {column} = ? WHERE seq = 6"  # noqa: S608
        tamper(path, sql, values=(value,))
        assert first_fault(path).startswith("entry 6: modified")


def test_a_modified_entry_with_a_new_hash_breaks_the_chain_after_it(path: Path) -> None:
    _rewrite(path, 4, lambda said: said | {"outcome": "refused"})
    assert first_fault(path) == "entry 5: it does not follow entry 4 as that now is"


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said | {"extra": 1},
        lambda said: {name: one for name, one in said.items() if name != "reason"},
        lambda said: [said],
        lambda said: said | {"seq": 9},
        lambda said: said | {"previous": "00" * 32},
    ],
)
def test_a_last_entry_that_is_none_is_found_though_its_hash_fits(path: Path, change: object) -> None:
    _rewrite(path, 10, change)
    assert first_fault(path).startswith("entry 10: ")


def test_other_white_space_is_another_entry(path: Path) -> None:
    text = entries(path)[9][1].replace(":", ": ", 1)
    _put(path, 10, text.encode())
    assert first_fault(path).startswith("entry 10: modified (not the canonical form")


def _rewrite(path: Path, seq: int, change: object) -> None:
    assert callable(change)
    _put(path, seq, canonical(change(json.loads(entries(path)[seq - 1][1]))))


def _put(path: Path, seq: int, leaf: bytes) -> None:
    hashed = hashlib.sha256(b"\x00" + leaf).digest()
    sql = f"UPDATE audit_entry SET entry = ?, hash = ? WHERE seq = {seq}"  # noqa: S608
    tamper(path, sql, values=(leaf.decode(), hashed))


@pytest.mark.parametrize("seq", [1, 5, 9])
def test_a_removed_entry_is_named(path: Path, seq: int) -> None:
    tamper(path, f"DELETE FROM audit_entry WHERE seq = {seq}")  # noqa: S608
    assert first_fault(path).startswith(f"entry {seq}: removed")


@pytest.mark.parametrize("kept", [9, 3, 0])
def test_entries_cut_off_at_the_end_are_missed(path: Path, kept: int) -> None:
    tamper(path, f"DELETE FROM audit_entry WHERE seq > {kept}")  # noqa: S608
    assert first_fault(path).startswith(f"entry {kept + 1}: removed (the log once had 10 entries")


def test_a_removed_entry_whose_gap_was_closed_is_found(path: Path) -> None:
    tamper(
        path,
        "DELETE FROM audit_entry WHERE seq = 5",
        "UPDATE audit_entry SET seq = -seq WHERE seq > 5",
        "UPDATE audit_entry SET seq = -seq - 1 WHERE seq < 0",
        "UPDATE sqlite_sequence SET seq = 9",
    )
    assert first_fault(path) == "entry 5: reordered (it says that it is entry 6)"


def test_exchanged_entries_are_found(path: Path) -> None:
    tamper(
        path,
        "UPDATE audit_entry SET seq = 100 WHERE seq = 3",
        "UPDATE audit_entry SET seq = 3 WHERE seq = 4",
        "UPDATE audit_entry SET seq = 4 WHERE seq = 100",
    )
    assert first_fault(path) == "entry 3: reordered (it says that it is entry 4)"


def test_an_entry_put_in_twice_is_found(path: Path) -> None:
    copy = "INSERT INTO audit_entry SELECT 11, entry, hash FROM audit_entry WHERE seq = 10"
    tamper(path, copy)
    assert first_fault(path).startswith("entry 11: reordered")


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("DROP TRIGGER audit_entry_no_update", "audit_entry_no_update"),
        ("DROP TRIGGER audit_entry_no_delete", "audit_entry_no_delete"),
        ("DROP TRIGGER audit_entry_in_order", "audit_entry_in_order"),
        ("CREATE TRIGGER mine AFTER INSERT ON audit_entry BEGIN SELECT 1; END", "mine"),
        ("ALTER TABLE audit_entry ADD COLUMN note TEXT", "audit_entry"),
    ],
)
def test_missing_and_foreign_triggers_are_named(path: Path, sql: str, named: str) -> None:
    with connected(path) as connection:
        connection.exec_driver_sql(sql)
    assert first_fault(path).startswith(f"{named}: the table or trigger is missing or altered")


def test_a_trigger_that_does_nothing_is_an_altered_one(path: Path) -> None:
    with connected(path) as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_entry_no_delete")
        connection.exec_driver_sql(
            "CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry BEGIN SELECT 1; END"
        )
    assert first_fault(path).startswith("audit_entry_no_delete: ")


def test_what_is_no_log_cannot_be_verified(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, but long enough to be looked at" * 50)
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE x (y)").connection.close()
    for name in ("none", "text", "empty.db", "."):
        with pytest.raises(Unreadable):
            verify(tmp_path / name)


def test_verifying_changes_nothing_and_sees_what_is_only_in_the_wal(path: Path) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA journal_mode = WAL")
    write(path, [draft(10)])
    before = path.read_bytes()
    assert verify(path).entries == 11
    assert path.read_bytes() == before
    holder.close()


def test_the_command_prints_a_report_and_exits_by_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(path)]) == 0
    assert re.search(r"entries +10\n", capsys.readouterr().out)
    tamper(path, "DELETE FROM audit_entry WHERE seq = 3")
    assert main(["verify", str(path)]) == 1
    assert "FAULT    entry 3: removed" in capsys.readouterr().out
    assert main(["verify", str(path) + "x"]) == 1
    assert "no such file" in capsys.readouterr().err


def test_the_module_runs_on_the_standard_library_alone(path: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", _ALONE, str(ROOT), "verify", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "the log is as it was written" in done.stdout


_ALONE = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from audit.__main__ import main
code = main(sys.argv[1:])
assert "sqlalchemy" not in sys.modules
sys.exit(code)
"""


def test_python_m_audit_is_the_command(path: Path) -> None:
    command = [sys.executable, "-m", "audit", "verify", str(path)]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
