"""What ORC-1 says of an order: of one that is changed, of one that stays, and of previous results."""

from __future__ import annotations

import pytest

from connector.mapping import Outgoing, Translator
from connector.mapping.translator import Envelope
from tests.mapping.profiles import Json, lawful, message, of_type, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||1^^^H^MR"
TWO = (PID, "ORC|NW|P1", "OBR|1|P1||T1^Test^L", "ORC|NW|P2", "OBR|2|P2||T2^Test^L")


def _orders(bundle: Json) -> dict[str, Json]:
    return {one["identifier"][0]["value"]: one for one in of_type(bundle, "ServiceRequest")}


def _controls(text: str) -> list[str]:
    return [line.split("|")[1] for line in text.split("\r") if line.startswith("ORC")]


def test_only_the_order_that_changed_is_changed() -> None:
    text = message(*TWO, event="OML^O21^OML_O21")
    bundle = lawful(MADE, text)
    _orders(bundle)["P2"]["code"]["coding"][0]["display"] = "Another"
    made = MADE.to_v2(bundle, text, envelope=Envelope("OML^O21", "C2", "20261103"))
    assert _controls(made.message) == ["NW", "XO"]


def test_an_order_whose_details_are_new_is_changed() -> None:
    text = message(*TWO, event="OML^O21^OML_O21")
    bundle = lawful(MADE, text)
    _orders(bundle)["P1"]["note"] = [{"text": "fasting"}]
    made = MADE.to_v2(bundle, text, envelope=Envelope("OML^O21", "C2", "20261103"))
    assert _controls(made.message) == ["XO", "NW"]


def test_orders_of_which_nothing_changed_stay_as_they_were() -> None:
    text = message(*TWO, event="OML^O21^OML_O21")
    made = MADE.to_v2(lawful(MADE, text), text, envelope=Envelope("OML^O21", "C2", "20261103"))
    assert _controls(made.message) == ["NW", "NW"]


def test_the_order_of_previous_results_is_not_active() -> None:
    text = message(PID, "ORC|PR|P1", "OBR|1|P1||T1^Test^L", event="OML^O21^OML_O21")
    bundle = lawful(MADE, text)
    assert only(bundle, "ServiceRequest")["status"] == "unknown"
    assert _controls(MADE.to_v2(bundle).message) == ["PR"]


@pytest.mark.parametrize(
    ("version", "kind"), [("2.3.1", "TS"), ("2.5.1", "TS"), ("2.6", "DTM"), ("2.8.2", "DTM")]
)
def test_a_time_that_was_observed_has_the_type_of_the_version(version: str, kind: str) -> None:
    using = Translator(MADE.atlas, Outgoing(version=version))
    text = message(
        PID, "OBR|1|P1||T1^Test^L", "OBX|1|DTM|C1^Seen^L||20240101120000+0000||||||F", event="ORU^R01"
    )
    back = using.to_v2(using.to_fhir(text).bundle).message
    assert [line.split("|")[2] for line in back.split("\r") if line.startswith("OBX")] == [kind]
    assert MADE.to_v2(MADE.to_fhir(text).bundle, text).message == text
