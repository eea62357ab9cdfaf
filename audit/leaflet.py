"""What an export says about itself in plain words: its README, and what it can and cannot show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

SHOWS: Final = (
    "Each entry in it was in the log when its head was signed, unchanged and at its place.",
    "Its entries are in the order in which they were written.",
)
SHOWS_WHOLE: Final = (
    "The range is complete: nothing that the log had of that time was left out, also not at its ends.",
)
CANNOT: Final = (
    "That the entries are true. A log proves what was written, and that it was not changed afterwards.",
    "Whose log it is, unless the log's key is known from elsewhere.",
    "That the log shows the same to everybody, unless a witness signed it too or an earlier export is there.",
)
CANNOT_WHOLE: Final = (
    "What the log had before its oldest year in this file, and behind the newest head in it.",
)
CANNOT_FILTERED: Final = (
    "That these are all entries of what was asked for. Entries that the filter should have found may have"
    " been left out, and nobody can tell from this file. To be sure, ask for the whole range, unfiltered.",
)

_TEXT: Final = """\
AN EXPORT OF AN AUDIT LOG

Made at    {at}
by         {by}
because    {because}
Asked for  {asked}
{kind}

WHAT IS IN IT

  entries.ndjson       the entries, an entry a line, byte for byte as they are in the log. They alone count.
  {neighbours}
  entries.csv          the same as a table for a spreadsheet
  {events:<20} the same as FHIR R4 AuditEvents (IHE BALP)
  atna.xml             the same as ATNA messages (DICOM PS3.15 A.5), below one element that holds them
  proofs/              for each entry the proof that it is in the log (C2SP tlog-proof), in zip files
  log/YEAR/checkpoint  the signed head of the log of that year (C2SP tlog-checkpoint), up to which this goes
  log/YEAR/cosigned    the newest head that the witnesses signed, where that is another
  log/YEAR/keys        the public keys of the log, as it says itself
  log/YEAR/tile/       the hashes that lead from the entries to the head (C2SP tlog-tiles)
  log/YEAR/stamps/     time-stamps (RFC 3161) and the texts that they are of, if the log has any
  manifest.json        what was asked, by whom, when; the size and SHA-256 of each file
  manifest.note        the signature of the log's key over the manifest
  verify.py            a program that checks all this; it needs Python and nothing else

HOW TO CHECK IT

  1. Do not use the verify.py of this file if you doubt who gave it to you: whoever changes an export changes
     that too. Take it from the makers of the software, or from another export that you trust, and compare
     their SHA-256. Its text explains itself.
  2. Ask for the log's public key, and for those of its witnesses, on another way than this file came.
  3. python3 -I verify.py EXPORT.zip --log-key KEY --witness KEY
     With an earlier export of the same log:  --against EARLIER.zip
  4. It ends with a verdict, and with exit code 0 if everything holds, 1 if not, 2 if it could not be checked.

WHAT IT SHOWS

{shows}

WHAT IT CANNOT SHOW

{cannot}
"""


def claims(whole: bool) -> tuple[list[str], list[str]]:
    """What an export shows, and what it cannot."""
    if whole:
        return [*SHOWS, *SHOWS_WHOLE], [*CANNOT_WHOLE, *CANNOT]
    return [*SHOWS], [*CANNOT_FILTERED, *CANNOT]


def readme(made: Mapping[str, Any], asked: Mapping[str, Any], whole: bool, events: str) -> bytes:
    """README.txt."""
    shows, cannot = claims(whole)
    wanted = ", ".join(f"{name} {said}" for name, said in asked.items() if said) or "the whole log"
    kind = "A whole range of the log." if whole else "A FILTERED EXPORT: see WHAT IT CANNOT SHOW."
    beside = (
        "neighbours.ndjson    the entries right before and behind the range: they show that nothing is cut"
    )
    text = _TEXT.format(
        at=made["at"],
        by=json.dumps(made["by"], ensure_ascii=False, sort_keys=True),
        because=made["because"],
        asked=wanted,
        kind=kind,
        neighbours=beside if whole else "(no neighbours.ndjson: only a whole range has one)",
        events=events,
        shows="\n".join(f"  - {one}" for one in shows),
        cannot="\n".join(f"  - {one}" for one in cannot),
    )
    return text.encode()
