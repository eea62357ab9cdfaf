"""``connector audit export`` and ``verify``: what is taken away, by whom, and what the log knows of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from audit import __main__ as program
from audit import verify_export
from audit.directory import shards
from audit.handed import handed
from connector.demo.site import Ports, Site, make_site
from connector.wiring import exporting
from tests.audit.tampering import flipped
from tests.pipeline.partners import running, talking
from tests.pipeline.room import adt
from tests.ports import free_ports
from tests.test_cli import DAY, run
from tests.test_cli_backup import audited
from tests.test_cli_keys import called

WHY = ("--because", "the yearly check", "--as", "mia")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = make_site(tmp_path / "site", Ports(mllp=1, https=2, hospital=3, sandbox=4))
    taken = run("take", "--config", site.config, "--link", "demo", DAY / "01-admit.hl7")
    assert taken.exit_code == 0, taken.stderr
    return site


def exported(site: Site, out: Path, *what: object) -> Any:
    return run("audit", "export", "--config", site.config, "--out", out, *map(str, what), *WHY)


def entries(out: Path) -> list[dict[str, Any]]:
    with zipfile.ZipFile(out) as opened:
        return [json.loads(line) for line in opened.read("entries.ndjson").splitlines()]


def test_an_export_is_written_whole_for_its_owner_and_the_log_knows_of_it_before(
    site: Site, tmp_path: Path
) -> None:
    out = tmp_path / "x.zip"
    done = exported(site, out)
    assert done.exit_code == 0, done.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    (before,) = audited(site, "audit:exported")
    assert before["actor"]["name"] == "mia"
    assert before["object"] == {"because": "the yearly check"}
    assert entries(out)[-1]["tag"] == "audit:exported"  # the export has what told of it
    (after,) = audited(site, "audit:export:ended")
    assert after["object"]["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest() in done.stdout
    assert (after["object"]["entries"], after["outcome"]) == (len(entries(out)), "success")
    assert [one.name for one in tmp_path.glob("*.part")] == []


def test_both_ways_to_verify_say_the_same(site: Site, tmp_path: Path, capsysbinary: Any) -> None:
    out, bad = tmp_path / "x.zip", tmp_path / "bad.zip"
    exported(site, out)
    bad.write_bytes(flipped(out.read_bytes(), 500))
    key = str(shards(site.store.with_suffix(".audit"))[-1].keys()[0])
    other = key.replace("+", "x+", 1)
    cases = ([out], [out, "--log-key", key], [bad], [out, "--against", out], [out, "--log-key", other])
    for words in cases:
        code = program.main(["verify", *map(str, words)])
        said = capsysbinary.readouterr().out.decode()
        assert code == run("audit", "verify", *words).exit_code
        assert code == {out: 0, bad: 1}[words[0]] if other not in words else 2  # type: ignore[index]
        assert ("VERDICT" in said) == (code < 2)


def test_a_later_export_continues_an_earlier_one_without_being_told(site: Site, tmp_path: Path) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    exported(site, first)
    for _ in range(3):
        run("take", "--config", site.config, "--link", "demo", DAY / "01-admit.hl7")
    assert exported(site, second, "--tag", "service").exit_code == 0
    assert run("audit", "verify", second, "--against", first).exit_code == 0
    assert run("audit", "verify", first, "--against", second).exit_code == 1
    assert len(handed(site.store.with_suffix(".audit"))) == 2
    assert run("audit", "fsck", "--config", site.config, *WHY).exit_code == 0


def test_a_time_and_filters_are_what_is_exported(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "x.zip"
    done = exported(
        site, out, "--from", "2020-01-01", "--to", "2099-01-01", "--partner", "demo", "--tag", "message"
    )
    assert done.exit_code == 0, done.stderr
    assert {one["tag"].split(":")[0] for one in entries(out)} == {"message"}
    (told,) = audited(site, "audit:exported")
    assert told["object"] == {
        "because": "the yearly check",
        "since": "2020-01-01T00:00:00.000000Z",
        "until": "2099-01-01T00:00:00.000000Z",
        "link": "demo",
        "what": "tag message",
    }


def test_a_patient_is_asked_for_by_number_and_told_of_by_pseudonym(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "x.zip"
    done = run(
        "audit", "export", "--config", site.config, "--out", out, "--patient", "-", *WHY, given="H1^^^STV\n"
    )
    assert done.exit_code == 0, done.stderr
    (told,) = audited(site, "audit:exported")
    (pseudonym,) = told["object"]["patient"]
    assert "H1" not in json.dumps(told)
    assert len(pseudonym) == 16
    with zipfile.ZipFile(out) as opened:
        assert json.loads(opened.read("manifest.json"))["asked"]["patient"] == pseudonym


def test_nothing_is_overwritten_and_what_cannot_be_asked_for_is_said(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "x.zip"
    out.write_bytes(b"mine")
    assert exported(site, out).exit_code != 0
    assert out.read_bytes() == b"mine"
    late = exported(site, tmp_path / "y.zip", "--from", "2026-02-02", "--to", "2026-01-01")
    assert late.exit_code != 0
    assert "cannot be asked for" in late.stderr
    assert audited(site, "audit:exported") == []


def test_what_does_not_verify_is_not_given_out(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_export, "check", lambda *_: ("VERDICT  no", 1, None))
    done = exported(site, tmp_path / "x.zip")
    assert done.exit_code != 0
    assert "does not verify" in done.stderr
    assert list(tmp_path.glob("*x.zip*")) == []
    (after,) = audited(site, "audit:export:ended")
    assert (after["outcome"], after["reason"]) == ("failure", "AuditRefused")


def test_an_export_that_the_log_cannot_be_told_of_is_not_made(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connector.errors import AuditRefused
    from connector.store import Store

    async def refuse(*_: object) -> None:
        raise AuditRefused("no")

    monkeypatch.setattr(Store, "record", refuse)
    assert exported(site, tmp_path / "x.zip").exit_code != 0
    assert list(tmp_path.glob("*x.zip*")) == []


async def test_an_export_beside_the_running_service_has_all_up_to_now(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", Ports(*free_ports(4)))
    out = tmp_path / "x.zip"
    async with running(site), talking(site) as talk:
        assert await talk.ask(adt(identity="NOW")) == ("AA", "NOW")
        code, said = await called("audit", "export", "--config", site.config, "--out", out, *WHY)
        assert code == 0, said
    tags = [one["tag"] for one in await asyncio.to_thread(entries, out)]
    assert "message:v2:received" in tags
    assert "audit:exported" in tags
    assert verify_export.check(str(out), None, verify_export.Trust([], []))[1] == 0


def test_what_is_never_sealed_is_not_waited_for_without_end(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object) -> None:
        return None

    monkeypatch.setattr(exporting, "seal_rest", nobody)
    monkeypatch.setattr(exporting, "PATIENCE", 0.1)
    done = exported(site, tmp_path / "x.zip")
    assert done.exit_code != 0
    assert "not sealed up to now" in done.stderr


def test_a_patient_that_messages_were_about_is_found_in_all_steps_of_them(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "x.zip"
    text = (DAY / "01-admit.hl7").read_text().replace("\r", "\n")
    number = re.search(r"^PID\|[^|]*\|[^|]*\|([^|~]*)", text, re.MULTILINE)
    assert number
    given = f"{number[1]}\n"
    done = run("audit", "export", "--config", site.config, "--out", out, "--patient", "-", *WHY, given=given)
    assert done.exit_code == 0, done.stderr
    tags = [one["tag"] for one in entries(out)]
    assert "message:v2:received" in tags
    assert "service:started" not in tags
    assert verify_export.check(str(out), None, verify_export.Trust([], []))[1] == 0
