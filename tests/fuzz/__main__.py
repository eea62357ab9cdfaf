"""``python -m tests.fuzz [--runs N] [TARGET ...]``: each target so often, then how often and what was found.

Each target runs in a process of its own (``tests.fuzz.one``). What it learns stays in ``var/fuzz``; an input
that breaks an invariant goes to ``tests/fuzz/corpus`` and is a test from then on.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Final

from tests.fuzz.running import AVAILABLE, ROOT, TARGETS, Run, command, read

SLOWEST: Final = 10  # seconds that one input may take


def main() -> int:
    """The exit code: 0 where every invariant held."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    said = parser.parse_args()
    if not AVAILABLE:
        print("there is no atheris for this Python: nothing was fuzzed", file=sys.stderr)
        return 1
    found = [_run(name, said.runs) for name in said.targets or TARGETS]
    print(f"{'target':18}{'executions':>12}  what was found")
    for one in found:
        print(f"{one.target:18}{one.executions:>12,}  {one.broken or 'nothing but typed errors'}")
    return 1 if any(one.broken for one in found) else 0


def _run(name: str, runs: int) -> Run:
    learnt = ROOT / "var" / "fuzz" / name
    learnt.mkdir(parents=True, exist_ok=True)
    words = command(name, learnt, f"-runs={runs}", f"-timeout={SLOWEST}", "-print_final_stats=1")
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True, errors="replace") as process:
        lines = []
        for line in process.stderr or ():
            if "pulse" in line:
                print(f"{name}: {line.strip()}", file=sys.stderr)
            lines = [*lines[-2000:], line]
    return read(name, "".join(lines), process.returncode)


if __name__ == "__main__":
    sys.exit(main())
