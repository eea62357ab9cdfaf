"""What goes out asks for the acknowledgments of its receiver's profile, whatever its prior message asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector import Translator
from connector.hl7v2.tree import Message
from connector.mapping import Envelope
from tests.mapping.profiles import translator

TO = '[v2.to]\nhost = "his"\nport = 2575\nreceiving_application = "HIS"\nreceiving_facility = "STV"\n'
ENHANCED = '[v2.to.acknowledgments]\naccept = "AL"\napplication = "SU"\ndelivered = "application"\n'
PRIOR = (
    "MSH|^~\\&|HIS|STV|CON|DEMO|20261123101500+0100||ADT^A01|1|P|2.5.1|17|18|NE|AL\r"
    "PID|1||H1^^^STV^MR||Smith^Anna\r"
)


def header(using: Translator, prior: str | None) -> list[str]:
    """MSH-13 to MSH-16 of the message that goes out."""
    said = using.to_fhir(PRIOR)
    made = using.to_v2(said.bundle, prior, envelope=Envelope("ADT^A08", "C1", "20261124"))
    return [Message.parse(made.message).msh.field(number) for number in range(13, 17)]


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["anew", "over a prior"])
def test_msh_15_and_16_are_those_of_the_profile(tmp_path: Path, prior: str | None) -> None:
    assert header(translator(tmp_path, TO + ENHANCED), prior) == ["", "", "AL", "SU"]
    assert header(translator(tmp_path, TO), prior) == ["", "", "", ""]


def test_a_message_that_goes_back_as_it_was_keeps_its_own(tmp_path: Path) -> None:
    using = translator(tmp_path, TO + ENHANCED)
    assert using.to_v2(using.to_fhir(PRIOR).bundle, PRIOR).message == PRIOR
