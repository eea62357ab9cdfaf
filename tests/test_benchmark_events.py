"""The measuring of the forms of audit events runs; the figures are a benchmark's business."""

from __future__ import annotations

import pytest

from benchmarks import forms


def test_the_forms_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "QUICK", 200)
    rows = forms.run(lambda what: None, quick=True)
    assert [row.part for row in rows] == ["events"] * 3
    assert all(row.figure.endswith("/s") for row in rows)
