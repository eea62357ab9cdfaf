"""``connector break-glass``: granted loudly, for a time; used under a mark; over by itself."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
import structlog

from audit import verify
from connector import settings, wiring
from connector.demo.site import Ports, Site, make_site
from connector.pipeline import emergency
from connector.pipeline.emergency import ENDED, GRANTED, REFUSED
from tests.pipeline.room import adt
from tests.ports import free_ports
from tests.store.site import rows
from tests.test_cli import run
from tests.test_cli_people import BEN, MIA, NOBODY

WHY: Final = ("--because", "the ward waits")
SETTINGS: Final = f"""
[people]
{MIA.pw_name} = ["operator"]
{BEN.pw_name} = ["auditor"]

[break_glass]
roles = ["operator"]
minutes = 30
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A store with a message in it."""
    ports = Ports(*free_ports(2), hospital=1, sandbox=1)
    made = make_site(tmp_path_factory.mktemp("glass") / "site", ports)
    assert (
        run("take", "--link", "demo", "--config", made.config, "-", given=adt(identity="A1")).exit_code == 0
    )
    made.config.write_text(made.config.read_text() + SETTINGS)
    return made


@pytest.fixture
def site(first: Site, tmp_path: Path) -> Site:
    return dataclasses.replace(first, folder=shutil.copytree(first.folder, tmp_path / "site"))


def called(site: Site, *words: str, user: Any = MIA) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUDO_UID", str(user.pw_uid))
        return run(*words, "--config", site.config)


def break_glass(site: Site, *options: str, user: Any = MIA) -> Any:
    return called(site, "break-glass", *options, user=user)


def look(site: Site, user: Any = MIA) -> Any:
    return called(site, "queue", "show", "message", "1", "--content", "it is asked for", user=user)


def audited(site: Site, tag: str) -> list[dict[str, Any]]:
    found = rows(site.folder, "SELECT entry FROM audit_entry ORDER BY seq")
    return [one for one in (json.loads(entry) for (entry,) in found) if one["tag"] == tag]


def pass_by(monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    monkeypatch.setattr(wiring, "now", lambda: later)


def test_content_is_seen_only_while_the_glass_is_broken(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(site).exit_code == 1
    monkeypatch.setattr(emergency, "_log", structlog.get_logger())  # one that nobody has used yet
    done = break_glass(site, *WHY, "--minutes", "5")
    assert (done.exit_code, done.stdout[:6]) == (0, "until ")
    assert '"level": "critical"' in done.stderr
    shown = look(site)
    assert (shown.exit_code, "PID|" in shown.stdout) == (0, True)
    assert look(site, BEN).exit_code == 1
    (viewed,) = audited(site, "operator:content:viewed")
    assert viewed["actor"] == {
        "role": "operator",
        "name": MIA.pw_name,
        "realm": "machine",
        "emergency": True,
    }
    pass_by(monkeypatch, 5)
    assert "this needs operator:content" in look(site).stderr
    assert verify(site.store).good


def test_the_audit_log_has_who_why_and_until_when(site: Site) -> None:
    assert break_glass(site, *WHY).exit_code == 0
    (entry,) = audited(site, GRANTED)
    assert entry["actor"]["name"] == MIA.pw_name
    assert (entry["object"]["because"], entry["outcome"]) == ("the ward waits", "success")
    lasts = dt.datetime.fromisoformat(entry["object"]["until"]) - dt.datetime.fromisoformat(entry["time"])
    assert lasts == dt.timedelta(minutes=30)


def test_what_the_role_grants_is_not_marked(site: Site) -> None:
    assert break_glass(site, *WHY).exit_code == 0
    assert called(site, "pause", "demo", *WHY).exit_code == 0
    (paused,) = audited(site, "operator:link:paused")
    assert "emergency" not in paused["actor"]


def test_everybody_who_asks_what_is_going_on_hears_of_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    said = f"{MIA.pw_name} (machine) broke the glass at "
    assert said not in called(site, "queue", "why", user=BEN).stdout
    assert break_glass(site, *WHY).exit_code == 0
    assert said in called(site, "queue", "why", user=BEN).stdout
    assert "the ward waits" in called(site, "queue", "why", user=BEN).stdout
    pass_by(monkeypatch, 31)
    assert said not in called(site, "queue", "why", user=BEN).stdout


def test_a_second_one_is_refused_until_the_first_is_ended(site: Site) -> None:
    assert break_glass(site, *WHY, "--minutes", "1").exit_code == 0
    again = break_glass(site, *WHY, "--minutes", "30")
    assert (again.exit_code, "broken already" in again.stderr) == (1, True)
    assert [one["reason"] for one in audited(site, REFUSED)] == ["MovedOn"]
    assert break_glass(site, "--end").stdout == "ended\n"
    assert look(site).exit_code == 1
    assert break_glass(site, "--end").exit_code == 1
    assert len(audited(site, ENDED)) == 1
    assert break_glass(site, *WHY, "--minutes", "30").exit_code == 0


@pytest.mark.parametrize("user", [BEN, NOBODY], ids=["another role", "no role"])
def test_other_roles_may_not(site: Site, user: Any) -> None:
    assert break_glass(site, *WHY, user=user).exit_code == 1
    tag = REFUSED if user is BEN else "operator:request:refused"
    assert [one["actor"]["name"] for one in audited(site, tag)] == [user.pw_name]
    assert audited(site, GRANTED) == []
    assert look(site, user).exit_code == 1


@pytest.mark.parametrize("minutes", ["0", "-5", "31", "100000000000"])
def test_it_lasts_no_longer_than_the_settings_say(site: Site, minutes: str) -> None:
    refused = break_glass(site, *WHY, "--minutes", minutes)
    assert (refused.exit_code, "1 to 30 minutes" in refused.stderr) == (1, True)
    assert [one["reason"] for one in audited(site, REFUSED)] == ["OperatorError"]


@pytest.mark.parametrize(
    "options",
    [(), ("--because", " "), ("--because", "x" * 201), (*WHY, "--end"), ("--end", "--minutes", "5")],
)
def test_without_a_reason_there_is_none(site: Site, options: tuple[str, ...]) -> None:
    assert break_glass(site, *options).exit_code == 2
    assert audited(site, GRANTED) == []


@pytest.mark.parametrize("gone", ['[break_glass]\nroles = ["operator"]\nminutes = 30\n', '["operator"]'])
def test_it_ends_with_the_rule_or_the_role_that_allowed_it(site: Site, gone: str) -> None:
    assert break_glass(site, *WHY).exit_code == 0
    said = site.config.read_text()
    site.config.write_text(said.replace(gone, '["auditor"]' if gone[0:2] == '["' else "", 1))
    assert settings.load(site.config).settings.people is not None
    assert look(site).exit_code == 1
    assert break_glass(site, *WHY).exit_code == 1


def test_it_opens_nothing_but_content_acts_and_edits(site: Site) -> None:
    assert break_glass(site, *WHY).exit_code == 0
    for words in (("keys", "status"), ("backup", "out"), ("config", "show")):
        assert "this needs" in called(site, *words).stderr


def test_where_nobody_has_a_role_there_is_no_glass(site: Site) -> None:
    site.config.write_text(site.config.read_text().partition("[people]")[0])
    assert break_glass(site, *WHY).exit_code == 2
