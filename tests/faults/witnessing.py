"""A witness for the faults of the system: says what it cosigned, and is asked for both ways of a log.

    python -m tests.faults.witnessing FOLDER

Each line is ``<way> <size>`` of a checkpoint whose cosignature was given out, or ``refused``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from audit.witness_state import State
from audit.witnessing import Witness
from tests.audit.signers import AT, FIRST
from tests.audit.witness_site import FORK, KNOWN, LEAVES, body

WAYS = {"log": LEAVES, "fork": FORK}


def main(folder: Path) -> None:
    state = State(folder, [FIRST.key])
    witness = Witness(KNOWN, (FIRST,), state, lambda line: None, lambda: AT)
    seen = state.seen(KNOWN[0].origin).size
    for size in (5, 9, 12, 16, 20):
        for way, leaves in WAYS.items():
            answer = witness.add(body(min(seen, size), size, leaves))
            if answer.status == 200:
                seen = size
                print(way, size, flush=True)
            else:
                print("refused", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
