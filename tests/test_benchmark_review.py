"""The measuring of a review runs, in a process of its own, and meets its targets on a small log too."""

from __future__ import annotations

import pytest

from benchmarks import reviewing


def test_a_review_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviewing, "QUICK", 2_000)
    rows = reviewing.run(lambda what: None, quick=True)
    assert [row.what.partition(":")[0] for row in rows] == ["a review"] * 2 + ["disclosures"] * 2
    assert all(row.target and row.met is not None for row in rows)
