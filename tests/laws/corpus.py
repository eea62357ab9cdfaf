"""The messages of the sample corpus, where that folder is there (beside the repository)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from connector.errors import ConnectorError
from connector.hl7v2 import batch
from connector.hl7v2.tree import Message

FOLDER = Path(__file__).parents[3] / "shared" / "samples"
WITHOUT = f"the sample corpus is not there ({FOLDER.parent.name}/{FOLDER.name} beside the repository)"


@cache
def found() -> tuple[tuple[str, str], ...]:
    """(file name, message text), each text once; unreadable ones too."""
    if not FOLDER.is_dir():
        return ()
    seen: dict[str, str] = {}
    for path in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        for raw in batch.split(path.read_bytes()):
            seen.setdefault(raw.decode("utf-8", "replace"), path.name)
    return tuple((name, text) for text, name in seen.items())


@cache
def codes() -> tuple[str, ...]:
    """The message codes of the corpus, the empty one for what cannot be read."""
    return tuple(sorted({_code(text) for _, text in found()})) or ("",)


def _code(text: str) -> str:
    try:
        return Message.parse(text).message_code
    except ConnectorError:
        return ""


def messages(code: str | None = None) -> tuple[tuple[str, str], ...]:
    """Those of one message code, or all; or the test is skipped."""
    if not found():
        pytest.skip(WITHOUT)
    return tuple(one for one in found() if code is None or _code(one[1]) == code)
