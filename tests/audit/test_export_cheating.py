"""What who holds the log's key, or nobody's key, might try with an export that fits in all else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit import verify_export
from audit.entry import Tag
from audit.export import stream
from audit.selection import Selection
from tests.audit.exported import MADE, SOURCE, WITNESS, Log, between, checked, day, operator, small
from tests.audit.tampering import Contents, Manifest, contents, rebuilt

KEY = day().signer(day().shard.origin)
YEARS = ("2024", "2025", "2025", "2026", "2026")


def _of_years(folder: Path, years: tuple[str, ...] = YEARS) -> Log:
    log = Log(folder)
    log.add([operator(Tag.AUDIT_VIEWED, f"{year}-12-31T23:59:59Z", what=year) for year in years])
    return log


def _told(folder: Path, raw: bytes, word: str, **more: Any) -> None:
    path = folder / "forged.zip"
    path.write_bytes(raw)
    found = checked(path, **more)
    assert found.code == 1, found.report
    assert word in found.report


def _emptied(held: Contents) -> None:
    """As an export of a range has it in which nothing happened."""
    held["entries.ndjson"] = held["neighbours.ndjson"] = b""
    held["entries.csv"] = f"\ufeff{verify_export.COLUMNS}\r\n".encode()
    for name in [one for one in held if one.startswith("proofs/")]:
        del held[name]


@pytest.mark.parametrize("first", [-299, 0])
def test_a_log_whose_numbers_end_in_none_does_not_pass_for_an_empty_one(tmp_path: Path, first: int) -> None:
    def nothing(manifest: Manifest) -> None:
        manifest |= {"count": 0, "first": None, "last": None, "neighbours": {"before": None, "after": None}}
        manifest["shards"][0]["first"] = first

    _told(tmp_path, rebuilt(day().exported(), KEY, _emptied, nothing), "no year of a log")


def test_a_year_hides_no_entries_behind_the_numbers_of_the_one_before(tmp_path: Path) -> None:
    log = _of_years(tmp_path)
    key = log.signer("site.example/log/2026")

    def overlapping(manifest: Manifest) -> None:
        manifest["shards"][2]["first"] -= 1

    _told(tmp_path, rebuilt(log.exported(Selection(tag="x")), key, said=overlapping), "does not begin where")


@pytest.mark.parametrize("order", [(0, 2), (2, 1, 0), (0, 1, 1, 2)])
def test_years_are_there_once_and_in_their_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    log = _of_years(tmp_path)
    key = log.signer("site.example/log/2026")

    def other(manifest: Manifest) -> None:
        manifest["shards"] = [manifest["shards"][at] for at in order]

    _told(tmp_path, rebuilt(log.exported(Selection(tag="x")), key, said=other), "begin where")


def test_a_year_is_the_one_that_its_name_says(tmp_path: Path) -> None:
    def moved(held: Contents) -> None:
        for name in [one for one in held if one.startswith("log/2026/")]:
            held[name.replace("2026", "2027")] = held.pop(name)

    def later(manifest: Manifest) -> None:
        manifest["shards"][0]["year"] = 2027

    _told(tmp_path, rebuilt(small(), KEY, moved, later), "no year of a log")


def test_what_the_witness_must_have_signed_is_not_for_the_manifest_to_say(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(30)
    log.cosign()
    log.add([operator(Tag.AUDIT_VIEWED, "2026-11-24T00:00:00Z", what="x")])
    raw = b"".join(stream(log.plan(least=31), MADE, log.signer, SOURCE))
    forged = rebuilt(raw, log.signer(log.shard.origin), said=lambda one: one.update(last=30))
    _told(tmp_path, forged, "another last entry", witnesses=[WITNESS.key])


def test_an_end_that_the_witness_has_not_seen_is_said_to_be_one(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(30)
    log.cosign()
    log.add([operator(Tag.AUDIT_VIEWED, f"2026-11-24T00:00:0{n}Z", what="x") for n in range(2)])
    plan = log.plan(between(10, 30, log), least=32)
    path = tmp_path / "x.zip"
    path.write_bytes(b"".join(stream(plan, MADE, log.signer, SOURCE)))
    found = checked(path, witnesses=[WITNESS.key])
    assert found.code == 0, found.report
    assert "has not signed the entry behind it" in found.report
    assert "has not signed the entry behind it" not in checked(path).report


def test_a_log_is_no_witness_of_its_own(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(5)
    log.cosign()
    log_key, witness = (verify_export.key(str(one)) for one in (log.public, WITNESS.key))
    for own in (witness._replace(public=log_key.public), log_key):
        report, code, _ = verify_export.check(str(log.file()), None, verify_export.Trust([], [own]))
        assert code == 1
        assert "proves nothing" in report


@pytest.mark.parametrize("said", ["\uff12026-01-01T00:00:00Z", "\x1b[2J\n", "2026-13", ""])
def test_a_range_is_asked_for_by_times_that_everybody_reads_alike(tmp_path: Path, said: str) -> None:
    """A digit of another script looks the same, and comes behind all others when compared."""

    def asked(manifest: Manifest) -> None:
        manifest["asked"]["from"] = said

    _told(tmp_path, rebuilt(small(), KEY, said=asked), "no time")


@pytest.mark.parametrize("time", ["2026-11-23T10:00:00\u202eZ", "\x9b2JZ", "2026-11-23 10:00:00Z", 'a"Z'])
def test_the_time_of_an_entry_is_one(time: str) -> None:
    line = json.loads(contents(small())["entries.ndjson"].splitlines()[0]) | {"time": time}
    with pytest.raises(verify_export.Bad):
        verify_export.entry(verify_export.canonical(line).encode())


def test_the_clocks_error_is_written_in_one_way() -> None:
    line = contents(small())["entries.ndjson"].splitlines()[0]
    number = line[line.rindex(b":") + 1 : -1]
    for was, good in ((b"7", True), (b"0", True), (b"007", False), (b"00", False), (b"1e3", False)):
        one = line[: -len(number) - 1] + was + b"}"
        if good:
            assert verify_export.entry(one).late == was.decode()
        else:
            with pytest.raises(verify_export.Bad):
                verify_export.entry(one)


def test_no_file_of_an_export_goes_without_its_hash(tmp_path: Path) -> None:
    def bare(manifest: Manifest) -> None:
        for one in manifest["members"]:
            one["packed_sha256"] = "" if one["name"] == "atna.xml" else one["packed_sha256"]

    _told(tmp_path, rebuilt(small(), KEY, said=bare), "the manifest cannot be read")


def test_a_manifest_says_each_thing_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = json.dumps

    def twice(said: Any, **form: Any) -> str:
        return written(said, **form).replace('"whole": true', '"whole": false,\n "whole": true')

    with monkeypatch.context() as patched:
        patched.setattr(json, "dumps", twice)
        raw = rebuilt(small(), KEY)
    _told(tmp_path, raw, "more than one way")


def test_a_year_that_the_earlier_export_had_is_not_left_out(tmp_path: Path) -> None:
    log = _of_years(tmp_path)
    earlier = log.file(name="earlier.zip")
    (tmp_path / "fork").mkdir()
    fork = Log(tmp_path / "fork")
    fork.key.path.write_bytes(log.key.path.read_bytes())
    fork.key.path.chmod(0o600)
    fork.add([operator(Tag.AUDIT_VIEWED, f"{year}-12-31T23:59:59Z", what=year) for year in YEARS[:3]])
    assert checked(fork.file(), keys=[fork.public]).code == 0
    _told(tmp_path, fork.exported(), "the log was cut", against=earlier)


def test_the_name_of_a_file_commands_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "x\x1b[2J\udcff.zip"
    path.write_bytes(small())
    assert "\x1b" not in checked(path).report
    assert verify_export.main([str(path)]) == 0


def test_a_year_that_the_witness_saw_to_its_end_is_witnessed(tmp_path: Path) -> None:
    """Also when the log is in another year by now, and that has more."""
    log = _of_years(tmp_path, YEARS[1:3])
    log.cosign()
    log.add([operator(Tag.AUDIT_VIEWED, "2026-01-01T00:00:00Z", what="x")])
    log.cosign()
    path = tmp_path / "x.zip"
    path.write_bytes(b"".join(stream(log.plan(least=3), MADE, log.signer, SOURCE)))
    found = checked(path, witnesses=[WITNESS.key])
    assert found.code == 0, found.report
    assert "2025 ended at 2 entries for everybody" in found.report
    assert "2026 ended at" not in found.report


def test_tiles_that_are_left_out_of_the_range_itself_are_a_fault(tmp_path: Path) -> None:
    _told(tmp_path, rebuilt(small(), KEY, lambda held: held.pop("log/2026/tile/0/000")), "not in the export")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("log/2025/checkpoint", "does not name"),
        ("log/2026/tile/0/000.p/7", "no tile"),
        ("log/2026/tile/0/007", "no tile"),
        ("log/2026/tile/9/000", "no tile"),
        ("log/2026/tile/0/x", "NOT good"),
        ("proofs/000000001-000000002.zip", "proofs of what is not in it"),
    ],
)
def test_nothing_comes_along_that_is_not_looked_at(tmp_path: Path, name: str, word: str) -> None:
    _told(tmp_path, rebuilt(small(), KEY, lambda held: held.update({name: b"x" * 32})), word)
