from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from audit import atna, balp, export, proofs
from audit.canonical import canonical
from audit.entry import Tag
from audit.export import ExportRefused, Head
from audit.primitives import check
from audit.selection import Selection, SelectionRefused
from audit.signing import Trust
from tests.audit import site as tables
from tests.audit.exported import SOURCE, WITNESS, Log, between, checked, day, operator, small
from tests.audit.samples import PATIENT
from tests.audit.tampering import Contents, rebuilt


def _opened(raw: bytes) -> zipfile.ZipFile:
    found = zipfile.ZipFile(io.BytesIO(raw))
    assert found.testzip() is None
    return found


def _manifest(raw: bytes) -> dict[str, Any]:
    return dict(json.loads(_opened(raw).read("manifest.json")))


def _numbers(raw: bytes) -> list[int]:
    return [json.loads(line)["seq"] for line in _opened(raw).read("entries.ndjson").splitlines()]


def test_the_entries_are_byte_for_byte_those_of_the_log() -> None:
    lines = _opened(day().exported()).read("entries.ndjson").splitlines()
    assert lines == [entry.encode() for _, entry, _ in tables.entries(day().store)]


def test_a_range_has_its_entries_and_both_neighbours() -> None:
    assert _numbers(small()) == [100, 101, 102, 103, 104, 105, 106]
    beside = _opened(small()).read("neighbours.ndjson").splitlines()
    assert [json.loads(line)["seq"] for line in beside] == [99, 107]


def test_each_entry_has_a_proof_that_any_tool_can_check() -> None:
    outer = _opened(day().exported())
    inner = _opened(outer.read("proofs/000000001-000000300.zip"))
    trust = Trust(day().shard.origin, day().shard.keys(), (WITNESS.key,), 1)
    for name in inner.namelist():
        seq = int(name.removesuffix(proofs.SUFFIX))
        entry = tables.entries(day().store)[seq - 1][1].encode()
        assert proofs.verify(inner.read(name), entry, trust, check).checkpoint.size == 300
        assert proofs.parse(inner.read(name)).leaf_index == seq - 1
    assert len(inner.namelist()) == 300


def test_the_same_log_and_words_give_the_same_bytes() -> None:
    assert day().exported() == day().exported()


def test_the_manifest_says_who_asked_for_what_and_the_hash_of_each_file() -> None:
    said, opened = _manifest(small()), _opened(small())
    assert said["made"]["by"]["name"] == "bea"
    assert said["made"]["because"] == "the yearly check"
    assert (said["count"], said["first"], said["last"], said["whole"]) == (7, 100, 106, True)
    for one in said["members"]:
        assert hashlib.sha256(opened.read(one["name"])).hexdigest() == one["sha256"]
    assert [one["name"] for one in said["members"]] == opened.namelist()[:-2]


def test_events_and_messages_are_those_of_the_entries() -> None:
    opened = _opened(small())
    entries = [json.loads(line) for line in opened.read("entries.ndjson").splitlines()]
    bundle = json.loads(opened.read("auditevents.json"))
    expected = [one for entry in entries for one in balp.events_of(entry, SOURCE)]
    assert bundle["type"] == "collection"
    assert [one["resource"] for one in bundle["entry"]] == expected
    messages = ElementTree.fromstring(opened.read("atna.xml"))  # noqa: S314
    assert len(messages) == 7
    first = ElementTree.fromstring(atna.message(entries[0], SOURCE))  # noqa: S314
    assert ElementTree.tostring(messages[0]).strip() == ElementTree.tostring(first)


def test_many_events_come_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export.forms, "COLLECTED", 5)
    opened = _opened(day().exported(between(100, 106)))
    assert "auditevents.json" not in opened.namelist()
    lines = opened.read("auditevents.ndjson").splitlines()
    assert {json.loads(line)["resourceType"] for line in lines} == {"AuditEvent"}


def test_the_table_is_no_place_for_formulas(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.add(
        [
            operator(Tag.AUDIT_VIEWED, "2026-11-23T10:00:00Z", what=what)
            for what in ('=1+1"', "+x", "@SUM(A1)", "plain")
        ]
    )
    text = _opened(log.exported()).read("entries.csv").decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == 5
    assert not [cell for row in rows[1:] for cell in row if cell[:1] in "=+-@\t\r" and cell]
    assert json.loads(rows[1][11])["what"] == '=1+1"'
    assert checked(log.file()).code == 0


@pytest.mark.parametrize(
    "text", ["a;=1+1", 'a; "=1', "a\t=1", "a\n-1", "a;\uff1d1", "=1;=2", "a;b", "a;\n;;@x"]
)
def test_no_formula_begins_where_another_country_parts_cells(tmp_path: Path, text: str) -> None:
    log = Log(tmp_path)
    one = operator(Tag.AUDIT_VIEWED, "2026-11-23T10:00:00Z", what=text)
    log.add([one._replace(actor={**one.actor, "name": text}, correlation=text)])
    table = _opened(log.exported()).read("entries.csv").decode("utf-8-sig")
    assert not re.search(r'[;\t\r\n]["\s]*[=+@|%\uff1d-]', table)
    row = list(csv.reader(io.StringIO(table, newline="")))[1]
    assert json.loads(row[11])["what"] == text
    assert row[9].replace("'", "") == text
    assert checked(log.file()).code == 0


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "\tx", "＝1", " -1"])
def test_a_name_that_looks_like_a_formula_is_quoted(tmp_path: Path, name: str) -> None:
    log = Log(tmp_path)
    one = operator(Tag.AUDIT_VIEWED, "2026-11-23T10:00:00Z", what="x")
    log.add([one._replace(actor={**one.actor, "name": name})])
    text = _opened(log.exported()).read("entries.csv").decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline="")))[1][8] == f"'{name}"
    assert checked(log.file()).code == 0


def test_a_filter_finds_by_tag_and_by_its_first_parts() -> None:
    tags = [json.loads(entry)["tag"] for _, entry, _ in tables.entries(day().store)]
    assert _numbers(day().exported(Selection(tag="delivery:fhir"))) == [
        seq for seq, tag in enumerate(tags, start=1) if tag.startswith("delivery:fhir:")
    ]
    exact = _numbers(day().exported(Selection(tag="message:v2:received")))
    assert exact == [seq for seq, tag in enumerate(tags, start=1) if tag == "message:v2:received"]


def test_a_patient_brings_all_that_hangs_together_with_what_names_him(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(40)
    one = operator(Tag.AUDIT_VIEWED, "2026-11-24T00:00:00Z", what="x")
    log.add([one._replace(correlation=f"{2:032x}"), one])
    found = [json.loads(entry) for _, entry, _ in tables.entries(log.store)]
    patient = next(one["object"]["patient"][0] for one in found if one["correlation"] == f"{2:032x}")
    expected = [one["seq"] for one in found if one["correlation"] == f"{2:032x}"]
    assert 41 in expected
    assert 42 not in expected
    assert _numbers(log.exported(Selection(patients=(patient,)))) == expected
    assert _numbers(log.exported(Selection(patients=(PATIENT[::-1],)))) == []


def test_a_partner_is_found_by_the_link() -> None:
    found = _numbers(day().exported(Selection(partner="lab-north", until=between(1, 50).until)))
    assert found
    assert max(found) <= 50
    assert _numbers(day().exported(Selection(partner="nobody"))) == []


@pytest.mark.parametrize(
    "wanted",
    [
        Selection("yesterday"),
        Selection("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.0Z"),
        Selection(tag=""),
    ],
)
def test_what_cannot_be_asked_for_is_refused(wanted: Selection) -> None:
    with pytest.raises(SelectionRefused):
        day().plan(wanted)


def test_a_log_that_is_not_sealed_so_far_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(ExportRefused):
        day().plan(least=301)
    with pytest.raises(ExportRefused):
        Log(tmp_path).plan()


def test_a_range_holds_what_a_clock_that_was_set_back_wrote(tmp_path: Path) -> None:
    log = Log(tmp_path)
    hours = ("08", "09", "11", "09", "12", "10", "13")
    log.add([operator(Tag.AUDIT_VIEWED, f"2026-11-23T{hour}:00:00Z", what=hour) for hour in hours])
    wanted = Selection("2026-11-23T09:00:00Z", "2026-11-23T11:00:00Z")
    assert _numbers(log.exported(wanted)) == [2, 3, 4, 5, 6]
    found = checked(log.file(wanted))
    assert found.code == 0
    assert "2 times the log's clock went back" in found.report
    assert "2 entries in the range have a time outside of it" in found.report


def test_years_are_joined(tmp_path: Path) -> None:
    log = Log(tmp_path)
    years = ("2024", "2025", "2025", "2026")
    log.add([operator(Tag.AUDIT_VIEWED, f"{year}-12-31T23:59:59Z", what=year) for year in years])
    assert [one["size"] for one in _manifest(log.exported())["shards"]] == [1, 2, 1]
    for wanted in (Selection(), Selection("2025-01-01T00:00:00Z"), Selection(until="2026-01-01T00:00:00Z")):
        assert checked(log.file(wanted)).code == 0
    shutil.rmtree(log.directory / "2024")  # as retention does
    for since, told in ((None, True), ("2025-01-01T00:00:00Z", False)):
        found = checked(log.file(Selection(since)))
        assert found.code == 0
        assert ("What stood before entry 2" in found.report) == told


def test_a_head_that_the_witness_signed_goes_before_a_newer_one(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(10)
    log.cosign()
    log.add([operator(Tag.AUDIT_VIEWED, "2026-11-24T00:00:00Z", what="x")])
    assert _manifest(log.exported())["count"] == 10
    assert log.plan(least=11).heads == [Head(log.shard.origin, 10), Head(log.shard.origin, 11)]


@pytest.mark.skipif(not shutil.which("unzip"), reason="needs unzip")
def test_other_programs_unpack_it(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(small())
    subprocess.run(["unzip", "-q", path, "-d", tmp_path / "out"], check=True, timeout=30)
    assert (tmp_path / "out/entries.ndjson").read_bytes().count(b"\n") == 7


def test_a_member_beyond_what_small_numbers_say_is_listed_with_large_ones() -> None:
    from audit import verify_export, zipped

    one = zipped.Member("entries.ndjson", 8, 7, 5 << 30, 4 << 30, "", "", 6 << 30)
    same = verify_export.Member("entries.ndjson", 8, 7, 5 << 30, 4 << 30, "", "", 6 << 30)
    listed = zipped._central(one)
    assert listed == same.listed()
    assert b"\x01\x00\x18\x00" + (5 << 30).to_bytes(8, "little") in listed
    made = zipped.Zipped()
    made.members, made._offset = [one], same.end
    assert made.end() == verify_export.directory([same])


def test_entries_are_written_in_the_one_form_that_both_programs_know() -> None:
    from audit import verify_export

    odd = {
        "b": 1e-7,
        "a": [1.5, 1e21, 100.0, -0.0, 5e-324, 123456789012345680000.0],
        "\U0001f600": 1,
        "\uffff": None,
    }
    assert verify_export.canonical(odd).encode() == canonical(odd)


def test_time_stamps_go_with_the_heads_that_they_are_of(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for _ in range(3):
        log.fill(10)
        log.add([operator(Tag.AUDIT_VIEWED, "2026-11-24T00:00:00Z", what="x")])
    folder = log.shard.root / "stamps"
    folder.mkdir()
    for size in (11, 22, 33):
        (folder / f"{size}.tsr").write_bytes(b"stamp %d" % size)
    opened = _opened(log.exported(Selection(until="2026-11-24T00:00:00Z", tag="message")))
    assert {one for one in opened.namelist() if "stamps" in one} == {
        f"log/2026/stamps/{size}.{end}" for size in (33,) for end in ("tsr", "txt")
    }
    path = log.file()
    found = checked(path)
    assert found.code == 0
    assert "at 33 entries: its text is a head of this log" in " ".join(found.report.split())
    assert "-data log/2026/stamps/33.txt" in found.report


def test_a_stamp_over_another_head_is_found(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(10)
    (log.shard.root / "stamps").mkdir()
    (log.shard.root / "stamps/10.tsr").write_bytes(b"stamp")

    def change(held: Contents) -> None:
        held["log/2026/stamps/10.txt"] = held["log/2026/stamps/10.txt"].replace(b"\n10\n", b"\n9\n")

    path = tmp_path / "forged.zip"
    path.write_bytes(rebuilt(log.exported(), log.signer(log.shard.origin), change))
    assert "is not a head of this log" in checked(path).report
