"""Entries as whoever tells of them takes them: read from their bytes, and found to have the form of one.

An export may come from anybody: what is no entry ends the reading with its number, and with nothing of it.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any, Final

from audit.entry import TIME
from audit.tiles import LONGEST

_TEXTS: Final = ("tag", "outcome", "reason", "correlation", "time")


class Unreadable(ValueError):
    """What is read is no entry, or no export; the text holds nothing of it."""


def read(raw: bytes, place: str) -> dict[str, Any]:
    """An entry. ``place``: where it stands, for the words of the error. Raises ``Unreadable``."""
    try:
        entry = json.loads(raw) if len(raw) <= LONGEST else None
    except (ValueError, RecursionError):
        entry = None
    if not isinstance(entry, dict) or not _formed(entry):
        raise Unreadable(f"{place}: no entry of an audit log")
    return entry


def _formed(entry: dict[str, Any]) -> bool:
    texts = all(type(entry.get(name)) is str for name in _TEXTS)
    parts = type(entry.get("actor")) is dict and type(entry.get("object")) is dict
    return texts and parts and type(entry.get("seq")) is int and _timed(entry["time"])


def _timed(time: str) -> bool:
    if not TIME.fullmatch(time):
        return False
    try:
        dt.datetime.fromisoformat(time)
    except ValueError:
        return False
    return time[:4] >= "1970"
