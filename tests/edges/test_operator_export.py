"""The audit log taken away over HTTPS: by whom, as a stream, and what the log knows of it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from audit import verify_export
from connector.profile.operators import OPERATOR_SCOPES
from connector.wiring import exporting
from tests.edges.operator_site import OperatorSite, assert_problem, operating

WHY = {"because": "the yearly check"}
PATH = "/audit/export"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[OperatorSite]:
    async with operating(tmp_path) as site:
        yield site


def _entries(raw: bytes) -> list[dict[str, Any]]:
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        return [json.loads(line) for line in opened.read("entries.ndjson").splitlines()]


async def test_an_auditor_gets_a_file_that_verifies(site: OperatorSite, tmp_path: Path) -> None:
    await site.dead()
    answer = await site.post(PATH, WHY, site.token("audit:export"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    path = tmp_path / "x.zip"
    path.write_bytes(answer.content)
    assert verify_export.check(str(path), None, verify_export.Trust([], []))[1] == 0
    (before,), (after,) = site.audited("audit:exported"), site.audited("audit:export:ended")
    assert before["actor"]["name"] == "mia"
    assert before["actor"]["client"] == "console"
    assert before["object"] == WHY
    assert after["object"]["sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert before in _entries(answer.content)


async def test_no_other_scope_will_do(site: OperatorSite) -> None:
    others = " ".join({*OPERATOR_SCOPES} - {"audit:export"})
    assert_problem(await site.post(PATH, WHY, site.token(others)), 403, "Forbidden")
    assert site.audited("audit:exported") == []


async def test_what_cannot_be_asked_for_is_said_before_anything_is_sent(site: OperatorSite) -> None:
    asked = {**WHY, "since": "2026-02-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    answer = await site.post(PATH, asked)
    assert "cannot be asked for" in answer.json()["detail"]
    unreasoned = await site.post(PATH, {"since": "2026-02-02T00:00:00Z"})
    assert "because" in unreasoned.json()["fix"]
    assert site.audited("audit:exported") == []


async def test_a_patient_is_told_of_by_pseudonym(site: OperatorSite) -> None:
    answer = await site.post(PATH, {**WHY, "patient": "7^^^STV"})
    assert answer.status_code == 200
    (told,) = site.audited("audit:exported")
    assert len(told["object"]["patient"][0]) == 16
    assert _entries(answer.content) == [told]  # that it was exported is about the patient, too


class Slow:
    """A stream without an end, that counts what was made of it."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, *_: object) -> Iterator[bytes]:
        while True:
            self.made += 1
            yield bytes(exporting.CHUNK)


async def test_it_is_made_only_as_fast_as_it_is_taken_and_ends_when_nobody_takes_it(
    site: OperatorSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow()
    monkeypatch.setattr(exporting.export, "stream", slow)
    async with site.client() as client, client.stream("POST", PATH, json=WHY) as answer:
        assert answer.status_code == 200
        before = -1
        while before != slow.made:  # buffers on the way fill up, and then nothing more is made
            before = slow.made
            await asyncio.sleep(0.2)
        assert slow.made < 1000
        busy = await site.post(PATH, WHY)
        assert_problem(busy, 503, "Overloaded")
    for _ in range(100):
        if site.audited("audit:export:ended"):
            break
        await asyncio.sleep(0.05)
    (after,) = site.audited("audit:export:ended")
    assert after["outcome"] == "failure"
    monkeypatch.undo()
    assert (await site.post(PATH, WHY)).status_code == 200


async def test_an_export_that_the_log_cannot_be_told_of_is_not_made(
    site: OperatorSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    from connector.errors import AuditRefused

    async def refuse(*_: object) -> None:
        raise AuditRefused("no")

    monkeypatch.setattr(site.store, "record", refuse)
    answer = await site.post(PATH, WHY)
    assert_problem(answer, 503, "AuditRefused")
