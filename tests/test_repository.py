"""What holds for the repository as a whole: its files, its locks, its image, its profiles."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks import floor, people
from benchmarks.translate import yardsticks
from connector import Translator
from connector.mapping import emit
from connector.mapping.messages.registry import MESSAGE_MAPS
from connector.profile.check import check

ROOT: Final = Path(__file__).parent.parent
LOCKS: Final = ("requirements.lock", "requirements-dev.lock")
LONGEST: Final = 400  # lines of a file
WHOLE: Final = {
    "audit/verify_export.py"
}  # one file by its purpose: auditors get it and need nothing beside it
# in parts, so that this file does not name them
REGISTRIES: Final = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("crates", "io"),
        ("golang", "org"), ("docker", "io"), ("gcr", "io"), ("ghcr", "io"),
        ("quay", "io"), ("anaconda", "org"),
    )
)  # fmt: skip
URL: Final = re.compile(r"https?://", re.IGNORECASE)


def _committed() -> list[Path]:
    """The files that git has, and those that it would take; without git, what lies in the known folders."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]
    folders = ("audit", "benchmarks", "compliance", "connector", "profiles", "scripts", "tests")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [path for path in [*found, *ROOT.glob("*.*")] if "__pycache__" not in path.parts]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


FILES: Final = _committed()
PYTHON: Final = [path for path in FILES if path.suffix == ".py"]


# --- files --------------------------------------------------------------------------------------------


def test_no_file_names_a_package_registry() -> None:
    named = [
        f"{_name(path)}: {host}"
        for path in FILES
        for host in REGISTRIES
        if re.search(rf"(?<![\w-]){re.escape(host)}(?!\w)".encode(), path.read_bytes())
    ]
    assert named == []


def test_nothing_reaches_out_of_the_repository() -> None:
    """Nothing from beside it is needed; only the benchmarks look there, for a second yardstick."""
    outside = f"/work/{'shared'}".encode()
    assert [_name(path) for path in FILES if outside in path.read_bytes()] == []


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    long = {
        _name(path)
        for path in PYTHON
        if _name(path).startswith(("connector/", "audit/")) and len(path.read_bytes().splitlines()) > LONGEST
    }
    assert long == WHOLE


def test_every_python_file_with_code_has_postponed_annotations() -> None:
    assert [_name(path) for path in PYTHON if not _postponed(path)] == []


def _postponed(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    code = [node for node in body if not isinstance(node, (ast.Import, ast.ImportFrom)) and not _inert(node)]
    return not code or any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and node.names[0].name == "annotations"
        for node in body
    )


def _inert(node: ast.stmt) -> bool:
    """A docstring, or the list of what a package offers."""
    return isinstance(node, ast.Expr) or (isinstance(node, ast.Assign) and "__all__" in ast.unparse(node))


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in PYTHON if _name(path).startswith("tests/")}
    assert [_name(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_licence_is_there_and_is_the_one_that_is_named() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0" in text
    assert _project()["project"]["license"] == "Apache-2.0"


def test_no_private_key_is_committed() -> None:
    mark = b"PRIVATE" + b" KEY-----"
    assert [_name(path) for path in FILES if mark in path.read_bytes()] == []


def test_the_version_in_the_changelog_is_that_of_the_package() -> None:
    assert str(_project()["project"]["version"]) in (ROOT / "CHANGELOG.md").read_text()


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# --- locks --------------------------------------------------------------------------------------------


def _locked(name: str) -> Iterator[tuple[str, str]]:
    """Each requirement of a lock with the lines that belong to it."""
    text = re.sub(r"^\s*#.*$", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    for block in re.split(r"\n(?=\S)", text.strip()):
        yield block.partition("==")[0].strip(), block


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_one_version_and_its_hashes(name: str) -> None:
    packages = list(_locked(name))
    assert len(packages) > 20
    for package, block in packages:
        assert re.match(r"[\w.\[\]-]+==[\w.!+-]+[ \\]", block), package
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), package


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_says_nothing_of_where_packages_come_from(name: str) -> None:
    text = (ROOT / name).read_text()
    assert not URL.search(text)
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links)", text, re.MULTILINE)


def test_what_runs_is_locked_as_it_is_tested() -> None:
    tested = dict(_locked("requirements-dev.lock"))
    for package, block in _locked("requirements.lock"):
        assert block.split()[0] == tested[package].split()[0]


def test_every_dependency_of_the_project_is_locked() -> None:
    project = _project()["project"]
    for name, wanted in (
        ("requirements.lock", project["dependencies"]),
        ("requirements-dev.lock", project["dependencies"] + project["optional-dependencies"]["dev"]),
    ):
        locked = {package.partition("[")[0].lower().replace("_", "-") for package, _ in _locked(name)}
        for requirement in wanted:
            package = re.split(r"[\[<>=! ]", requirement)[0].lower().replace(".", "-")
            assert package in {one.replace(".", "-") for one in locked}, requirement


# --- the image ----------------------------------------------------------------------------------------


def _instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def _last_stage() -> list[tuple[str, str]]:
    instructions = _instructions()
    starts = [n for n, (word, _) in enumerate(instructions) if word == "FROM"]
    assert len(starts) > 1
    return instructions[starts[-1] :]


def test_the_image_runs_as_a_user_with_a_number() -> None:
    users = [rest for word, rest in _last_stage() if word == "USER"]
    assert users
    assert all(re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user) for user in users)


def test_the_image_takes_nothing_from_an_address() -> None:
    assert [rest for word, rest in _instructions() if word == "ADD"] == []
    runs = [rest for word, rest in _instructions() if word == "RUN"]
    assert not any(URL.search(run) or re.search(r"\b(curl|wget|git)\b", run) for run in runs)


def test_the_image_installs_what_is_locked_and_nothing_else() -> None:
    installs = [rest for word, rest in _instructions() if word == "RUN" and "pip install" in rest]
    assert installs
    assert all("--require-hashes" in one or "--no-deps --no-index" in one for one in installs)


@pytest.mark.parametrize("word", ["ENTRYPOINT", "CMD", "VOLUME"])
def test_the_image_needs_no_shell(word: str) -> None:
    forms = [rest for one, rest in _last_stage() if one == word]
    assert len(forms) == 1
    assert all(isinstance(part, str) for part in json.loads(forms[0]))
    assert not any(one in ("RUN", "SHELL") for one, _ in _last_stage())


def test_the_image_tells_its_health_without_a_shell() -> None:
    options, _, command = next(rest for word, rest in _last_stage() if word == "HEALTHCHECK").partition(
        " CMD "
    )
    assert "--interval=" in options
    assert json.loads(command) == ["connector", "health", "--config", "/etc/connector/connector.toml"]


def test_the_image_begins_with_nothing_and_holds_one_tree() -> None:
    stage = _last_stage()
    assert stage[0] == ("FROM", "scratch")
    assert [rest for word, rest in stage if word == "COPY"] == ["--from=installed /image /"]
    made = [rest for word, rest in _instructions() if word == "RUN" and "image_root.py" in rest]
    assert len(made) == 1
    assert "/opt/connector" in made[0]


def test_the_image_is_said_to_be_run_read_only_and_without_capabilities() -> None:
    said = (ROOT / "Dockerfile").read_text().partition("ARG")[0]
    for option in ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges", "--tmpfs /tmp"):
        assert option in said


def test_the_image_starts_the_service() -> None:
    stage = dict(_last_stage())
    assert json.loads(stage["ENTRYPOINT"]) == ["connector"]
    assert json.loads(stage["CMD"])[:2] == ["serve", "--config"]
    assert stage["STOPSIGNAL"] == "SIGTERM"


def test_what_the_image_copies_is_let_through_and_nothing_secret_is() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    let = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source.removeprefix("./").rstrip("/")
        for word, rest in _instructions()
        if word == "COPY" and "--from=" not in rest
        for source in rest.split()[:-1]
    }
    assert copied <= let
    assert all((ROOT / name).exists() for name in let)
    assert "**/*.key" in ignored


def test_no_secret_is_given_to_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text().lower()
    assert not re.search(r"\b(arg|env)\s[^\n]*(password|secret|token|_key)", text)


# --- profiles, generated code, benchmarks -------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "profiles").rglob("*.toml")), ids=_name)
def test_every_profile_of_the_repository_is_good(path: Path) -> None:
    assert [str(fault) for fault in check(path)] == []
    Translator.load(path)


def test_no_text_of_a_profile_becomes_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(
        'name = "planted"\n'
        "[mapping.authorities]\nplanted = \"urn:planted:'+str(1)+'\"\n"
        "[mapping.systems]\nplanted = \"urn:planted:'''\"\n"
        '[[mapping.extension]]\nfrom = "ZPI-2"\nto = "Patient"\nurl = "https://planted.example/\'x"\n'
        '[[mapping.identifier]]\nfrom = "ZPI-5"\nto = "Patient"\nsystem = "urn:planted:\'x"\n'
    )
    sources: list[str] = []
    made = emit.Function.made

    def seen(function: emit.Function) -> Any:
        sources.append("\n".join(function._lines))
        return made(function)

    monkeypatch.setattr(emit.Function, "made", seen)
    atlas = Translator.load(path).atlas
    for each in MESSAGE_MAPS:
        for structure in each.structures:
            code, _, event = structure.partition("_")
            atlas.of(code, event)
    assert len(sources) > 50
    assert [source for source in sources if "planted" in source] == []


def test_the_floors_of_the_benchmarks_translate_their_messages() -> None:
    for yardstick in yardsticks():
        kinds = [entry["resource"]["resourceType"] for entry in yardstick.to_fhir(yardstick.message)["entry"]]
        assert {"Patient", "Encounter", "Observation", "Practitioner"} <= set(kinds), yardstick.name


def test_the_messages_of_the_benchmarks_are_taken_and_are_all_different() -> None:
    translator = Translator.load(ROOT / "profiles" / "demo" / "profile.toml")
    patients = set()
    for message in people.admissions(50):
        resources = [entry["resource"] for entry in translator.to_fhir(message).bundle["entry"]]
        patients |= {one["id"] for one in resources if one["resourceType"] == "Patient"}
        assert len(floor.to_fhir(message)["entry"]) >= 9
    assert len(patients) == 50
