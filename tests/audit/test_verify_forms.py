"""The events of an export are made again and compared; what does not come from its entries is found."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from audit import verify_forms
from audit.__main__ import main
from audit.verify_forms import BUNDLE, ENTRIES, LINES, MESSAGES, Unreadable
from connector.commands.audit_verify import command as verify
from tests.audit.exported import day, small

Change = Callable[[bytes], bytes]


def _changed(raw: bytes, change: dict[str, Change], path: Path) -> Path:
    """An export whose zip file is sound, with other members."""
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, change.get(name, bytes)(old.read(name)))
    return path


def test_the_events_of_an_export_are_those_of_its_entries(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(day().exported())
    found = verify_forms.check(path)
    assert found.faults == []
    assert (found.entries, found.events >= 300) == (300, True)
    assert found.profiles["PrivacyDisclosure.Source"] > 10
    assert "the events are those of the entries; whether" in str(found)


def test_events_a_line_each_are_read_too(tmp_path: Path) -> None:
    raw = small()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(tmp_path / "x.zip", "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == BUNDLE:
                events = [one["resource"] for one in json.loads(content)["entry"]]
                content = b"".join(_written(one) + b"\n" for one in events)
            new.writestr(LINES if name == BUNDLE else name, content)
    found = verify_forms.check(tmp_path / "x.zip")
    assert found.good
    assert found.entries == 7


def _written(event: object) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        (BUNDLE, lambda raw: raw.replace(b'"outcome":"0"', b'"outcome":"4"', 1), BUNDLE),
        (BUNDLE, lambda raw: raw.replace(b"auditevent", b"auditEvent") + b" ", BUNDLE),
        (BUNDLE, lambda raw: raw.replace(b'"requestor":true', b'"requestor":"yes"', 1), "agent.requestor"),
        (MESSAGES, lambda raw: raw.replace(b'UserIsRequestor="true"', b'UserIsRequestor="false"'), MESSAGES),
        (MESSAGES, lambda raw: raw + b"\n", "it goes on behind the last entry"),
        (MESSAGES, lambda raw: raw[:-1], MESSAGES),
        (ENTRIES, lambda raw: raw.replace(b'"attempt":1', b'"attempt":2'), "from 10"),
        (ENTRIES, lambda raw: raw.replace(b":acknowledged", b":ignored"), "that this version does not know"),
        ("manifest.json", lambda raw: raw.replace(b"site.example", b"site.elsewhere"), BUNDLE),
    ],
)
def test_what_does_not_come_from_the_entries_is_found(
    name: str, change: Change, fault: str, tmp_path: Path
) -> None:
    path = _changed(small(), {name: change}, tmp_path / "x.zip")
    found = verify_forms.check(path)
    assert not found.good
    assert any(fault in one for one in found.faults), found.faults
    assert "NOT those of the entries" in str(found)


def test_the_faults_of_a_false_export_do_not_pile_up(tmp_path: Path) -> None:
    change = {BUNDLE: lambda raw: raw.replace(b'"recorded":"2', b'"recorded":"x')}
    found = verify_forms.check(_changed(day().exported(), change, tmp_path / "x.zip"))
    assert len(found.faults) == verify_forms.TOLD


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip file at all"])
def test_what_is_no_export_is_said_to_be_none(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    with pytest.raises(Unreadable):
        verify_forms.check(path)


def test_the_command_says_it_by_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    good.write_bytes(small())
    _changed(small(), {MESSAGES: lambda raw: raw + b" "}, bad)
    assert main(["events", str(good)]) == 0
    assert main(["events", str(bad)]) == 1
    assert main(["events", str(tmp_path / "none.zip")]) == 1
    assert "FAULT    atna.xml: it goes on behind the last entry" in capsys.readouterr().out


def test_verify_checks_the_events_where_it_is_asked_to(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    good.write_bytes(small())
    _changed(small(), {MESSAGES: lambda raw: raw + b" "}, bad)
    asked = CliRunner().invoke(verify, [str(good), "--events"])
    assert asked.exit_code == 0, asked.output
    assert "VERDICT" in asked.output
    assert asked.output.endswith("the log's, verify.py tells\n")
    assert "The events" not in CliRunner().invoke(verify, [str(good)]).output
    found = CliRunner().invoke(verify, [str(bad), "--events"])
    assert found.exit_code == 1
    assert "FAULT    atna.xml" in found.output
    bad.write_bytes(b"no export")
    assert CliRunner().invoke(verify, [str(bad), "--events"]).exit_code == 1  # as without the option


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("name", ["manifest.json", ENTRIES, BUNDLE])
@pytest.mark.parametrize(
    "content",
    [DEEP, b"[]", b"null", b"1", b"NaN", b'{"source":[]}', b'{"entry":5}', b'{"entry":[{"resource":3}]}'],
    ids=range(8),
)
def test_what_has_another_form_is_said_to_be_none(name: str, content: bytes, tmp_path: Path) -> None:
    path = _changed(small(), {name: lambda raw: content}, tmp_path / "x.zip")
    with suppress(Unreadable):
        assert not verify_forms.check(path).good


def test_nothing_is_unpacked_without_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_forms, "_WHOLE", 100)
    with pytest.raises(Unreadable):
        verify_forms.check(_changed(small(), {}, tmp_path / "x.zip"))


def test_a_member_with_a_password_is_no_exports(tmp_path: Path) -> None:
    path = _changed(small(), {}, tmp_path / "x.zip")
    raw = bytearray(path.read_bytes())
    raw[raw.rindex(b"PK\1\2", 0, raw.rindex(ENTRIES.encode())) + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(Unreadable):
        verify_forms.check(path)


def test_the_names_of_profiles_command_no_terminal(tmp_path: Path) -> None:
    change = {BUNDLE: lambda raw: raw.replace(b'"profile":["', b'"profile":["\\u001b[2J')}
    found = verify_forms.check(_changed(small(), change, tmp_path / "x.zip"))
    assert "\x1b" not in str(found)
    assert "[2J" in str(found)
