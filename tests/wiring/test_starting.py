"""What is in force is on record with its hash, and what it was before."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connector import settings, wiring
from connector.app import Service, serve
from connector.demo.site import Ports, make_site
from connector.errors import AuditRefused, ConfigurationError
from connector.settings import Configuration
from connector.store import Store
from connector.wiring.admitted import PERIOD, Admitted
from connector.wiring.starting import put_in_force
from tests.pipeline.room import Audit
from tests.pipeline.site import NOW, peer
from tests.store.site import open_store, rows

A, B, C = ("aa" * 32, "bb" * 32, "cc" * 32)


@pytest.fixture
def audit() -> Audit:
    return Audit()


@pytest.fixture
async def store(tmp_path: Path, audit: Audit) -> AsyncIterator[Store]:
    opened = open_store(tmp_path, audit)
    yield opened
    await opened.close()


def configured(settings: str, **profiles: str) -> Configuration:
    made = [SimpleNamespace(name=name, sha256=sha256) for name, sha256 in profiles.items()]
    return cast(
        "Configuration",
        cast("Any", SimpleNamespace(settings=SimpleNamespace(sha256=settings), profiles=made)),
    )


def told(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    said = [json.loads(entry) for (entry,) in rows(folder, "SELECT entry FROM audit_entry ORDER BY seq")]
    return [(one["tag"], one["object"]) for one in said]


async def test_settings_and_profiles_are_told_with_their_hashes_and_those_before(
    store: Store, tmp_path: Path
) -> None:
    await put_in_force(configured(A, lab=B, ward=C), store)
    loaded = told(tmp_path)
    assert [tag for tag, _ in loaded] == [
        "service:started", "keys:loaded", "profile:loaded", "profile:loaded", "settings:loaded",
    ]  # fmt: skip
    assert loaded[1][1]["provider"] == "file"
    assert ("settings:loaded", {"sha256": A}) in loaded
    assert ("profile:loaded", {"link": "lab", "sha256": B}) in loaded
    await put_in_force(configured(B, lab=C), store)
    changed = told(tmp_path)[len(loaded) :]
    assert ("settings:changed", {"before": A, "sha256": B}) in changed
    assert ("profile:changed", {"link": "lab", "before": B, "sha256": C}) in changed
    assert ("profile:changed", {"link": "ward", "before": C, "sha256": ""}) in changed
    await put_in_force(configured(B, lab=C), store)
    again = told(tmp_path)[len(loaded) + len(changed) :]
    assert [tag for tag, _ in again][2:] == ["profile:loaded", "settings:loaded"]


async def test_what_cannot_be_recorded_is_not_in_force(store: Store, tmp_path: Path, audit: Audit) -> None:
    audit.broken = True
    with pytest.raises(AuditRefused):
        await put_in_force(configured(A, lab=B), store)
    assert rows(tmp_path, "SELECT * FROM effective") == []


async def test_a_certificate_is_told_of_once_an_hour_with_how_often_it_came(
    store: Store, tmp_path: Path
) -> None:
    time = [0.0]
    admitted = Admitted(store, "mllp", lambda: NOW, lambda one: "demo", lambda: time[0])
    for _ in range(500):
        await admitted(peer())
    await admitted(peer("sha256:other"))
    time[0] = PERIOD
    await admitted(peer())
    for _ in range(3):
        await admitted(peer())
    await admitted.tell()
    await admitted.tell()
    said = [what for _, what in told(tmp_path)]
    assert [what["count"] for what in said] == [1, 1, 500, 3]
    assert said[0] == {"listener": "mllp", "count": 1, "link": "demo"}


async def test_who_could_not_be_put_on_record_is_not_admitted(
    store: Store, audit: Audit, tmp_path: Path
) -> None:
    admitted = Admitted(store, "https", lambda: NOW, lambda one: "")
    audit.broken = True
    with pytest.raises(AuditRefused):
        await admitted(peer())
    audit.broken = False
    await admitted(peer())
    assert [what["count"] for _, what in told(tmp_path)] == [1]


async def test_a_configuration_with_which_nothing_starts_is_told_to_the_log(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", Ports(1, 2, hospital=3, sandbox=4))
    open_settings = settings.load(site.config).settings
    await wiring.open_store(open_settings).close()
    site.profile.write_text(site.profile.read_text() + "\nnobody_knows = 1\n")
    with pytest.raises(ConfigurationError):
        await serve(site.config)
    said = [json.loads(one) for (one,) in rows(site.folder, "SELECT entry FROM audit_entry ORDER BY seq")]
    (refused,) = [one for one in said if one["tag"] == "profile:refused"]
    assert (refused["outcome"], refused["actor"]) == ("refused", {"role": "connector"})
    assert refused["reason"] in ("ProfileError", "ConfigurationError")
    assert str(tmp_path) not in json.dumps(refused)


async def test_a_configuration_whose_store_cannot_be_found_is_refused_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "connector.toml").write_text("nothing = 1\n")
    with pytest.raises(ConfigurationError):
        await serve(tmp_path / "connector.toml")


async def test_nobody_resumes_what_could_not_be_put_on_record(
    store: Store, tmp_path: Path, audit: Audit
) -> None:
    done: list[str] = []
    part: Any = SimpleNamespace(wake=lambda: done.append("files"), resume=lambda: done.append("lanes"))
    service = Service.__new__(Service)
    service._store, service._renewing, service._feeds, service._supervisor = store, part, part, part
    audit.broken = True
    await service.resumed()
    assert done == []
    audit.broken = False
    await service.resumed()
    assert done == ["files", "files", "lanes"]
    assert [tag for tag, _ in told(tmp_path)] == ["service:resumed"]
