"""The measuring of the audit log runs, and what it measures is a log that verifies."""

from __future__ import annotations

import pytest

from benchmarks import auditing, exporting


def test_the_audit_log_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auditing, "QUICK", 300)
    rows = auditing.run(lambda what: None, quick=True)
    assert len(rows) == 6
    assert all(row.part == "audit" for row in rows)
    assert [bool(row.target) for row in rows] == [row.met is not None for row in rows]


def test_an_export_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "QUICK", 300)
    rows = exporting.run(lambda what: None, quick=True)
    assert len(rows) == 6
    assert [bool(row.target) for row in rows] == [row.met is not None for row in rows]
