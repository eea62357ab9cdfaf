"""Every shipped code table is read by a map, so that a profile which extends it changes what is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector.mapping import Translator
from connector.mapping.bound import compile_rows
from connector.mapping.codes import CodeTable, names
from connector.mapping.compiled import Atlas
from connector.mapping.messages.registry import MESSAGE_MAPS
from connector.mapping.partner import Partner
from connector.mapping.units import Segments
from tests.mapping.profiles import message, only

# Tables that no row binds, and why they are shipped all the same.
_NOT_BOUND: Final[Mapping[str, str]] = {
    "HL70003": "events are said by their own code; the table has their names",
    "HL70003-status": "read by segments/pv1.py, for the event decides the status",
    "HL70004-status": "of the classes only PRENC decides the status: segments/pv1.py",
    "HL70127": "the type of allergen is kept in its own code beside category and type",
    "HL70128": "the severity is kept in its own code beside the criticality",
    "HL70128-severity": "AL1-4 is said as the criticality; how strong a reaction was is not what it says",
    "HL70185": "a code says which telecom is preferred: segments/preferred.py",
    "HL70396": "read by systems.py",
}


@dataclass(frozen=True)
class _Asked(Partner):
    """A partner that remembers which tables it was asked for."""

    asked: set[str] = field(default_factory=set)

    def table(self, name: str) -> CodeTable:
        self.asked.add(name)
        return super().table(name)


def _bound() -> set[str]:
    partner = _Asked()
    for row in _rows():
        compile_rows(row.rows, partner) if isinstance(row, Segments) else row.compile(partner)
    return partner.asked


def _rows() -> Iterator[Any]:
    rows = [row for each in MESSAGE_MAPS for unit in each.units for one in unit.maps for row in one.rows]
    yield from {id(row): row for row in rows}.values()


def test_every_table_is_read_by_a_row_or_has_a_reason() -> None:
    assert set(names()) - _bound() == _NOT_BOUND.keys()


def test_what_a_profile_adds_to_a_table_is_said_and_comes_back() -> None:
    own = {
        "HL70207": {"Q": "T"},
        "HL70399": {"D": "DEU"},
        "HL70301": {"OID": "ISO"},
        "HL70136": {"J": "true"},
    }
    tables = {name: CodeTable.load(name).extended(codes) for name, codes in own.items()}
    made = Translator(Atlas(Partner(tables=tables)))
    text = message("PID|1||1^^^H^MR", event="ADT^A01^ADT_A01")
    header, *rest = text.split("\r")
    fields = [*header.split("|"), *[""] * 9][:17]
    fields[3], fields[10], fields[16] = "Fac^1.2.3^OID", "P^Q", "D"
    bundle = made.to_fhir("\r".join(("|".join(fields), *rest))).bundle
    head = only(bundle, "MessageHeader")
    assert {"system": "http://terminology.hl7.org/CodeSystem/v2-0207", "code": "T"} in head["meta"]["tag"]
    sender = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Organization")
    assert sender["address"] == [{"country": "DEU"}]
    assert sender["identifier"][0]["type"]["coding"][0]["code"] == "ISO"
    back = made.to_v2(bundle).message.split("\r")[0].split("|")
    assert (back[3], back[10], back[16]) == ("Fac^1.2.3^ISO", "P^T", "DEU")
