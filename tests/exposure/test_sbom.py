"""``make sbom``: a bill of materials that validates, says what is locked, and is the same each time."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts.sbom import LOCK, locked, made
from tests.test_repository import REGISTRIES


@cache
def text() -> str:
    return made(LOCK.read_text())


@cache
def bom() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text())
    return found


def test_it_is_cyclonedx_as_its_schema_says() -> None:
    assert bom()["bomFormat"] == "CycloneDX"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text()) is None
    broken = text().replace('"type": "library"', '"type": "libary"')
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None


def test_every_locked_package_is_in_it_with_its_hashes_and_nothing_else() -> None:
    wanted = re.findall(r"^([a-z0-9.-]+)(?:\[[^\]]*\])?==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE)
    assert [(one["name"], one["version"]) for one in sorted(bom()["components"], key=_name)] == sorted(wanted)
    assert len(wanted) > 20
    for one in bom()["components"]:
        assert (
            one["purl"] == f"pkg:pypi/{one['name'].replace('.', '-')}@{one['version']}" or "." in one["name"]
        )
        assert one["hashes"]
        assert all(re.fullmatch(r"[0-9a-f]{64}", hash_["content"]) for hash_ in one["hashes"])


def _name(one: dict[str, Any]) -> tuple[str, str]:
    return one["name"], one["version"]


def test_who_needs_whom_is_said_and_everything_is_needed() -> None:
    needs = {one["ref"]: one.get("dependsOn", []) for one in bom()["dependencies"]}
    reached, todo = set(), ["connector"]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += needs[name]
    assert reached == {"connector", *(one["bom-ref"] for one in bom()["components"])}


def test_almost_every_package_names_its_licence() -> None:
    without = [one["name"] for one in bom()["components"] if not one.get("licenses")]
    assert len(without) <= 2, without


def test_the_same_lock_gives_the_same_bytes_and_another_one_another_number() -> None:
    assert made(LOCK.read_text()) == text()
    other = json.loads(made(LOCK.read_text().replace("==", "==1!", 1)))
    assert other["serialNumber"] != bom()["serialNumber"]
    assert "timestamp" not in text()


@pytest.mark.parametrize("host", REGISTRIES)
def test_it_names_no_registry(host: str) -> None:
    assert host not in text()


def test_a_lock_is_read_to_its_last_line() -> None:
    text = "a==1 \\\n    --hash=sha256:" + "0" * 64 + "\n    # via connector (pyproject.toml)\nb[x]==2 ; c\n"
    assert [(one.name, one.version, one.needed_by) for one in locked(text)] == [
        ("a", "1", ("connector",)),
        ("b", "2", ()),
    ]
