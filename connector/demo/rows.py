"""From the partners' records and the connector's listing to the rows of the table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from connector.demo.messages import control_id, kind, split, text_of
from connector.demo.show import DAY, Row
from connector.demo.status import Listed

Line = dict[str, Any]
_NOTES: Final = {
    "06-z-segment": "with a Z segment",
    "07-person-latin1": "in ISO 8859-1",
    "09-duplicate": "a duplicate: answered again, delivered once",
    "10-broken": "PID is missing: refused",
}


def day() -> Iterator[tuple[str, bytes]]:
    """The files of the shipped day, in their order."""
    for path in sorted(DAY.glob("*.hl7")):
        yield path.name, path.read_bytes()


def said_before(message: str) -> str | None:
    """The last ADT message of the hospital about the same patient, where this one is an ADT."""
    if "|ADT^" not in message:
        return None
    number = _record_number(message)
    known: dict[str, str] = {}
    for _, content in day():
        for one in split(content):
            known.setdefault(control_id(one), text_of(one))  # a duplicate says nothing new
    same = [m for m in known.values() if "|ADT^" in m and _record_number(m) == number]
    return same[-1] if same else None


def lines(path: Path) -> list[Line]:
    """The whole lines of a JSON-lines file that another process writes."""
    content = path.read_bytes() if path.exists() else b""
    return [json.loads(line) for line in content.rpartition(b"\n")[0].splitlines()]


def _record_number(message: str) -> str:
    pid = next((line for line in message.split("\r") if line.startswith("PID|")), "PID|||")
    return pid.split("|")[3].split("^")[0]


def rows_to_fhir(sent: list[Line], listed: Sequence[Listed], sizes: Sequence[int] = ()) -> Iterator[Row]:
    """What the hospital sent; the k-th new message that was taken is the k-th that the connector lists.

    ``sizes``: how many resources the k-th delivery to the FHIR side had.
    """
    taken = _taken(listed, "to_fhir", sizes)
    kinds = {name: kind(split(content)[0]) for name, content in day()}
    known: set[str] = set()
    for line in sent:
        new = line["ack"] in ("AA", "CA") and line["control_id"] not in known
        known.add(line["control_id"])
        row = Row(line["at"], "to_fhir", kinds.get(line["file"], ""), line["control_id"], line["ack"])
        row.note = _NOTES.get(line["file"].removesuffix(".hl7"), "") or " ".join(line["errors"])
        yield _completed(row, next(taken, None) if new else None)


def rows_to_v2(received: list[Line], listed: Sequence[Listed], sizes: Sequence[int] = ()) -> Iterator[Row]:
    """What the hospital received, in its order."""
    taken = _taken(listed, "to_v2", sizes)
    for line in received:
        message = kind(line["message"].encode())
        row = Row(
            line["at"], "to_v2", message, line["control_id"], "AA", "sent again" if line["repeat"] else ""
        )
        yield _completed(row, None if line["repeat"] else next(taken, None))


def _taken(
    listed: Sequence[Listed], direction: str, sizes: Sequence[int]
) -> Iterator[tuple[Listed, int | None]]:
    return zip_longest((one for one in listed if one.direction == direction), sizes)


def _completed(row: Row, taken: tuple[Listed, int | None] | None) -> Row:
    if taken is not None and taken[0] is not None:
        row.resources = taken[1]
        row.lost, row.delivered = taken[0].lost, taken[0].state == "delivered"
    return row
