"""IN1-2: the numbers of a plan, by each coding system that names it (guide: CWE[Identifier])."""

from __future__ import annotations

from tests.mapping.profiles import Json, lawful, message, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||1^^^H^MR||Roe^Ann"
PLAN = "IN1|1|V1^^S1^V4^^S6^^^^V10^^S12||Payor"


def insured(plan: str) -> str:
    return message(PID, "PV1|1|I", plan, event="ADT^A01^ADT_A01")


def coverage(plan: str) -> Json:
    return only(lawful(MADE, insured(plan)), "Coverage")


def test_each_triple_is_a_number_and_those_behind_the_first_are_secondary() -> None:
    assert coverage(PLAN)["identifier"] == [
        {"value": "V1", "system": "urn:id:S1"},
        {"value": "V4", "system": "urn:id:S6", "use": "secondary"},
        {"value": "V10", "system": "urn:id:S12", "use": "secondary"},
    ]
    made = MADE.to_fhir(insured(PLAN))
    assert not [at for at in made.lost if at.startswith("IN1")]
    assert PLAN in MADE.to_v2(made.bundle).message.split("\r")


def test_a_text_and_a_system_without_a_number_are_listed() -> None:
    made = MADE.to_fhir(insured("IN1|1|V1^Text^S1^^Other^S6||Payor"))
    assert [at for at in made.lost if at.startswith("IN1")] == ["IN1-2.2", "IN1-2.5", "IN1-2.6"]


def test_another_second_number_touches_nothing_else() -> None:
    text = insured("IN1|1|V1^Text^S1^V4^Other^S6||Payor")
    bundle = MADE.to_fhir(text).bundle
    only(bundle, "Coverage")["identifier"][1]["value"] = "V5"
    assert MADE.to_v2(bundle, text).message == text.replace("V4", "V5")


def test_a_number_of_the_policy_stays_apart_from_the_second_of_the_plan() -> None:
    plan = "IN1|1|V1^^S1^V4^^S6||Payor" + "|" * 50 + "C9^^^P"
    found = [one["value"] for one in coverage(plan)["identifier"]]
    assert sorted(found) == ["C9", "V1", "V4"]
    assert plan in MADE.to_v2(MADE.to_fhir(insured(plan)).bundle).message.split("\r")
