"""Write compliance/ig-rows.csv: the fate of every row of the HL7 v2-to-FHIR guide.

    python -m scripts.ig_rows [GUIDE]

GUIDE: the guide's folder ``mappings`` (github.com/HL7/v2-to-fhir), for rows that are new or have changed;
without it the rows that stand in the file are judged anew. A row is done where a translation shows what the
guide asks for; the others need a line in compliance/ig-fates.csv. Rows without one are printed, and the exit
code is 1.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.guide.accounting import contradicts, decisions, judged
from tests.guide.rows import ROWS, of_guide, read, write


def main(arguments: list[str]) -> int:
    rows = of_guide(Path(arguments[0])) if arguments else read(ROWS)
    told = list(judged(list(rows), decisions()))
    write(ROWS, [row for row, _ in told])
    open_rows = [(row, outcome) for row, outcome in told if contradicts(row.fate, outcome) or not row.fate]
    for row, outcome in open_rows:
        print(f"{outcome:<10} {row.fate or 'no fate':<15} {row}")
    for (kind, fate), count in sorted(Counter((row.kind, row.fate or "no fate") for row, _ in told).items()):
        print(f"{kind:<10} {fate:<15} {count:>5}", file=sys.stderr)
    return 1 if open_rows else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
