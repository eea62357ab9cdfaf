"""An export of a log, put into a file: ``python -m tests.faults.exporting FOLDER``.

Run under strace, which makes a system call of it fail. The log lies in the folder; what could not be done is
said.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from audit import export, saving, verify_export
from audit.directory import DirectoryRefused, shards
from audit.keyfile import SigningKey
from audit.parties import Source
from audit.refusals import KeyRefused
from audit.selection import Selection
from audit.tiles import TilesRefused

GAVE_UP: Final = 3  # exit code
OUT: Final = "x.zip"
PART: Final = ".x.zip.only.part"


def main(folder: Path) -> int:
    """Export all of the log."""
    saving._label = lambda: "only"  # so that its calls can be made to fail
    key = SigningKey(folder / "store.audit.key")
    made = export.Made("2026-11-24T08:00:00Z", {"role": "operator", "name": "bea"}, "a fault")
    try:
        plan = export.plan(shards(folder / "store.audit"), Selection())
        parts = export.stream(plan, made, lambda origin: key.signers(origin)[0], Source("s", "h"))
        saving.save(parts, folder / OUT, _good)
    except (OSError, DirectoryRefused, TilesRefused, KeyRefused, export.ExportRefused) as error:
        print(f"refused {type(error).__name__}", flush=True)
        return GAVE_UP
    print("exported", flush=True)
    return 0


def _good(path: Path) -> None:
    if verify_export.check(str(path), None, verify_export.Trust([], []))[1]:
        raise OSError("it does not verify")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
