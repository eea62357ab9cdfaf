"""Whether the events in an export are those of its entries: ``python -m audit events EXPORT.zip``.

The entries are proven by ``verify.py``, which goes with each export and knows nothing of FHIR or DICOM. Here
the AuditEvents and the ATNA messages are made again out of these entries and compared byte for byte, and each
AuditEvent is held against the constraints of the profiles of BALP that it claims. In one pass over each file,
with nothing kept but counts; only a Bundle, which has at most ten thousand events, is read whole.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from audit import balp_rules, forms
from audit.events import BALP, UnknownTag
from audit.parties import Source
from audit.verify_export import printable

ENTRIES: Final = "entries.ndjson"
BUNDLE: Final = "auditevents.json"
LINES: Final = "auditevents.ndjson"
MESSAGES: Final = "atna.xml"
TOLD: Final = 20  # faults
_LONGEST: Final = 1 << 20  # of a line, in bytes
_WHOLE: Final = 1 << 28  # of a file that is read whole, in bytes
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN: Final = (
    OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, LookupError, ValueError, TypeError,
    AttributeError,
)  # fmt: skip


class Unreadable(Exception):
    """The file cannot be opened or is no export."""


@dataclass(slots=True)
class Findings:
    """What was found. ``faults``: the first of them; none for a good export."""

    entries: int = 0
    events: int = 0
    profiles: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    def __str__(self) -> str:
        said = (
            "the events are those of the entries" if self.good else "the events are NOT those of the entries"
        )
        kept = ", ".join(f"{printable(name)} {count}" for name, count in sorted(self.profiles.items()))
        return "\n".join(
            (
                f"entries  {self.entries}",
                f"events   {self.events}, each entry as an ATNA message too",
                f"profiles {kept or 'none'}",
                *(f"FAULT    {printable(fault)}" for fault in self.faults[:TOLD]),
                f"{said}; whether the entries are the log's, verify.py tells",
            )
        )


def check(path: Path) -> Findings:
    """Check an export. Raises ``Unreadable``."""
    found = Findings()
    try:
        with zipfile.ZipFile(path) as export:
            names = set(export.namelist())
            if not all(one.compress_type in _PACKED for one in export.infolist()):
                raise ValueError("packed in a way that no export is")
            _checked(export, BUNDLE if BUNDLE in names else LINES, found)
    except _BROKEN as error:
        raise Unreadable(f"it is no export, or it is damaged ({type(error).__name__})") from None
    return found


def _checked(export: zipfile.ZipFile, events: str, found: Findings) -> None:
    with export.open("manifest.json") as stream:
        said = _json(stream)["source"]
    source = Source(str(said["site"]), str(said["host"]))
    collected = events == BUNDLE
    _same(export, events, lambda entries: forms.events(entries, source, collected=collected), found)
    found.entries = _same(export, MESSAGES, lambda entries: forms.messages(entries, source), found)
    with export.open(events) as stream:
        for number, event in enumerate(_read(stream, collected=collected), start=1):
            _kept(number, event, found)


def _same(
    export: zipfile.ZipFile,
    name: str,
    make: Callable[[Iterable[tuple[int, bytes]]], Iterator[bytes]],
    found: Findings,
) -> int:
    """Compare a file with what the entries make; how many entries there were up to the first difference."""
    count = seq = 0

    def entries() -> Iterator[tuple[int, bytes]]:
        nonlocal count, seq
        while line := lines.readline(_LONGEST):
            count, seq = count + 1, int(json.loads(line)["seq"])
            yield seq, line.removesuffix(b"\n")

    with export.open(ENTRIES) as lines, export.open(name) as stream:
        try:
            for piece in make(entries()):
                if stream.read(len(piece)) != piece:
                    found.faults.append(f"{name}: it says something else than the entries, from {seq} on")
                    return count
        except UnknownTag:
            found.faults.append(f"{name}: entry {seq} has a tag that this version does not know")
            return count
        if stream.read(1):
            found.faults.append(f"{name}: it goes on behind the last entry")
    return count


def _read(stream: IO[bytes], *, collected: bool) -> Iterator[Any]:
    if collected:
        for entry in _json(stream).get("entry", []):
            yield entry["resource"]
        return
    while line := stream.readline(_LONGEST):
        yield json.loads(line)


def _json(stream: IO[bytes]) -> Any:
    raw = stream.read(_WHOLE + 1)
    if len(raw) > _WHOLE:
        raise ValueError("longer than that of an export")
    return json.loads(raw)


def _kept(number: int, event: Any, found: Findings) -> None:
    found.events += 1
    for url in event.get("meta", {}).get("profile", []):
        found.profiles[str(url).removeprefix(BALP)] += 1
    found.faults += [f"event {number}: it does not keep {name}" for name in balp_rules.broken(event)]
    del found.faults[TOLD:]
