"""A review of an export, away from the connector: whatever the file is, a report or one line of error."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.__main__ import main
from audit.canonical import canonical
from audit.checkpoint import Checkpoint
from audit.merkle import leaf_hash, root_of
from audit.notes import Kind
from audit.primitives import signer
from audit.review import Asked, reviewed, text
from audit.review.exported import Exported
from audit.review.files import write
from audit.review.heads import seal
from audit.review.reading import Unreadable, read
from audit.review.seals import Seal
from audit.selection import Selection
from audit.signing import sign
from tests.audit.exported import day
from tests.audit.review import planted
from tests.audit.review.plain_log import BEGIN, PATIENT
from tests.audit.site import entries as rows

ORIGIN = "hospital.example/2026"
LOG = signer(ORIGIN, Kind.ED25519, bytes(32))
WITNESS = signer("w.example", Kind.COSIGNATURE, bytes([1] * 32))
AT = 1_795_000_000


def head(size: int) -> Checkpoint:
    leaves = [canonical(one) for one in planted.month()[:size]]
    return Checkpoint(ORIGIN, size, root_of([leaf_hash(one) for one in leaves]))


def export(path: Path, **otherwise: bytes | None) -> Path:
    """In the form of an export; ``otherwise``: members by the end of their names, None: without."""
    entries = planted.month()
    shard = {"origin": ORIGIN, "year": 2026, "first": 1, "size": len(entries)}
    manifest = {"asked": {"from": None, "partner": "lab"}, "whole": False, "shards": [shard]}
    members: dict[str, bytes | None] = {
        "entries.ndjson": b"".join(canonical(one) + b"\n" for one in entries),
        "manifest.json": json.dumps(manifest).encode(),
        "log/2026/keys": f"{LOG.key}\n".encode(),
        "log/2026/checkpoint": sign(head(len(entries)), [LOG], AT),
        "log/2026/cosigned": sign(head(300), [LOG, WITNESS], AT),
    }
    for name in members:
        if (end := name.rpartition("/")[2].partition(".")[0]) in otherwise:
            members[name] = otherwise[end]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            if content is not None:
                file.writestr(name, content)
    return path


def _bare(one: Seal) -> Seal:
    """Without saying where the key comes from."""
    return one._replace(signature=one.signature.removesuffix(", which the export names itself"))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_is_packed_otherwise_is_not_unpacked(
    method: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(export(tmp_path / "good.zip")) as good, zipfile.ZipFile(path, "w", method) as file:
        for name in good.namelist():
            file.writestr(name, good.read(name))
    raw = bytearray(path.read_bytes())
    raw[200:260] = bytes(60)
    path.write_bytes(raw)
    assert main(["review", str(path)]) == 1
    assert "packed in a way that no export is" in capsys.readouterr().err


def test_an_export_says_what_the_log_says(tmp_path: Path) -> None:
    with Exported(export(tmp_path / "e.zip")) as found:
        assert list(found.entries()) == planted.month()
        assert found.filtered == {"partner": "lab"}
        (one,) = found.seals()
    assert _bare(one) == seal(
        ORIGIN, 1, [LOG.key], sign(head(len(planted.month())), [LOG], AT), sign(head(300), [LOG, WITNESS], AT)
    )
    assert (one.sealed, one.cosigned) == (len(planted.month()), 300)
    assert one.signature == f"good, by key {LOG.key.id.hex()}, which the export names itself"
    assert one.witnesses == "w.example (its key is not known here)"


def test_of_a_real_export_the_same_is_told_as_of_its_log(tmp_path: Path) -> None:
    log = day()
    path = tmp_path / "e.zip"
    path.write_bytes(log.exported())
    with Exported(path) as found:
        entries = list(found.entries())
        assert entries == [json.loads(raw) for _, raw, _ in rows(log.store)]
        assert found.filtered == {}
        (one,) = found.seals()
    shard = log.shard
    assert _bare(one) == seal(shard.origin, 1, shard.keys(), shard.checkpoint(), shard.cosigned())
    assert one.signature.startswith("good")
    assert one.sealed == 300
    with Exported(log.file(Selection(tag="audit"), name="filtered.zip")) as found:
        assert found.filtered == {"tag": "audit"}
        assert {entry["tag"].split(":")[0] for entry in found.entries()} == {"audit"}


def test_a_seal_is_good_only_as_far_as_its_signatures_are() -> None:
    signed, cosigned = sign(head(10), [LOG], AT), sign(head(5), [LOG, WITNESS], AT)
    good = seal(ORIGIN, 1, [LOG.key], signed, cosigned, [WITNESS.key])
    assert (good.sealed, good.cosigned, good.witnesses) == (10, 5, "w.example (good)")
    for raw in (sign(head(10), [WITNESS], AT), signed.replace(b"\n10\n", b"\n11\n"), b"x"):
        bad = seal(ORIGIN, 1, [LOG.key], raw, raw)
        assert bad.signature.startswith("NOT GOOD")
        assert seal(ORIGIN, 1, [LOG.key], signed, raw).witnesses.startswith("NOT GOOD")
        assert (bad.sealed, bad.cosigned, bad.root) == (0, 0, "")
    other = sign(Checkpoint("other.example/2026", 1, bytes(32)), [LOG], AT)
    assert seal(ORIGIN, 1, [LOG.key], signed, other).witnesses == "NOT GOOD: the checkpoint of another log"
    assert seal(ORIGIN, 1, [], None).signature == "there is no checkpoint yet"


def test_the_command_prints_text_and_writes_pages_for_their_owner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(export(tmp_path / "e.zip"))
    assert (
        main(["review", path, "--since", "2026-11-02", "--hours", "06:00-20:00", "--zone", "Europe/Vienna"])
        == 0
    )
    said = capsys.readouterr().out
    assert "Read from: an export" in said
    assert "Which holds only: partner lab" in said
    assert "Monday to Friday, 06:00 to 20:00 Europe/Vienna" in said
    out = [tmp_path / name for name in ("r.html", "r.txt")]
    given = ["review", path, "--since", "2026-11-02T00:00:00Z", "--out", str(out[0]), "--out", str(out[1])]
    assert main(given) == 0
    assert out[0].read_text().startswith("<!DOCTYPE html>")
    assert "Uses of break-glass: 1" in out[1].read_text()
    assert [stat.S_IMODE(one.stat().st_mode) for one in out] == [0o600, 0o600]
    assert sorted(os.listdir(tmp_path)) == ["e.zip", "r.html", "r.txt"]


def test_disclosures_come_out_of_an_export_too(tmp_path: Path) -> None:
    path, out = export(tmp_path / "e.zip"), tmp_path / "d.csv"
    assert main(["disclosures", str(path), "--patient", PATIENT, "--out", str(out)]) == 0
    assert out.read_text().count("\ndisclosure,") == 2


ALONE = (
    "import sys; sys.modules['connector'] = sys.modules['sqlalchemy'] = None; "
    "import runpy; runpy.run_module('audit', run_name='__main__')"
)


def test_it_needs_nothing_of_the_connector(tmp_path: Path) -> None:
    path = export(tmp_path / "e.zip")
    done = subprocess.run([sys.executable, "-c", ALONE, "review", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == text(
        reviewed(
            planted.month(),
            Asked(
                planted.ASKED.since.replace(year=1, month=1, day=1),
                facts=(
                    ("Read from", "an export; whether it is as it was made, tells: python -m audit verify"),
                    ("Which holds only", "partner lab"),
                ),
            ),
            tuple(Exported(path).seals()),
        )
    )


@pytest.mark.parametrize(
    ("otherwise", "said"),
    [
        ({"entries": None}, "it has no entries"),
        ({"manifest": None}, "it has no list of what is in it"),
        ({"manifest": b"[1]"}, "it has no list of what is in it"),
        ({"manifest": b"[" * 100_000}, "it has no list of what is in it"),
        ({"entries": b'{"seq":1}\n'}, "line 1 of entries.ndjson: no entry of an audit log"),
        ({"entries": b"x" * 70_000_000}, "line 1 of entries.ndjson: no entry of an audit log"),
        ({"checkpoint": b"x" * 2_000_000}, "log/2026/checkpoint: it is too long"),
    ],
)
def test_what_is_no_export_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], otherwise: dict[str, Any], said: str
) -> None:
    path = export(tmp_path / "e.zip", **otherwise)
    assert main(["review", str(path)]) == 1
    assert capsys.readouterr().err == f"{path}: {said}\n"


def test_a_file_that_is_no_zip_file_or_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK")
    assert main(["review", str(tmp_path / "x.zip")]) == 1
    assert main(["review", str(tmp_path / "y.zip")]) == 1
    assert capsys.readouterr().err.count("it cannot be read as a zip file") == 2


def test_a_page_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    write(path, "one")
    with pytest.raises(UnicodeEncodeError):
        write(path, "\ud800")
    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["r.html"]
    with pytest.raises(OSError, match="No such file"):
        write(tmp_path / "no" / "r.html", "x")


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
MONTH = planted.month()
TAGS = sorted({one["tag"] for one in MONTH})
NAMES = [
    "link", "patient", "pseudonym", "because", "count", "sha256", "before", "until", "attempt", "patients",
    "x", "name", "role", "address", "emergency", "realm",
]  # fmt: skip


@given(st.sampled_from(TAGS), st.sampled_from(["actor", "object"]), st.sampled_from(NAMES), ODD)
@settings(max_examples=150)
def test_whatever_stands_in_an_entry_a_review_comes_of_it(tag: str, part: str, name: str, odd: Any) -> None:
    entry = next(one for one in MONTH if one["tag"] == tag)
    found = read(json.dumps({**entry, part: {**entry[part], name: odd}, "uncertainty": odd}).encode(), "x")
    assert text(reviewed([found, found], Asked(BEGIN)))


@given(st.sampled_from(["seq", "time", "tag", "actor", "object", "outcome", "reason", "correlation"]), ODD)
@settings(max_examples=80)
def test_what_has_not_the_form_of_an_entry_is_none(name: str, odd: Any) -> None:
    entry = MONTH[0]
    if type(odd) is type(entry[name]) and name != "time":
        return
    with pytest.raises(Unreadable, match="x: no entry"):
        read(json.dumps({**entry, name: odd}).encode(), "x")


@pytest.mark.parametrize(
    "time", ["2026-13-01T00:00:00Z", "2026-11-01T00:00:60Z", "0001-01-01T00:00:00Z", "x"]
)
def test_a_time_that_is_none_is_refused(time: str) -> None:
    with pytest.raises(Unreadable):
        read(json.dumps({**MONTH[0], "time": time}).encode(), "x")
