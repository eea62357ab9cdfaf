"""How far the log is sealed and cosigned: said by the files of each shard, their signatures checked."""

from __future__ import annotations

from typing import NamedTuple

from audit.review.plain import shown
from audit.review.report import Row, Section, table

_LEAD = (
    "A sealed entry cannot be changed or taken away without breaking a signature of the log; a cosigned one "
    "not even by who holds the log's key, since independent witnesses keep what they signed. Entries that "
    "came after the last seal are in the log, but nothing outside it proves them yet.",
    "This page was computed from the entries. To prove them, export the range and run verify.py, which the "
    "export contains: entry number minus the number of the shard's first entry is the place in its tree.",
)


class Seal(NamedTuple):
    """One shard. ``sealed``: entries under the log's signature, ``cosigned``: under that of its witnesses.

    ``signature``, ``witnesses``: what checking them said, in words.
    """

    origin: str
    first: int  # the number of its first entry; 0: not known
    sealed: int
    root: str
    signature: str
    cosigned: int = 0
    witnesses: str = ""
    stamped: int = 0  # entries below the newest time-stamp (RFC 3161) that was kept


def section(seals: tuple[Seal, ...], last: int) -> Section:
    """``last``: the number of the last entry that was read."""
    rows = [
        Row(
            (
                shown(one.origin),
                one.first or "not known",
                one.sealed,
                one.first + one.sealed - 1 if one.first and one.sealed else "-",
                shown(one.signature),
                one.cosigned,
                shown(one.witnesses) or "none",
                one.stamped,
                shown(one.root),
            )
        )
        for one in seals
    ]
    columns = (
        "Shard", "First entry", "Entries sealed", "Last sealed entry", "Signature of the log",
        "Entries cosigned", "Witnesses", "Entries time-stamped", "Root of the tree (SHA-256, base64)",
    )  # fmt: skip
    behind = _behind(seals, last)
    return Section(
        "seals", "Seals and witnesses", _LEAD, (table("Shards", columns, rows, behind, entries=False),)
    )


def _behind(seals: tuple[Seal, ...], last: int) -> str:
    if not seals:
        return "There is no sealed log here: nothing but the chain of hashes protects the entries."
    one = seals[-1]
    after = last - (one.first + one.sealed - 1) if one.first else 0
    return f"{after} entries that this page speaks of came after the last seal." if after > 0 else ""
