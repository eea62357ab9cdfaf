"""``python -m benchmarks [PART...] [--full] [--quick]``: one table of all that was measured, in one run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks import (
    accepting,
    auditing,
    delivering,
    exporting,
    feeding,
    forms,
    handshakes,
    keeping,
    keys,
    million,
    oauth,
    results,
    reviewing,
    sealing,
    translate,
)
from benchmarks.report import Row, show

Part = Callable[..., list[Row]]
PARTS: Final[dict[str, Part]] = {
    "translate": translate.run,
    "results": results.run,
    "store": keeping.run,
    "audit": auditing.run,
    "sealing": sealing.run,
    "export": exporting.run,
    "review": reviewing.run,
    "events": forms.run,
    "feed": feeding.run,
    "keys": keys.run,
    "accept": accepting.accept,
    "memory": accepting.memory,
    "deliver": delivering.run,
    "tls": handshakes.run,
    "oauth": oauth.run,
}
ASKED: Final[dict[str, Part]] = {  # takes long: only where it is named
    "million": million.run,
    "export-million": exporting.million,
}


def main() -> int:
    """Measure and print; 1 if a target was missed and ``--strict`` was given."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure the connector.")
    parser.add_argument(
        "part", nargs="*", choices=[[], *PARTS, *ASKED], help="which parts; without one, all but the long"
    )
    parser.add_argument("--full", action="store_true", help="memory after 100,000 messages, not 20,000")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes; the figures are rough"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 if a target is missed")
    given = parser.parse_args()
    parts: dict[str, Part] = {**PARTS, **ASKED, "memory": partial(accepting.memory, full=given.full)}
    rows = [row for name in given.part or PARTS for row in parts[name](_say, quick=given.quick)]
    show(rows)
    return int(given.strict and any(row.met is False for row in rows))


def _say(what: str) -> None:
    sys.stderr.write(f"{what} ...\n")


if __name__ == "__main__":
    sys.exit(main())
