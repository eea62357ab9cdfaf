"""What the sandbox did, one JSON line each, on the disk before it is answered: it survives a kill.

Two kinds of line: a *write* ``{"seq", "author", "at", "changes": [{"key", "version", "resource"}]}`` and
a *notice* ``{"notified": seq, "status": ...}`` that says which write the connector has heard of.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from connector.demo.resources import Effect, Resources, Version
from connector.fhir import json

CONNECTOR: Final = "connector"  # the author whose writes are not told to the connector


@dataclass(frozen=True, slots=True)
class Write:
    """One accepted write: everything a transaction changed."""

    seq: int
    author: str
    at: str
    versions: tuple[Version, ...]


class Ledger:
    """Keeps ``resources`` and the file in step, counts effects by author, and queues the notices."""

    def __init__(self, path: Path | None) -> None:
        self.resources = Resources()
        self.writes: Counter[tuple[str, str]] = Counter()  # (key, author) -> versions made
        self.unchanged: Counter[tuple[str, str]] = Counter()  # (key, author) -> writes without effect
        self.waiting: list[Write] = []  # not yet told to the connector, oldest first
        self.told: Counter[str] = Counter()  # accepted, refused
        self.requests: list[int] = []  # how many resources each write of the connector had, since the start
        self.notices: list[int] = []  # how many resources each accepted notice had
        self._seq = 0
        self._file: BinaryIO | None = None
        if path is not None:
            self._recall(path)
            self._file = path.open("ab")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def write(self, effects: list[Effect], author: str, at: str) -> None:
        """Keep what changed, on the disk first."""
        if author == CONNECTOR:
            self.requests.append(len(effects))
        changed = tuple(effect.version for effect in effects if effect.version and effect.changed)
        for effect in effects:
            if effect.version and not effect.changed:
                self.unchanged[effect.version.key, author] += 1
        if changed:
            write = Write(self._seq + 1, author, at, changed)
            self._append(_line(write))
            self._take(write)

    def notified(self, write: Write, status: int) -> None:
        """The connector answered for the oldest waiting write; it is not told again."""
        self._append({"notified": write.seq, "status": status})
        self._heard(write.seq, status)

    def _append(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line) + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())

    def _take(self, write: Write) -> None:
        self._seq = write.seq
        self.resources.keep(write.versions)
        for version in write.versions:
            self.writes[version.key, write.author] += 1
        if write.author != CONNECTOR:
            self.waiting.append(write)

    def _heard(self, seq: int, status: int) -> None:
        self.told["accepted" if status < 300 else "refused"] += 1
        if status < 300:
            self.notices += [len(write.versions) for write in self.waiting if write.seq == seq]
        self.waiting = [write for write in self.waiting if write.seq != seq]

    def _recall(self, path: Path) -> None:
        """Read the file back; half a line at its end, from a kill, was never answered for and goes."""
        content = path.read_bytes() if path.exists() else b""
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)
        for line in content[:whole].splitlines():
            record = json.loads(line)
            if "notified" in record:
                self._heard(record["notified"], record["status"])
            else:
                self._take(_write(record))


def _line(write: Write) -> dict[str, Any]:
    changes = [{"key": v.key, "version": v.number, "resource": v.resource} for v in write.versions]
    return {"seq": write.seq, "author": write.author, "at": write.at, "changes": changes}


def _write(record: dict[str, Any]) -> Write:
    at = record["at"]
    versions = tuple(Version(c["key"], c["version"], at, c["resource"]) for c in record["changes"])
    return Write(record["seq"], record["author"], at, versions)
