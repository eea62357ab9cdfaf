"""Cells of tables that no spreadsheet takes for a formula, wherever it believes that a cell begins.

A spreadsheet that separates by semicolons or tabs, as those of much of Europe do, takes our commas and quotes
for text: a cell of it then begins within one of ours, and a line wherever one of ours has a break.
"""

from __future__ import annotations

import re
from typing import Final

_BEGINS: Final = "=+@|%\uff1d\uff0b\uff0d\uff20-"  # a formula
_SUSPECT: Final = frozenset(_BEGINS + " \t\r\n\v\f\xa0")
_WITHIN: Final = re.compile(rf'([;\t\r\n\v\f])(?=["\s]*[{_BEGINS}])')


def harmless(text: str) -> str:
    """A text with an apostrophe before all that might begin a formula."""
    text = _WITHIN.sub(r"\1'", text)
    return f"'{text}" if text[:1] in _SUSPECT else text


def harmless_json(text: str) -> str:
    """A JSON text that says the same, its semicolons before such beginnings written as escapes."""
    return _WITHIN.sub(r"\\u003b", text) if ";" in text else text
