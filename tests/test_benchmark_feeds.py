"""The measuring of feeds runs; the figures are a benchmark's business."""

from __future__ import annotations

import pytest

from benchmarks import feeding


def test_feeds_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "QUICK", 1_500)
    rows = feeding.run(lambda what: None, quick=True)
    assert [row.part for row in rows] == ["feed", "feed"]
    assert all(row.met is not None for row in rows)
