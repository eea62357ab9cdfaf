"""``python -m audit verify STORE``: 0 if the log is as it was written, 1 if not or if it cannot be read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audit.verify import Unreadable, verify


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(prog="audit", description="Check an audit log.")
    commands = parser.add_subparsers(required=True)
    check = commands.add_parser("verify", help="compute every hash, number and link of a log again")
    check.add_argument("store", type=Path, metavar="STORE", help="the SQLite file that holds the log")
    store = parser.parse_args(arguments).store
    try:
        report = verify(store)
    except Unreadable as error:
        sys.stderr.write(f"{store}: {error}\n")
        return 1
    sys.stdout.write(f"{report}\n")
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
