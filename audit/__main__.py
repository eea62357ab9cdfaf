"""``python -m audit verify STORE``: 0 if the log is as it was written, 1 if not or if it cannot be read.

``python -m audit verify EXPORT.zip [--against EARLIER.zip] [--log-key KEY] [--witness KEY]``: an export, by
the program that goes with each of them; 2 if it could not be checked.
``python -m audit fsck STORE DIRECTORY``: the same of the table, and of every tile and checkpoint beside it.
``python -m audit events EXPORT``: 0 if the events in an export are those of its entries.
``python -m audit witness``: see ``witness_command``. ``review``, ``disclosures``: see ``review.command``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audit.verify import Report, Unreadable, verify

if TYPE_CHECKING:
    from audit.fsck import Found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(prog="audit", description="Check an audit log.")
    commands = parser.add_subparsers(required=True)
    check = commands.add_parser("verify", help="an export, or a store: every hash, number and link again")
    check.add_argument(
        "store", type=Path, metavar="FILE", help="an export (.zip), or the SQLite file that holds a log"
    )
    whole = commands.add_parser("fsck", help="derive everything again: table, bundles, tiles, checkpoints")
    whole.add_argument("store", type=Path, metavar="STORE", help="the SQLite file that holds the log")
    whole.add_argument("directory", type=Path, metavar="DIRECTORY", help="where its tiles lie")
    events = commands.add_parser("events", help="make the events of an export again, and compare")
    events.add_argument("export", type=Path, metavar="EXPORT", help="the zip file")
    commands.add_parser("witness", help="cosign the checkpoints of logs, on a host of its own")
    commands.add_parser("review", help="what happened in the period of an export, and what is unusual")
    commands.add_parser("disclosures", help="the accounting of disclosures for one patient, of an export")
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given[:1] == ["witness"]:  # it needs more than the standard library
        from audit import witness_command

        return witness_command.main(given[1:])
    if given[:1] in (["review"], ["disclosures"]):
        from audit.review import command

        return command.main(given)
    if given[:1] == ["verify"] and _of_an_export(given[1:]):
        from audit import verify_export

        return verify_export.main(given[1:], "audit verify")
    asked = parser.parse_args(given)
    if "export" in asked:
        return _events(asked.export)
    report: Report | Found
    try:
        report = _whole(asked.store, asked.directory) if "directory" in asked else verify(asked.store)
    except (Unreadable, OSError) as error:
        sys.stderr.write(f"{asked.store}: {error}\n")
        return 1
    sys.stdout.write(f"{report}\n")
    return 0 if report.good else 1


def _of_an_export(given: Sequence[str]) -> bool:
    """Whether a zip file is named, or an option that only exports have."""
    return any(one.startswith("--") or one.lower().endswith(".zip") for one in given if one != "--help")


def _events(export: Path) -> int:
    from audit import verify_forms

    try:
        found = verify_forms.check(export)
    except verify_forms.Unreadable as error:
        sys.stderr.write(f"{export}: {error}\n")
        return 1
    sys.stdout.write(f"{found}\n")
    return 0 if found.good else 1


def _whole(store: Path, directory: Path) -> Found:
    from audit.fsck import fsck  # it needs more than the standard library

    return fsck(store, directory)


if __name__ == "__main__":
    sys.exit(main())
