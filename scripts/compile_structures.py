"""Compile hl7apy's tables of HL7 v2.1 to v2.8.2 (MIT licence) into connector/hl7v2/definitions.zip.

    python scripts/compile_structures.py [FILE]

The output is the same for the same hl7apy; the connector itself never imports hl7apy for this.

One JSON member a version, texts that a person can read:

    messages    "ORU_R01": "MSH SFT* ORU_R01_PATIENT_RESULT+ DSC?"  nothing: 1..1, ?: 0..1, *: 0..n, +: 1..n
    groups      the same; a group whose children are alternatives begins with "| "
    segments    "PID": ["SET_ID_PID SI?", "PATIENT_IDENTIFIER_LIST CX+", ...]  name, datatype, table
    datatypes   "CX": ["ID_NUMBER ST?", ..., "IDENTIFIER_TYPE_CODE ID? 0203", ...]   components likewise
    tables      "0001": ["Administrative Sex", "A", "F", ...]   from v2.3.1 on, where hl7apy has the codes
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import hl7apy

TARGET = Path(__file__).parent.parent / "connector" / "hl7v2" / "definitions.zip"
MARKS = {(1, 1): "", (0, 1): "?", (0, -1): "*", (1, -1): "+"}
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment a zip file can hold

Json = dict[str, Any]


def mark(cardinality: tuple[int, int]) -> str:
    """One of four marks; a number above 1 counts as any number."""
    least, most = cardinality
    return MARKS[min(least, 1), 1 if most == 1 else -1]


def content(reference: Any, groups: Json) -> str:
    """The children of a message or group; a group that is nowhere defined is left out."""
    kind, children = reference[0], reference[1]
    names = [name + mark(card) for name, _, card, what in children if what == "SEG" or name in groups]
    return " ".join(["|", *names] if kind == "choice" else names)


def element(reference: Any, cardinality: tuple[int, int]) -> str:
    """One field or component: name, datatype with its mark, table."""
    _, _, datatype, name, table, *_ = reference
    parts = [name or "-", (datatype or "varies") + mark(cardinality), table and table.removeprefix("HL7")]
    return " ".join(filter(None, parts))


def numbered(children: Any) -> list[str]:
    """Fields or components in the order of their numbers; one that is withdrawn or garbled is ``-``."""
    sound = [child for child in children if len(child) == 4 and child[1]]
    found = {int(name.rpartition("_")[2]): element(ref, card) for name, ref, card, _ in sound}
    return [found.get(number, "-") for number in range(1, max(found, default=0) + 1)]


def compiled(version: str) -> Json:
    """All tables of one version."""
    library = hl7apy.load_library(version)
    tables = getattr(library, "TABLES", {})
    return {
        "messages": {name: content(ref, library.GROUPS) for name, ref in library.MESSAGES.items()},
        "groups": {name: content(ref, library.GROUPS) for name, ref in library.GROUPS.items()},
        "segments": {
            name: numbered(ref[1]) for name, ref in library.SEGMENTS.items() if len(name) == 3 and ref[1:]
        },
        "datatypes": {
            name: numbered(children) for name, children in library.DATATYPES_STRUCTS.items() if children
        },
        "tables": {
            name.removeprefix("HL7"): [title or "", *(str(code) for code in codes)]
            for name, (title, codes, *_) in tables.items()
            if codes
        },
    }


def packed() -> bytes:
    """The zip file, byte by byte the same each time."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for version in sorted(hl7apy.SUPPORTED_LIBRARIES):
            member = zipfile.ZipInfo(f"{version}.json", LONG_AGO)
            member.compress_type, member.create_system, member.external_attr = (
                zipfile.ZIP_DEFLATED,
                3,
                0o644 << 16,
            )
            archive.writestr(member, json.dumps(compiled(version), sort_keys=True, separators=(",", ":")))
    return target.getvalue()


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET).write_bytes(packed())
