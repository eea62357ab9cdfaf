"""``compliance/audit-events.md``: each tag with its meaning, its fields, its events of ATNA and BALP.

``python -m tests.audit.events_page`` writes it anew, out of ``audit/vocabulary.py`` and ``audit/events.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from audit import described
from audit.fields import ACTORS, FIELDS, ROLES
from audit.vocabulary import ROWS, Row

PAGE: Final = Path(__file__).parents[2] / "compliance" / "audit-events.md"
_HEAD: Final = """# What the audit log records

The tags of the log are a closed set. Of each: what it says, who can have done it, the fields of `object`
(in brackets: those that may be missing), the event that it is to an ATNA repository (EventID, action;
EventTypeCode), and the profile of IHE BALP that its AuditEvent keeps where it was a success. What is not
described here is refused when it is appended, and what it would have recorded does not happen. How the
forms are made, and by which sources: [audit-mapping.md](audit-mapping.md). This page is written by `python
-m tests.audit.events_page`, and a test holds it; others hold that each tag is written somewhere and nothing
else is (`tests/audit/test_recorded_events.py`), and walk all routes, commands and ways into the store for
one that leaves no entry and gives no reason (`tests/test_walk.py`, with the list of reasons).

No field holds a patient's words. A patient is a pseudonym: the first 64 bits of an HMAC-SHA-256 of the
medical record number and its authority, under a key that only the store derives. Contents are commitments:
an HMAC-SHA-256 under a salt derived from the data key of the record (HKDF), so that who has the record
proves what was recorded (`connector audit compare`), and after `connector erase` nobody can even try a
guess. What people write as a reason is theirs: at most 200 characters, and not for patients' words.

Some entries stand for many events, so that nobody can fill the disk: a certificate that is let in is told of
at its first connection and then once an hour with a count, an accepted token once for each certificate that
it comes with, a refused handshake one by one up to 20 a minute and reason and then by their number.
"""
_SUBJECTS: Final = {
    "message": "Messages",
    "delivery": "Deliveries",
    "conflict": "Conflicts",
    "tls": "Connections",
    "access": "Access",
    "oauth": "Our own tokens",
    "operator": "People",
    "service": "The service",
    "settings": "Settings",
    "profile": "Profiles",
    "keys": "Keys",
    "store": "The store",
    "clock": "The clock",
    "audit": "The log itself",
}


def rendered() -> str:
    """The page."""
    return "\n".join((_HEAD, *_tags(), *_actors(), *_fields())) + "\n"


def _tags() -> Iterator[str]:
    for subject, rows in groupby(sorted(ROWS, key=_place), key=_subject):
        yield f"## {_SUBJECTS.get(subject, subject.capitalize())}\n"
        yield "| Tag | What it says | Who | `object` | ATNA | BALP |"
        yield "| --- | --- | --- | --- | --- | --- |"
        yield from map(_line, rows)
        yield ""


def _subject(row: Row) -> str:
    return row.tag.partition(":")[0]


def _place(row: Row) -> int:
    """In the order of subjects; of one subject, in the order of the vocabulary (sorting keeps it)."""
    names = list(_SUBJECTS)
    return names.index(_subject(row)) if _subject(row) in names else len(names)


def _line(row: Row) -> str:
    fields = [*sorted(row.required), *(f"[{name}]" for name in sorted(row.optional))]
    cells = (
        f"`{row.tag}`",
        row.meaning,
        ", ".join(sorted(row.roles)),
        " ".join(f"`{one}`" for one in fields),
        described.atna(row.tag),
        described.balp(row.tag),
    )
    return _cells(*cells)


def _actors() -> Iterator[str]:
    yield "## Who\n"
    yield "| Role | What it is | What is said of it, in brackets what may be missing |"
    yield "| --- | --- | --- |"
    for name, role in ROLES.items():
        said = [*sorted(role.always), *(f"[{one}]" for one in sorted(role.fields - role.always))]
        yield _cells(f"`{name}`", role.meaning, " ".join(f"`{one}`" for one in said))
    yield ""
    yield "| Field of `actor` | Meaning |"
    yield "| --- | --- |"
    yield from (_cells(f"`{name}`", field.meaning) for name, field in ACTORS.items())
    yield ""


def _fields() -> Iterator[str]:
    yield "## Fields of `object`\n"
    yield "| Field | Meaning | Form | At most |"
    yield "| --- | --- | --- | --- |"
    for name, field in sorted(FIELDS.items()):
        most = f"{field.most:,}" if field.form.startswith("text") or field.form.endswith("s") else ""
        yield _cells(f"`{name}`", field.meaning, field.form, most)


def _cells(*cells: str) -> str:
    return f"| {' | '.join(one.replace('|', '&#124;') for one in cells)} |"


if __name__ == "__main__":
    PAGE.write_text(rendered(), encoding="utf-8")
