"""A sealed log of a plausible day, its exports, and the programs that check them."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from audit import __main__ as program
from audit import export, verify_export
from audit.entry import Draft, Tag
from audit.export import Head, Made, Plan
from audit.notes import Key, Kind, Note
from audit.notes import parse as parse_note
from audit.parties import Source
from audit.primitives import signer
from audit.selection import Selection
from audit.signing import Signer
from audit.writing import publish_cosigned
from tests.audit import samples
from tests.audit import site as tables
from tests.audit.sealed import Place

MADE = Made(
    "2026-11-24T08:00:00Z", {"role": "operator", "name": "bea", "realm": "machine"}, "the yearly check"
)
SOURCE = Source("site.example", "connector.example")
WITNESS = signer("witness.example/w", Kind.COSIGNATURE, bytes([9] * 32))
AT = 1_795_000_000
WHOLE = Selection()


class Checked(NamedTuple):
    """What a program said of an export."""

    code: int
    bad: int | None
    report: str


class Log(Place):
    """A log that is written, sealed, cosigned and exported."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def fill(self, count: int, **change: str) -> None:
        """Entries of a plausible day, and seal them."""
        self.add([_draft(one, change) for one in samples.log(count)])

    def add(self, drafts: Sequence[Draft]) -> None:
        tables.write(self.store, drafts)
        self.seal()

    def cosign(self, by: Signer = WITNESS) -> None:
        """Let a witness sign the newest head."""
        raw = self.shard.checkpoint()
        assert raw is not None
        note = parse_note(raw)
        publish_cosigned(
            self.shard, Note(note.text, (*note.signatures, by.signature(note.text, AT))).written()
        )

    def signer(self, origin: str) -> Signer:
        return self.key.signers(origin)[0]

    @property
    def public(self) -> Key:
        return self.signer(self.shard.origin).key

    def plan(self, selection: Selection = WHOLE, least: int = 0) -> Plan:
        return export.plan(self.shards, selection, least)

    def exported(self, selection: Selection = WHOLE, earlier: Sequence[Head] = ()) -> bytes:
        """An export, whole."""
        return b"".join(export.stream(self.plan(selection), MADE, self.signer, SOURCE, earlier))

    def file(self, selection: Selection = WHOLE, earlier: Sequence[Head] = (), name: str = "x.zip") -> Path:
        path = self.folder / name
        path.write_bytes(self.exported(selection, earlier))
        return path


def _draft(said: dict[str, Any], change: dict[str, str]) -> Draft:
    names = ("time", "tag", "actor", "object", "outcome", "reason", "correlation")
    return Draft(**{**{name: said[name] for name in names}, **change})


@cache
def day() -> Log:
    """Three hundred entries, more than one tile, that nobody writes to. Of this process."""
    made = Log(Path(mkdtemp(prefix="connector-log-")))
    made.fill(300)
    made.cosign()
    return made


@cache
def small() -> bytes:
    """An export of a few entries out of the middle of a log."""
    return day().exported(between(100, 106))


def times(log: Log) -> list[str]:
    found = (json.loads(entry)["time"] for _, entry, _ in tables.entries(log.store))
    return list(found)


def between(first: int, last: int, log: Log | None = None) -> Selection:
    """The range of time that holds the entries from ``first`` to ``last``."""
    listed = times(log or day())
    return Selection(listed[first - 1], listed[last])


def checked(
    path: Path, against: Path | None = None, keys: Sequence[Key] = (), witnesses: Sequence[Key] = ()
) -> Checked:
    """By the file that goes with each export."""
    trust = verify_export.Trust(
        [verify_export.key(str(one)) for one in keys], [verify_export.key(str(one)) for one in witnesses]
    )
    report, code, bad = verify_export.check(str(path), str(against) if against else None, trust)
    return Checked(code, bad, report)


def by_command(
    path: Path, against: Path | None = None, keys: Sequence[Key] = (), witnesses: Sequence[Key] = ()
) -> Checked:
    """By ``python -m audit verify``."""
    words = ["verify", str(path), *(["--against", str(against)] if against else [])]
    words += [word for one in keys for word in ("--log-key", str(one))]
    words += [word for one in witnesses for word in ("--witness", str(one))]
    said = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(said):
        code = program.main(words)
    report = said.buffer.getvalue().decode()  # type: ignore[attr-defined]
    found = re.search("^FIRST BAD ENTRY  ([0-9]+)$", report, re.MULTILINE)
    return Checked(code, int(found[1]) if found else None, report)


Program = Callable[..., Checked]
PROGRAMS: tuple[Program, ...] = (checked, by_command)


def run(script: Path, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """As an auditor would: nothing but Python, in a folder of its own."""
    command = [sys.executable, "-I", "-S", str(script), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def operator(tag: Tag, at: str, **what: Any) -> Draft:
    return Draft(at, tag, {"role": "operator", "name": "bea", "realm": "machine"}, what)
