"""``connector config show``: every key, its value and its origin; and ``connector health``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from connector.demo.site import Ports, Site, make_site
from connector.profile.model import Profile
from connector.settings import Settings
from tests.ports import free_ports
from tests.test_cli import run

SECRETS: Final = ("kek.key", "client.key.json", "connector.key")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    ports = Ports(*free_ports(2), hospital=1, sandbox=1)
    return make_site(tmp_path_factory.mktemp("shown") / "site", ports)


def _rows(site: Site) -> dict[str, dict[str, Any]]:
    done = run("config", "show", "--config", site.config, "--json")
    assert done.exit_code == 0, done.output
    return {one["file"]: {row["key"]: row for row in one["keys"]} for one in json.loads(done.stdout)}


def test_every_value_is_shown_with_the_line_it_stands_on(site: Site) -> None:
    for file, rows in _rows(site).items():
        lines = Path(file).read_text().splitlines()
        said = [row for row in rows.values() if row["origin"] != "default"]
        assert len(said) >= 10
        for row in said:
            name, _, line = row["origin"].rpartition(":")
            key = re.split(r"[.\[]", row["key"])[-1]
            assert name == file
            assert re.search(rf"\b{re.escape(key.strip(chr(93)))}\b", lines[int(line) - 1]), row


def test_what_is_not_said_is_shown_as_a_default(site: Site) -> None:
    settings, *profiles = _rows(site).values()
    assert settings["https.head_bytes"] == {
        "key": "https.head_bytes", "value": Settings.model_fields["https"].default_factory().head_bytes,
        "origin": "default",
    }  # fmt: skip
    assert profiles[0]["limits.fields"]["origin"] == "default"


def test_no_key_is_left_out(site: Site) -> None:
    settings, profile, *_ = _rows(site).values()
    for model, rows in ((Settings, settings), (Profile, profile)):
        for name, field in model.model_fields.items():
            key = field.alias or name
            assert any(re.match(rf"{re.escape(key)}(?:[.\[]|\Z)", shown) for shown in rows), key


def test_keys_are_shown_as_the_files_they_lie_in_and_no_file_is_opened(site: Site) -> None:
    contents = [path.read_text().strip() for path in site.folder.rglob("*") if path.name in SECRETS]
    assert contents
    done = run("config", "show", "--config", site.config)
    text = done.stdout + run("config", "show", "--config", site.config, "--json").stdout
    assert "kek.key" in text
    for content in contents:
        assert not any(line in text for line in content.splitlines() if len(line) > 20)
        assert "PRIVATE" not in text
    for path in site.folder.rglob("kek.key"):
        path.rename(path.with_suffix(".away"))
    assert run("config", "show", "--config", site.config).stdout == done.stdout


def test_the_text_form_is_one_line_a_key(site: Site) -> None:
    lines = run("config", "show", "--config", site.config).stdout.splitlines()
    assert all(re.fullmatch(r"# .+|[^=]+ = .+  # (?:default|.+:\d+)|", line) for line in lines)
    assert any(re.match(r"drain_seconds += ", line) for line in lines)


def test_faults_are_told_as_everywhere(tmp_path: Path) -> None:
    (tmp_path / "connector.toml").write_text("store = 7\n")
    done = run("config", "show", "--config", tmp_path / "connector.toml")
    assert done.exit_code == 2
    assert "connector.toml:1" in done.stderr


def test_a_service_that_does_not_run_is_not_healthy(site: Site) -> None:
    done = run("health", "--config", site.config)
    assert (done.exit_code, done.stdout.strip()) == (1, "does not answer")
