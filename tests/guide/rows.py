"""The rows of the implementation guide that name a target or an assignment, each with its fate.

``compliance/ig-rows.csv`` holds them; ``scripts/ig_rows.py`` writes it anew from a copy of the guide.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROWS: Final = Path(__file__).resolve().parents[2] / "compliance" / "ig-rows.csv"
FATES: Final = ROWS.with_name("ig-fates.csv")

DONE: Final = "done"
OTHERWISE: Final = "done otherwise"
NOT_DONE: Final = "not done"

_FOLDERS: Final = {
    "message": "messages",
    "segment": "segments",
    "datatype": "datatypes",
    "code": "codesystems",
}


class Row(NamedTuple):
    """One row of one of the guide's tables.

    ``kind``: message, segment, datatype or code; ``map``: such as ``PID[Patient]``; ``number``: of the row in
    its table, from 1. Of a message row, ``datatype_map`` is the segment map; of a code row, ``identifier`` is
    the v2 code, ``fhir_attribute`` the FHIR code and ``assignment`` its system.
    """

    kind: str
    map: str
    number: int
    sort_order: str
    identifier: str
    v2_datatype: str
    condition: str
    fhir_attribute: str
    datatype_map: str
    vocabulary: str
    assignment: str
    fate: str = ""
    why: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        return self.kind, self.map, self.number

    def __str__(self) -> str:
        said = f"{self.fhir_attribute} {self.assignment}".strip()
        return f"{self.kind} {self.map} {self.number} {self.identifier} -> {said}"


@cache
def rows() -> tuple[Row, ...]:
    """All rows, as they stand in the accounting."""
    return tuple(read(ROWS))


def of_kind(kind: str) -> list[Row]:
    return [row for row in rows() if row.kind == kind]


def read(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        for cells in csv.DictReader(file):
            yield Row(**{**cells, "number": int(cells["number"])})  # type: ignore[arg-type]


def write(path: Path, written: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(Row._fields)
        out.writerows(written)


# --- the guide's own files ---------------------------------------------------------------------------------


def of_guide(folder: Path) -> Iterator[Row]:
    """The rows of the guide's tables in a copy of its ``mappings`` folder."""
    for kind, name in _FOLDERS.items():
        for path in sorted((folder / name).glob("HL7 *.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                records = list(csv.reader(file))[2:]  # captions, labels
            for number, record in enumerate(records, 1):
                cells = [_clean(cell) for cell in record] + [""] * 19
                if row := _READERS[kind](_name(path), number, cells):
                    yield row


def _name(path: Path) -> str:
    return path.stem.partition("_ ")[2].rpartition(" - ")[0]


def _clean(cell: str) -> str:
    return " ".join(cell.replace("\xa0", " ").replace("\xc2", "").replace("“", '"').replace("”", '"').split())


def _message(name: str, number: int, cells: list[str]) -> Row | None:
    if not (cells[9] or cells[10]):
        return None
    condition = cells[6] or cells[8][:100]
    return Row(
        "message", name, number, cells[0], cells[1], "", condition, cells[9], cells[10], "", cells[11][:160]
    )


def _element(kind: str, name: str, number: int, cells: list[str]) -> Row | None:
    attribute = cells[9] or cells[10]
    if not (cells[9] or cells[16]):
        return None
    condition = cells[6] or (f"({cells[8][:100]})" if cells[8] else "")
    return Row(
        kind, name, number, cells[0], cells[1], cells[3], condition, attribute,
        cells[14], _table_name(cells[15]), cells[16][:160],
    )  # fmt: skip


def _table_name(cell: str) -> str:
    return re.sub(r"[ /]", "", cell)


def _segment(name: str, number: int, cells: list[str]) -> Row | None:
    return _element("segment", name, number, cells)


def _datatype(name: str, number: int, cells: list[str]) -> Row | None:
    return _element("datatype", name, number, cells)


def _code(name: str, number: int, cells: list[str]) -> Row | None:
    v2, fhir = cells[0], cells[6]
    if not (v2 and fhir):
        return None
    system = next((cell for cell in cells[7:] if "://" in cell or cell.startswith("urn:")), "")
    return Row("code", name, number, "", v2, "", cells[3], fhir, "", "", system)


_READERS = {"message": _message, "segment": _segment, "datatype": _datatype, "code": _code}
