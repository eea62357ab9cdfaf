"""PPR: problems, goals and pathways, and the way back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type
from tests.shipped import TRANSLATOR as MADE

CODES = "http://terminology.hl7.org/CodeSystem/"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
PID = "PID|1||1^^^H^MR||Berg^Eva"
GOL = "GOL|AD|20260501|G1^Lower^L|G9^EHR|||20260401|20270101||||||||A^achieved^L||active|20260501"
PTH = "PTH|AD|PW1^Pathway^L|X1^EHR|20260501|active"
OBX = "OBX|1|NM|8480-6^Systolic^LN||120||||||F"


def prb(number: str = "P1", **fields: str) -> str:
    """A PRB with these fields, ``f14="resolved"``."""
    texts = {1: "AD", 2: "20260501", 3: "I10^Hypertension^I10", 4: f"{number}^EHR"}
    texts |= {int(name[1:]): text for name, text in fields.items()}
    return "|".join(("PRB", *(texts.get(n, "") for n in range(1, max(texts) + 1))))


def ppr(*segments: str) -> str:
    return message(PID, *segments, event="PPR^PC1")


def problem(text: str) -> Json:
    return of_type(lawful(MADE, text), "Condition")[0]


def code(concept: Any, system: str) -> str:
    return next(one["code"] for one in concept["coding"] if one.get("system") == CODES + system)


def test_a_problem_is_an_entry_of_the_problem_list() -> None:
    said = problem(ppr(prb(f5="E1^EHR", f7="20260401", f16="20250101", f26="S^Severe^L")))
    assert code(said["category"][0], "condition-category") == "problem-list-item"
    assert said["code"]["coding"][0]["code"] == "I10"
    assert [one["value"] for one in said["identifier"]] == ["P1", "E1"]
    assert (said["recordedDate"], said["onsetDateTime"]) == ("2026-05-01", "2025-01-01")
    assert said["extension"][0]["valueDateTime"] == "2026-04-01"
    assert said["severity"]["coding"][0]["code"] == "S"


def test_its_status_is_fhirs_own_word_beside_the_senders() -> None:
    said = problem(ppr(prb(f13="confirmed^Confirmed^LOCAL", f14="active")))
    assert [one["code"] for one in said["verificationStatus"]["coding"]] == ["confirmed", "confirmed"]
    assert code(said["verificationStatus"], "condition-ver-status") == "confirmed"
    assert said["clinicalStatus"]["coding"] == [{"system": CODES + "condition-clinical", "code": "active"}]


def test_a_status_that_fhir_does_not_know_is_listed() -> None:
    text = ppr(prb(f13="maybe", f14="sleeping"))
    assert not problem(text).keys() & {"verificationStatus", "clinicalStatus"}
    assert {"PRB-13", "PRB-14"} <= {*MADE.to_fhir(text).lost}


def test_a_problem_that_is_deleted_was_an_error() -> None:
    text = ppr(prb(f1="DE", f13="confirmed", f14="active"))
    said = problem(text)
    assert code(said["verificationStatus"], "condition-ver-status") == "entered-in-error"
    assert "clinicalStatus" not in said
    lost = MADE.to_fhir(text).lost
    assert {"PRB-13", "PRB-14"} <= {*lost}
    assert "PRB-1" not in lost


def test_a_problem_that_has_ended_is_resolved_unless_it_is_said_how() -> None:
    assert code(problem(ppr(prb(f9="20260430")))["clinicalStatus"], "condition-clinical") == "resolved"
    said = problem(ppr(prb(f9="20260430", f14="remission")))
    assert code(said["clinicalStatus"], "condition-clinical") == "remission"


def test_a_problem_that_goes_on_has_no_end() -> None:
    text = ppr(prb(f9="20260430", f14="active"))
    assert "abatementDateTime" not in problem(text)
    assert "PRB-9" in MADE.to_fhir(text).lost


def test_words_about_the_onset_stand_where_no_date_does() -> None:
    assert problem(ppr(prb(f17="as a child")))["onsetString"] == "as a child"


def test_goals_and_pathways_address_their_problem() -> None:
    made = lawful(MADE, ppr(prb(), PTH, GOL, prb("P2"), "GOL|AD|20260501|G2^Sleep^L"))
    first, second = (f"Condition/{one['id']}" for one in of_type(made, "Condition"))
    assert [one["addresses"] for one in of_type(made, "Goal")] == [
        [{"reference": first}],
        [{"reference": second}],
    ]
    assert of_type(made, "CarePlan")[0]["addresses"] == [{"reference": first}]


def test_a_goal_has_its_dates_and_how_it_stands() -> None:
    goal = of_type(lawful(MADE, ppr(prb(), GOL, "NTE|1||ask again")), "Goal")[0]
    assert goal["description"]["coding"][0]["code"] == "G1"
    assert (goal["startDate"], goal["statusDate"], goal["lifecycleStatus"]) == (
        "2026-04-01",
        "2026-05-01",
        "active",
    )
    assert goal["target"] == [{"dueDate": "2027-01-01"}]
    assert goal["achievementStatus"]["coding"][0]["code"] == "A"
    assert goal["note"] == [{"text": "ask again"}]


def test_how_a_goal_stands_is_not_made_up() -> None:
    goal = of_type(lawful(MADE, ppr(prb(), "GOL|AD|20260501|G2^Sleep^L")), "Goal")[0]
    assert goal["_lifecycleStatus"] == {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}


def test_a_goal_or_pathway_that_is_deleted_was_an_error() -> None:
    made = lawful(MADE, ppr(prb(), PTH.replace("AD", "DE"), GOL.replace("AD", "DE")))
    assert of_type(made, "Goal")[0]["lifecycleStatus"] == "entered-in-error"
    assert of_type(made, "CarePlan")[0]["status"] == "entered-in-error"


def test_what_is_observed_behind_a_goal_tells_how_far_it_is_reached() -> None:
    made = lawful(MADE, ppr(prb(), OBX, GOL, OBX.replace("120", "140"), prb("P2")))
    _, measured = of_type(made, "Observation")
    (goal,) = of_type(made, "Goal")
    assert goal["outcomeReference"] == [{"reference": f"Observation/{measured['id']}"}]


def test_a_result_of_an_order_is_the_reports() -> None:
    made = lawful(MADE, ppr(prb(), GOL, "ORC|RE", "OBR|1|O1^EHR||BP^Pressure^L", OBX))
    assert "outcomeReference" not in of_type(made, "Goal")[0]
    assert len(of_type(made, "DiagnosticReport")[0]["result"]) == 1


@pytest.mark.parametrize("field", [3, 10, 13, 14, 26])
def test_an_edit_touches_its_own_field_only(field: int) -> None:
    names = {3: "code", 10: "category", 13: "verificationStatus", 14: "clinicalStatus", 26: "severity"}
    text = ppr(prb(f10="C^Chronic^L", f13="confirmed", f14="active", f26="S^Severe^L"))
    bundle = MADE.to_fhir(text).bundle
    condition = of_type(bundle, "Condition")[0]
    new: Any = {"coding": [{"system": "urn:id:L", "code": "NEW"}]}
    if field == 13:
        new = {"coding": [{"system": CODES + "condition-ver-status", "code": "refuted"}]}
    if field == 14:
        new = {"coding": [{"system": CODES + "condition-clinical", "code": "relapse"}]}
    condition[names[field]] = [new, condition["category"][-1]] if field == 10 else new
    before, after = (one.split("\r")[2].split("|") for one in (text, MADE.to_v2(bundle, text).message))
    assert [n for n, (one, other) in enumerate(zip(before, after)) if one != other] == [field]
