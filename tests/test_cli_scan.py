"""Canary patients leave no trace, and the search for them sees what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.commands import store as commands
from connector.demo.canary import Hit, Search, forms, new_word
from connector.demo.processes import free_ports
from connector.demo.scan import Report, Walk, scan
from connector.demo.site import make_site
from tests.test_cli import run


@pytest.mark.slow
def test_nothing_of_a_canary_is_found_on_any_path() -> None:
    found = run("store", "scan", "--paths")
    assert found.exit_code == 0, found.stdout
    assert re.search(r"^\d+ paths, \d+ files, \d+ bytes searched: nothing found$", found.stdout, re.MULTILINE)
    paths, files, size = map(int, re.findall(r"\d+", found.stdout.splitlines()[-1])[:3])
    assert (paths >= 40, files >= 20, size > 1_000_000) == (True, True, True)
    assert "core dumps: 0" in found.stdout


def test_a_word_is_found_in_every_form(tmp_path: Path) -> None:
    word = new_word()
    search = Search({"a path": word, "another": new_word()})
    for name, form in forms(word).items():
        file = tmp_path / "file"
        file.write_bytes(b"before" * 1000 + form + b"behind")
        assert set(search.folder(tmp_path)) == {Hit("file", "a path")}, name


def test_a_word_in_the_name_of_a_file_is_found(tmp_path: Path) -> None:
    word = new_word()
    (tmp_path / f"{word}.hl7").touch()
    (hit,) = Search({"a path": word}).folder(tmp_path)
    assert hit.where.startswith("the name of ")


def test_a_word_across_two_readings_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.demo.canary._CHUNK", 16)
    word = new_word()
    file = tmp_path / "file"
    for before in range(17):
        file.write_bytes(b"x" * before + word.encode() + b"y" * 40)
        assert list(Search({"a path": word}).file(file))


def test_what_a_path_leaves_fails_the_scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def leaks(walk: Walk) -> None:
        word = walk._word("a path")
        walk.walked["a path"] = "AA"
        (walk._site.log / "connector.log").write_text(f"error in {word}\n")

    monkeypatch.setattr(Walk, "all", leaks)
    report = scan(make_site(tmp_path / "site", free_ports()))
    assert report.hits == [Hit("log/connector.log", "a path")]
    told = commands._told(report, paths=False)
    assert "FOUND in log/connector.log: what was sent on the path a path" in told
    assert not report.good


def test_a_path_that_was_not_walked_fails_the_scan() -> None:
    assert not Report({"v2 taken": "AE"}, ["v2 taken: AE"], [], 10, 1).good
