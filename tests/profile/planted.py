"""The demo profile with a fault put in: what replaces what, what is said, and at which line."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent.parent
DEMO: Final = ROOT / "profiles" / "demo" / "profile.toml"
MARK: Final = "#!"


class Planted(NamedTuple):
    """``old`` gives way to ``new``, whose line with the mark (or the first) is at fault."""

    old: str
    new: str
    said: str  # within the text of the fault
    spans: bool = False  # the fault lies between several keys, so a schema cannot see it


def text_of(planted: Planted) -> str:
    """The profile with the fault."""
    text = DEMO.read_text()
    assert text.count(planted.old) == 1, planted.old
    return text.replace(planted.old, planted.new)


def line_of(planted: Planted) -> int:
    """The line of the fault, from 1."""
    text = text_of(planted)
    at = text.index(MARK) if MARK in text else DEMO.read_text().index(planted.old)
    return text.count("\n", 0, at) + 1


_ZERO: Final = "0" * 64
FAULTS: Final = (
    Planted('name = "demo"\n', 'name = "Demo" #!\n', "lowercase letters"),
    Planted('name = "demo"\n', "name = 7 #!\n", "text in quotes"),
    Planted('name = "demo"\n', 'name = "demo"\nnmae = "x" #!\n', 'did you mean "name"?'),
    Planted('time_zone = "Europe/Vienna"', 'time_zone = "Europe/Wien"', "IANA", spans=True),
    Planted('time_zone = "Europe/Vienna"', 'timezone = "Europe/Vienna"', 'did you mean "time_zone"?'),
    Planted('charset = "UNICODE UTF-8"      ', 'charset = "8859/12" #!', "table 0211", spans=True),
    Planted('"2.4", "2.5", ', '"2.4",\n"2.9", #!\n"2.5", ', "2.1 to 2.8.2"),
    Planted('"ADT^A01", "ADT^A02"', '"ADT^A01",\n"ADT_A02" #!\n', "such as ADT^A01"),
    Planted('processing_ids = ["P"]', 'processing_ids = ["X"]', "P (production)"),
    Planted('processing_ids = ["P"]', 'processing_ids = "P"', "write a list"),
    Planted('conformance = "lenient"', 'conformance = "loose"', "'lenient' or 'strict'"),
    Planted('unreadable = "nack"', 'unreadable = "drop"', "'nack' or 'close'"),
    Planted('acknowledgment = "by-message"', 'acknowledgment = "none"', "'by-message'"),
    Planted(f'["sha256:{_ZERO[:-1]}1"]', f'[\n"sha256:{"A" * 64}" #!\n]', "64 lowercase hex digits"),
    Planted(f'[v2.from] # who may speak for the hospital\ncertificates = ["sha256:{_ZERO[:-1]}1"]',
            "[v2.from] #!", "nobody may speak", spans=True),
    Planted('applications = ["STVADT", ', 'applications = ["STV^ADT", ', "delimiters"),
    Planted('host = "localhost"', 'host = "local host"', "host name"),
    Planted("port = 2576", 'port = "2576"', "without quotes"),
    Planted("port = 2576", "port = 65536", "65535 or less"),
    Planted("port = 2576", "port = true", "whole number"),
    Planted("[v2.to] # where the hospital listens\nhost", "[v2.to] #!\n# host", "host is missing"),
    Planted("acknowledgment_seconds = 30", "acknowledgment_seconds = 0", "more than 0"),
    Planted('base = "https://localhost:8444', 'base = "http://localhost:8444', "only https", spans=True),
    Planted('base = "https://localhost:8444', 'base = "https://user@localhost:8444', "https://host:port"),
    Planted('delivery = "transaction"', 'delivery = "mail"', "'transaction', 'batch'"),
    Planted('delivery = "transaction"', 'omit = ["Provenace"]', "no such resource type", spans=True),
    Planted('key = "../../client.key.json"', 'key = ""', "path of a file"),
    Planted('scope = "system/*.cruds"', 'scope = "a  b"', "single spaces"),
    Planted('analyst = ["system/*.cruds"]', 'analyst = ["system/*.uc"]', "order cruds"),
    Planted('analyst = ["system/*.cruds"]', "analyst = []", "may do nothing", spans=True),
    Planted("certificate_bound = true", 'algorithms = ["none"]', "'ES256'"),
    Planted("certificate_bound = true", "certificate_bound = 1", "true or false"),
    Planted('drop = ["PID-19"]', 'drop = ["PID.19"]', "such as PID-19"),
    Planted('drop = ["PID-19"]', 'dorp = ["PID-19"]', 'did you mean "drop"?'),
    Planted('drop = ["PID-19"]', 'default = { "PV1-2.0" = "I" }', "a place in v2"),
    Planted('drop = ["PID-19"]', 'default = { "PV1-2" = "" }', "not empty"),
    Planted('drop = ["PID-19"]', 'move = { "PID-18.1" = "PID-3" }', "a field of v2"),
    Planted('drop = ["PID-19"]', 'move."PID-4" = "PID-3"\nmove."PID-2" = "PID-3" #!', "way back", spans=True),
    Planted('drop = ["PID-19"]', 'move."PID-2" = "PID-4" #!\nmove."PID-4" = "PID-3"', "moves on", spans=True),
    Planted('drop = ["PID-19"]', 'drop = ["PID"]\nconstant."PID-5.1" = "x" #!', "is dropped", spans=True),
    Planted('from = "ZPI-5"', 'from = "PID-19.1"', "is dropped", spans=True),
    Planted('STV = "urn:oid:2.999.1.1"', 'STV = "2.999.1.1"', "a URI such as"),
    Planted('STVBG = "urn:oid:2.999.1.2.2"', 'STVBG = "urn:oid:2.999.1.2.1"', "no way back", spans=True),
    Planted("[mapping.codes.HL70001]", "[mapping.codes.sex] #!", "such as HL70001"),
    Planted('9 = "unknown"', "9 = 0", "text in quotes"),
    Planted('type = "CodeableConcept"', 'type = "Coding"', "'CodeableConcept'"),
    Planted('type = "CodeableConcept"', 'typ = "string"', 'did you mean "type"?'),
    Planted('from = "ZPI-5"', 'from = "ZPI-2"', "said twice", spans=True),
    Planted('from = "ZPI-5"', 'from = "ZPI"', "ZPI-3.1.2"),
    Planted('system = "urn:oid:2.999.1.3"', 'system = ""', "a URI such as"),
    Planted("[[mapping.identifier]] # the number of the patient's locker card\nfrom",
            "[[mapping.identifier]] #!\n# from", "from is missing"),
    Planted('"Patient.create" = "ADT^A28"', '"Patient.created" = "ADT^A28"', "no such change", spans=True),
    Planted('"Patient.create" = "ADT^A28"', '"Patiens.create" = "ADT^A28"', "no such resource", spans=True),
    Planted('"Patient.create" = "ADT^A28"', 'Patient.create = "ADT^A28"', "a change in quotes"),
    Planted('"Encounter.update" = "ADT^A08"', '"Encounter.arived" = "ADT^A08"', "arrived", spans=True),
    Planted('"Encounter.update" = "ADT^A08"', '"Encounter.update" = "ADT^*"', 'such as ADT^A08, or ""'),
    Planted("[identity]", '[limits]\nsegments = 1.5 #!\n[identity]', "whole number"),
    Planted("[identity]", "[retry]\nfactor = nan #!\n[identity]", ""),
    Planted("[identity]", "[retry]\nmost_seconds = 0.1 #!\n[identity]", "shorter than the first", spans=True),
    Planted("[identity]", "[retrying] #!\n[identity]", 'did you mean "retry"?'),
)  # fmt: skip
