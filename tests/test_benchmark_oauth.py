"""The measuring of tokens and scopes runs, and measures what the API does."""

from __future__ import annotations

import pytest

from benchmarks import oauth


def test_tokens_and_scopes_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "QUICK", 3)
    rows = oauth.run(lambda what: None, quick=True)
    assert len(rows) == 8
    assert all(row.part == "oauth" and row.target and row.met is not None for row in rows)
