"""``python -m audit review EXPORT.zip``: a review of an export, without the connector.

``python -m audit disclosures EXPORT.zip --patient PSEUDONYM``: the accounting of disclosures out of one.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from audit.review.disclosures import Accounting, Patient, spreadsheet
from audit.review.exported import Exported
from audit.review.files import write
from audit.review.looks import hours_of
from audit.review.page import html
from audit.review.period import BEGINNING, END, Asked
from audit.review.reading import Unreadable
from audit.review.report import Report
from audit.review.reviewing import Review
from audit.review.terminal import text

Forms = Mapping[str, Callable[[Report], str]]

FORMS: Final[Forms] = {".html": html, ".txt": text, ".csv": spreadsheet}  # by the end of a file's name
_SOURCE: Final = "an export; whether it is as it was made, tells: python -m audit verify"


def main(arguments: Sequence[str]) -> int:
    """Run the command; ``arguments`` begin with its name. The exit code."""
    said = _parser().parse_args(arguments)
    try:
        report = _REPORTS[said.command](said)
    except Unreadable as error:
        sys.stderr.write(f"{said.export}: {error}\n")
        return 1
    try:
        put(report, said.out)
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 1
    return 0


def put(report: Report, out: Sequence[Path]) -> None:
    """Write a report in the form that each name says, or as text to standard output. Raises ``OSError``."""
    for path in out:
        write(path, FORMS[path.suffix](report))
    if not out:
        sys.stdout.write(text(report))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="audit", description="Read an export of an audit log.")
    commands = parser.add_subparsers(dest="command", required=True)
    review = commands.add_parser("review", help="what happened in a period, and what is unusual")
    review.add_argument("--partner", default="", help="entries about this link alone")
    review.add_argument("--hours", default="07:00-19:00", help="working hours, Monday to Friday")
    review.add_argument("--zone", default="UTC", help="their time zone, such as Europe/Vienna")
    listed = commands.add_parser("disclosures", help="the accounting of disclosures for one patient")
    listed.add_argument(
        "--patient", required=True, action="append", metavar="PSEUDONYM", help="as it stands in the entries"
    )
    for one, ends in ((review, (".html", ".txt")), (listed, (".html", ".txt", ".csv"))):
        one.add_argument("export", type=Path, metavar="EXPORT.zip")
        one.add_argument("--since", type=moment, default=BEGINNING, help="2026-11-01, or with a time; UTC")
        one.add_argument("--until", type=moment, default=END, help="before this time")
        one.add_argument(
            "--out", type=_named(ends), action="append", default=[], metavar="FILE",
            help=f"write it there, mode 0600, as the name's end says: {', '.join(ends)}",
        )  # fmt: skip
    return parser


def _named(ends: tuple[str, ...]) -> Callable[[str], Path]:
    def path(said: str) -> Path:
        found = Path(said)
        if found.suffix not in ends:
            raise argparse.ArgumentTypeError(f"its name ends with one of {', '.join(ends)}")
        return found

    return path


def moment(said: str) -> dt.datetime:
    """A day or a time; in UTC where it says no zone. Raises ``ValueError``."""
    found = dt.datetime.fromisoformat(said)
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)


def _review(said: argparse.Namespace) -> Report:
    try:
        hours = hours_of(said.hours, said.zone)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    with Exported(said.export) as export:
        review = Review(Asked(said.since, said.until, said.partner, _facts(export), hours))
        for entry in export.entries():
            review.see(entry)
        return review.report(export.seals())


def _disclosures(said: argparse.Namespace) -> Report:
    with Exported(said.export) as export:
        asked = frozenset(said.patient)
        accounting = Accounting(Patient(asked, asked, said.since, said.until, facts=_facts(export)))
        for entry in export.entries():
            accounting.see(entry)
        return accounting.report(export.seals())


def _facts(export: Exported) -> tuple[tuple[str, str], ...]:
    only = ", ".join(f"{name} {value}" for name, value in export.filtered.items())
    return (("Read from", _SOURCE), *([("Which holds only", only)] if only else []))


_REPORTS: Final[dict[str, Callable[[argparse.Namespace], Report]]] = {
    "review": _review,
    "disclosures": _disclosures,
}
