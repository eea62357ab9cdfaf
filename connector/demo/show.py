"""What the demo shows: the live table, a v2 message with its changed fields marked, the reconciliation."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from connector.demo.site import Site

DAY: Final = Path(__file__).parent / "day"
ARROWS: Final = {"to_fhir": "v2 → FHIR", "to_v2": "FHIR → v2"}
_MARK: Final = "bold black on yellow"
_NOT_COMPARED: Final = ("MSH", "EVN")  # they tell of the sending, and differ in every message
_GOOD: Final = ("AA", "CA")


@dataclass(slots=True)
class Row:
    """One message in the table; a number that is not known yet, or never will be, is None."""

    at: str
    direction: str
    message: str
    control_id: str
    ack: str
    note: str = ""
    resources: int | None = None
    delivered: bool | None = None
    lost: int | None = None


@dataclass(slots=True)
class Balance:
    """The closing reconciliation of one direction."""

    direction: str
    received: int = 0
    delivered: int = 0
    repeated: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether everything received was delivered, refused with an answer, or a repeat."""
        return not self.faults and self.received == self.delivered + self.repeated + self.refused


def table(rows: Iterable[Row]) -> Table:
    """The live table."""
    shown = Table(title="A small day at the hospital", title_justify="left", header_style="bold")
    for name in ("Time", "Direction", "Message", "Control id", "ACK"):
        shown.add_column(name, no_wrap=True)
    for name in ("Resources", "Delivered", "Lost"):
        shown.add_column(name, justify="right")
    shown.add_column("")
    for row in rows:
        style = "green" if row.ack in _GOOD else "red"
        shown.add_row(
            row.at[11:19],
            ARROWS[row.direction],
            row.message,
            row.control_id,
            Text(row.ack, style),
            _number(row.resources),
            {True: "yes", False: "no", None: ""}[row.delivered],
            _number(row.lost),
            row.note,
        )
    return shown


def marked(message: str, before: str | None) -> Text:
    """The message, a segment a line, with every field marked (of a repeated one: the repetitions) that
    ``before`` says otherwise.

    ``before`` is the last message about the same patient, or None: then nothing is marked.
    """
    earlier = _segments(before) if before is not None else {}
    shown = Text(overflow="fold")
    for (name, number), fields in _segments(message).items():
        known = earlier.get((name, number), [])
        compared = before is not None and name not in _NOT_COMPARED and bool(known)
        for position, content in enumerate(fields):
            shown.append("|" if position else "")
            was = known[position] if position < len(known) else ""
            shown.append_text(_field(content, was) if compared else Text(content))
        shown.append("\n")
    return shown


def balances(sides: Sequence[Balance]) -> Table:
    """The closing reconciliation."""
    shown = Table(title="Reconciliation", title_justify="left", header_style="bold")
    shown.add_column("Direction", no_wrap=True)
    for name in ("Received", "= Delivered", "+ Repeated", "+ Refused"):
        shown.add_column(name, justify="right")
    shown.add_column("")
    for side in sides:
        verdict = Text("reconciles", "green") if side.holds else Text(", ".join(side.faults) or "no", "red")
        numbers = (side.received, side.delivered, side.repeated, side.refused)
        shown.add_row(ARROWS[side.direction], *map(str, numbers), verdict)
    return shown


def how_to_play(site: Site) -> str:
    """Where everything is, and what to try next."""
    folder, day, bin_ = _near(site.folder), _near(DAY), _near(Path(sys.executable).parent)
    tls = f"--cacert {folder}/ca.pem --cert {folder}/fhir.pem --key {folder}/fhir.key"
    return f"""
store  {folder}/store.db    logs  {folder}/log/
audit log  {sealed(site)}
  {bin_}/python -m audit fsck {folder}/store.db {folder}/store.audit
API  {site.connector_url}/fhir    MLLP  localhost:{site.ports.mllp}    sandbox  {site.sandbox_url}/fhir

Send a message, or drop a file ending in .hl7 into {folder}/hospital/out/ and see sent.jsonl beside it:
  {bin_}/connector send {day}/03-update-phone.hl7 --to mllps://localhost:{site.ports.mllp} \\
    --cert {folder}/hospital.pem --key {folder}/hospital.key --ca {folder}/ca.pem
Ask the API (a token lives five minutes):
  curl {tls} \\
    -H "Authorization: Bearer $({bin_}/python -m connector.demo.tokens --site {folder} --as fhir)" \\
    {site.connector_url}/fhir/metadata
See what the sandbox holds; what you PUT there comes back to the hospital, in received.jsonl:
  curl {tls} {site.sandbox_url}/admin/Patient
"""


def sealed(site: Site) -> str:
    """The newest signed checkpoint of the audit log: whose it is, over how many entries, with what root."""
    found = sorted(site.store.with_suffix(".audit").glob("[0-9]*/checkpoint"))
    if not found:
        return "not signed yet"
    origin, size, root, *_ = found[-1].read_text(encoding="utf-8").split("\n")
    return f"{size} entries signed as {origin}, root {root}"


def _near(path: Path) -> Path:
    """The path as seen from here, where it lies below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _field(content: str, was: str) -> Text:
    before = was.split("~")
    repetitions = []
    for number, repetition in enumerate(content.split("~")):
        differs = repetition != (before[number] if number < len(before) else "") or (content == "" != was)
        repetitions.append(Text(f"»{repetition}«", _MARK) if differs else Text(repetition))
    return Text("~").join(repetitions)


def _segments(message: str) -> dict[tuple[str, int], list[str]]:
    """The fields of each segment, by its name and how many of that name came before it."""
    seen: Counter[str] = Counter()
    segments = {}
    for line in filter(None, message.replace("\n", "\r").split("\r")):
        fields = line.split("|")
        seen[fields[0]] += 1
        segments[fields[0], seen[fields[0]]] = fields
    return segments
