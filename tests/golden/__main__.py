"""Writes the expected files of all golden messages anew."""

from __future__ import annotations

from tests import golden

for name in golden.names():
    golden.expected(name).write_text(golden.written(name), encoding="utf-8")
