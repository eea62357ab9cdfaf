"""Who was let in by a token is on record: once for each token and certificate, before anything is done."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connector.errors import AuditRefused
from connector.pipeline.ports import Entry
from connector.pipeline.tokens import KNOWN, Tokens, named
from connector.wiring.starting import tell_obtained
from tests.audit.samples import sample
from tests.pipeline.room import Audit
from tests.pipeline.site import Cycle, Who, peer
from tests.store.site import open_store, rows

from .partner_site import Partner, granted


def shown(token: str, client: str = "portal") -> Any:
    return SimpleNamespace(client_id=client, token=token)


async def test_a_token_is_told_once_for_each_certificate_it_comes_with() -> None:
    said: list[Entry] = []

    async def record(entries: list[Entry]) -> None:
        said.extend(entries)

    tokens = Tokens(record)
    for number in range(KNOWN + 1):
        for _ in range(2):
            await tokens.accepted(shown(str(number)), "sha256:aa", lambda token: token)  # type: ignore[arg-type,return-value]
    await tokens.accepted(shown(str(KNOWN)), "sha256:bb", lambda token: token)  # type: ignore[arg-type,return-value]
    assert len(said) == KNOWN + 2
    await tokens.accepted(shown("0"), "sha256:aa", lambda token: token)  # type: ignore[arg-type,return-value]
    assert len(said) == KNOWN + 3  # forgotten, so told anew


@pytest.mark.parametrize("token", ["", "x" * 65, "jti\n", "Änne", "\ud800"])
def test_an_id_that_is_none_does_not_get_into_the_log(token: str) -> None:
    assert named(token) == "without an id" or named(token).startswith("sha256:")
    assert named("836803cc068a44e3ba75346c3c4a2de4") == "836803cc068a44e3ba75346c3c4a2de4"


async def test_a_token_that_cannot_be_put_on_record_lets_nobody_in(tmp_path: Path) -> None:
    audit = Audit()
    store = open_store(tmp_path, audit)
    cycle = Cycle(store, tmp_path)
    audit.broken = True
    with pytest.raises(AuditRefused):
        await cycle.api.accepted(shown("1", Who().client_id), peer())
    audit.broken = False
    for _ in range(3):
        await cycle.api.accepted(shown("1", Who().client_id), peer())
    (entry,) = cycle.entries("access:token:accepted")
    assert entry["object"] == {"link": "demo", "direction": "to_v2", "token": "1"}
    assert entry["actor"]["client"] == Who().client_id
    assert sample("access:token:accepted").actor.keys() == entry["actor"].keys()
    await store.close()


async def test_a_token_that_we_got_is_on_record_before_it_is_used(tmp_path: Path) -> None:
    audit = Audit()
    store = open_store(tmp_path, audit)
    async with Partner(tmp_path, tokens=[granted(), granted()]).running() as partner:
        tokens = partner.source()
        tokens._obtained = partial(tell_obtained, store, "demo token")
        audit.broken = True
        with pytest.raises(AuditRefused):
            await tokens.token()
        audit.broken = False
        for _ in range(3):
            assert (await tokens.token()).startswith("token-")
        await tokens.close()
    await store.close()
    said = [json.loads(entry) for (entry,) in rows(tmp_path, "SELECT entry FROM audit_entry")]
    assert [one["tag"] for one in said] == ["oauth:token:obtained"]
    assert said[0]["object"]["end"] == "demo token"
    assert said[0]["object"]["seconds"] > 0
