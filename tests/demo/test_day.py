"""The shipped day can be read, says what its README says, and is valid HL7 where it means to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from connector.demo.messages import control_id, kind, split, text_of
from connector.demo.rows import day
from connector.demo.show import DAY

FILES = sorted(path.name for path in DAY.glob("*.hl7"))
BROKEN = "10-broken.hl7"


def one(name: str) -> bytes:
    (message,) = split((DAY / name).read_bytes())
    return message


def judge(name: str) -> None:
    message = parse_message(text_of(one(name)), validation_level=VALIDATION_LEVEL.STRICT)
    message.validate()


@pytest.mark.parametrize("name", [name for name in FILES if name != BROKEN])
def test_a_message_of_the_day_is_valid_hl7(name: str) -> None:
    judge(name)


def test_the_broken_one_is_broken() -> None:
    with pytest.raises(HL7apyException):
        judge(BROKEN)
    assert "PID" not in text_of(one(BROKEN))


def test_the_day_holds_every_event_and_segment_that_it_promises() -> None:
    kinds = {kind(one(name)) for name in FILES}
    assert kinds == {
        *("ADT^A01", "ADT^A02", "ADT^A03", "ADT^A04", "ADT^A08", "ADT^A28", "ADT^A31"),
        "ORU^R01",
    }
    segments = {line[:3] for name in FILES for line in text_of(one(name)).split("\r")}
    wanted = "MSH EVN PID PD1 NK1 PV1 PV2 AL1 DG1 PR1 IN1 OBR ORC OBX NTE ZPI"
    assert set(wanted.split()) <= segments


def test_the_result_has_ten_observations_of_ten_types() -> None:
    types = [
        line.split("|")[2] for line in text_of(one("05-lab-result.hl7")).split("\r") if line[:3] == "OBX"
    ]
    assert types == ["NM", "SN", "ST", "TX", "FT", "CE", "CWE", "DT", "TM", "TS"]


def test_the_latin_one_is_stored_in_the_charset_it_names() -> None:
    content = one("07-person-latin1.hl7")
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    assert "Märchen^Jörg" in text_of(content)
    assert "|8859/1\r" in text_of(content)


def test_the_duplicate_is_the_earlier_one_byte_for_byte() -> None:
    assert one("09-duplicate.hl7") == one("03-update-phone.hl7")


def test_control_ids_are_used_once_but_for_the_duplicate() -> None:
    used = [control_id(one(name)) for name in FILES]
    assert len(used) - len(set(used)) == 1


def test_the_readme_tells_of_every_file() -> None:
    readme = (DAY / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in FILES)


def test_the_day_comes_in_the_order_of_the_names() -> None:
    assert [name for name, _ in day()] == FILES
    assert isinstance(DAY, Path)
