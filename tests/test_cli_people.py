"""Who may use which command: the table ``[people]``, users of the machine, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import pwd
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from audit import verify
from connector import settings
from connector.commands import admitting
from connector.commands.admitting import PERMISSIONS
from connector.demo.site import Ports, Site, make_site
from connector.errors import ConfigurationError, Forbidden
from connector.profile.roles import GRANTS, ROLES, Role, who_has
from tests.ports import free_ports
from tests.store.site import rows
from tests.test_cli import run

USERS: Final = [one for one in pwd.getpwall() if one.pw_uid != os.getuid()]
MIA, BEN, NOBODY = USERS[0], USERS[1], USERS[2]
BECAUSE: Final = ("--because", "before work on the partner")
ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "take": ("--link", "demo", "-"),
    "queue show": ("message", "7"),
    "queue show --content": ("message", "7", "--content", "why"),
    "erase": ("--record", "7", "--reason", "why"),
    "queue find --mrn": ("--mrn", "7", "--because", "why"),
    "queue find --account": ("--account", "7", "--because", "why"),
    "queue find --accession": ("--accession", "7", "--because", "why"),
    "queue find --control-id": ("--control-id", "7", "--because", "why"),
    "replay": ("--message", "7", *BECAUSE),
    "edit": ("message", "7", "--file", "-", *BECAUSE),
    "skip": ("7", *BECAUSE),
    "conflicts show": ("7", *BECAUSE),
    "conflicts take": ("7", "v2", *BECAUSE),
    "break-glass": BECAUSE,
    "audit export": ("--out", "no-folder/x.zip", *BECAUSE),
    "keys rotate": BECAUSE,
    "keys rewrap": BECAUSE,
    "pause": ("demo", *BECAUSE),
    "resume": ("demo", *BECAUSE),
    "drain": ("demo", "--seconds", "0.1", *BECAUSE),
    "backup": ("no-folder/out",),
    "restore": ("--drill", __file__),
    "authorization rotate": BECAUSE,
    "audit fsck": BECAUSE,
    "audit dispose": BECAUSE,
    "audit compare": ("message", "7", *BECAUSE),
    "audit review": ("--since", "2026-11-01", *BECAUSE),
    "audit disclosures": ("--patient", "1^^^X", *BECAUSE),
    "tls probe": ("127.0.0.1:1",),
}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A store that is there, and nobody named yet."""
    ports = Ports(*free_ports(2), hospital=1, sandbox=1)
    made = make_site(tmp_path_factory.mktemp("people") / "site", ports)
    assert run("pause", "demo", "--config", made.config, *BECAUSE, "--as", "anybody").exit_code == 0
    return made


@pytest.fixture
def site(first: Site, tmp_path: Path) -> Site:
    return dataclasses.replace(first, folder=shutil.copytree(first.folder, tmp_path / "site"))


def name(site: Site, **people: tuple[Role, ...]) -> None:
    lines = [f"{json.dumps(user)} = {json.dumps(roles)}" for user, roles in people.items()]
    site.config.write_text("\n".join([site.config.read_text(), "[people]", *lines]))


def called(site: Site, command: str, user: Any = MIA) -> Any:
    """The command, called by somebody with sudo."""
    words = command.partition(" --")[0].split()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUDO_UID", str(user.pw_uid))
        return run(*words, "--config", site.config, *ARGUMENTS.get(command, ()))


def refusals(site: Site) -> list[dict[str, Any]]:
    found = rows(site.folder, "SELECT entry FROM audit_entry ORDER BY seq")
    entries = [json.loads(entry) for (entry,) in found]
    return [one for one in entries if one["tag"] == "operator:request:refused"]


@pytest.mark.parametrize("command", PERMISSIONS)
def test_each_command_is_for_the_roles_that_grant_it_and_for_no_other(site: Site, command: str) -> None:
    needed = PERMISSIONS[command]
    others = tuple(role for role in ROLES if needed not in GRANTS[role])
    name(site, **{**({MIA.pw_name: others} if others else {}), BEN.pw_name: who_has(needed)})
    refused = called(site, command, MIA)
    assert refused.exit_code == 1
    assert (refused.stdout, f"this needs {needed}" in refused.stderr) == ("", True)
    (entry,) = refusals(site)
    assert (entry["actor"]["name"], entry["object"]) == (MIA.pw_name, {"operation": f"connector {command}"})
    assert (entry["outcome"], entry["reason"]) == ("refused", "Forbidden")
    assert "this needs" not in called(site, command, BEN).stderr
    assert len(refusals(site)) == 1
    assert verify(site.store).good


def test_no_role_reads_what_messages_say_but_the_analyst() -> None:
    assert who_has("operator:content") == ("analyst",)
    assert who_has("audit:export") == ("auditor", "security-officer")
    assert all("operator:read" in GRANTS[role] for role in ROLES)


def test_who_is_not_named_may_nothing(site: Site) -> None:
    name(site, **{MIA.pw_name: ("operator",)})
    assert called(site, "status", NOBODY).exit_code == 1
    assert [one["actor"]["name"] for one in refusals(site)] == [NOBODY.pw_name]


def test_a_table_that_names_nobody_lets_nobody_in(site: Site) -> None:
    name(site)
    assert "this needs operator:read" in called(site, "queue list").stderr


def test_the_name_in_the_audit_log_is_that_of_who_called(site: Site) -> None:
    name(site, **{MIA.pw_name: ("operator",), BEN.pw_name: ("operator",)})
    assert called(site, "pause", BEN).exit_code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUDO_UID", str(MIA.pw_uid))
        given = ("--config", site.config, *BECAUSE)
        assert run("resume", "demo", *given, "--as", MIA.pw_name).exit_code == 0
        lie = run("pause", "demo", *given, "--as", BEN.pw_name)
    assert (lie.exit_code, "--as names somebody else" in lie.stderr) == (1, True)
    found = rows(
        site.folder, "SELECT entry FROM audit_entry WHERE entry LIKE '%operator:link:%' ORDER BY seq"
    )
    named = [json.loads(entry)["actor"]["name"] for (entry,) in found]
    assert named == ["anybody", BEN.pw_name, MIA.pw_name]
    assert [one["actor"]["name"] for one in refusals(site)] == [MIA.pw_name]


def test_without_sudo_it_is_the_user_of_the_process(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv("LOGNAME", MIA.pw_name)  # what ``getpass`` would believe
    name(site, **{MIA.pw_name: ("operator",)})
    assert run("queue", "list", "--config", site.config).exit_code == 1
    assert [one["actor"]["name"] for one in refusals(site)] == [pwd.getpwuid(os.getuid()).pw_name]


def test_sudo_is_believed_of_root_and_of_the_owner_of_the_store_alone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", str(MIA.pw_uid))
    assert admitting.user(site.store) == MIA.pw_name
    monkeypatch.setattr(os, "getuid", lambda: BEN.pw_uid)
    assert admitting.user(site.store) == (MIA if site.store.stat().st_uid == BEN.pw_uid else BEN).pw_name


@pytest.mark.parametrize(
    "said", ["", "mia", "-1", "4294967294", "9" * 40, "1 ", "\N{ARABIC-INDIC DIGIT ONE}"]
)
def test_a_caller_that_this_machine_does_not_know_may_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    name(site, **{MIA.pw_name: ROLES, "root": ROLES})
    monkeypatch.setenv("SUDO_UID", said)
    with pytest.raises(Forbidden):
        admitting.user(site.store)
    assert run("status", "--config", site.config).exit_code == 1
    assert [one["actor"]["name"] for one in refusals(site)] == [""]


def test_a_command_without_a_row_is_for_nobody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    name(site, **{MIA.pw_name: ROLES})
    monkeypatch.setenv("SUDO_UID", str(MIA.pw_uid))
    with pytest.raises(Forbidden, match="not known who may"):
        admitting.admit(settings.load(site.config).settings, None)


def test_a_refusal_that_cannot_be_written_down_is_one_all_the_same(site: Site) -> None:
    name(site, **{MIA.pw_name: ("auditor",)})
    (site.folder / "kek.key").write_text("not a key")
    assert "this needs operator:act" in called(site, "pause").stderr


def test_a_store_that_is_not_there_is_not_made_by_a_refusal(site: Site) -> None:
    name(site, **{MIA.pw_name: ("auditor",)})
    for path in site.folder.glob("store.db*"):
        path.unlink()
    assert called(site, "restore").exit_code == 1
    assert not site.store.exists()


@pytest.mark.parametrize("line", ['mia = ["boss"]', "mia = []", 'mia = "operator"', '"mia b" = ["operator"]'])
def test_a_table_with_a_fault_is_refused_with_its_line(site: Site, line: str) -> None:
    site.config.write_text(f"{site.config.read_text()}\n[people]\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"connector\.toml:\d+"):
        settings.load(site.config)
