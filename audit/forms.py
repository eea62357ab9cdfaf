"""The forms that an export has beside the entries themselves: a table, FHIR AuditEvents, ATNA messages.

All are made entry by entry. The table is what ``verify.py`` makes again; it is safe to open in a spreadsheet.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from audit import atna, balp
from audit.canonical import canonical
from audit.cells import harmless, harmless_json
from audit.merkle import leaf_hash
from audit.parties import Source

COLUMNS: Final = (
    "seq", "time", "uncertainty_ms", "tag", "outcome", "reason", "link", "actor_role", "actor_name",
    "correlation", "actor", "object", "sha256",
)  # fmt: skip
MARK: Final = b"\xef\xbb\xbf"  # without it, spreadsheets take UTF-8 for something else
COLLECTED: Final = 10_000  # events that one Bundle holds at most
_NAMES: Final = ("name", "partner", "client")

Entries = Iterable[tuple[int, bytes]]


def lines(entries: Entries) -> Iterator[bytes]:
    """Newline-delimited JSON: the entries' very bytes."""
    for _, raw in entries:
        yield raw + b"\n"


def table(entries: Entries) -> Iterator[bytes]:
    """Comma-separated values (RFC 4180): all cells but those of the head in quotes."""
    yield MARK + ",".join(COLUMNS).encode() + b"\r\n"
    for _, raw in entries:
        yield row(raw)


def row(raw: bytes) -> bytes:
    """An entry in the table."""
    entry = json.loads(raw)
    actor, target, late = entry["actor"], entry["object"], entry.get("uncertainty")
    cells = (
        str(entry["seq"]),
        entry["time"],
        "" if late is None else str(late),
        entry["tag"],
        entry["outcome"],
        entry["reason"],
        target.get("link"),
        actor.get("role"),
        next((actor[name] for name in _NAMES if actor.get(name)), None),
        entry["correlation"],
        harmless_json(canonical(actor).decode()),
        harmless_json(canonical(target).decode()),
        leaf_hash(raw).hex(),
    )
    return (",".join(map(_cell, cells)) + "\r\n").encode()


def _cell(said: Any) -> str:
    """In quotes; what a spreadsheet would take for a formula gets an apostrophe before it."""
    text = harmless(said) if isinstance(said, str) else ""
    return f'"{text}"' if '"' not in text else '"' + text.replace('"', '""') + '"'


def events(entries: Entries, source: Source, *, collected: bool) -> Iterator[bytes]:
    """FHIR R4 AuditEvents: a Bundle of type collection, or a line each; an entry about several patients has
    one for each of them.

    A Bundle is what tools open, but they read it whole; a line each is what takes any number of them.
    """
    each = (_json(one) for _, raw in entries for one in balp.events_of(json.loads(raw), source, raw))
    if not collected:
        for one in each:
            yield one + b"\n"
        return
    yield b'{"resourceType":"Bundle","type":"collection"'
    between = b',"entry":['
    for one in each:
        yield between + b'{"resource":' + one + b"}"
        between = b",\n"
    yield b"}\n" if between == b',"entry":[' else b"]}\n"


def _json(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def messages(entries: Entries, source: Source) -> Iterator[bytes]:
    """ATNA messages (DICOM PS3.15 A.5), an element each, below one that holds them."""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<AuditMessages>\n'
    for _, raw in entries:
        yield _bare(atna.message(json.loads(raw), source, raw)) + b"\n"
    yield b"</AuditMessages>\n"


def _bare(document: bytes) -> bytes:
    """Without the declaration, which stands at the beginning of a file only."""
    if document.startswith(b"<?xml"):
        document = document[document.index(b"?>") + 2 :]
    return document.strip()
