"""What ADT says of diagnoses, procedures, insurances and guarantors, each with its way back."""

from __future__ import annotations

from tests.mapping.profiles import lawful, lines, message, of_type, only
from tests.mapping.test_adt_segments import PID, SD, at, edited, extension, pid
from tests.shipped import TRANSLATOR as MADE

# --- DG1 and PR1 -------------------------------------------------------------------------------------------


def test_a_diagnosis_may_follow_from_another() -> None:
    text = message(PID, at("DG1", _1="1", _3="I50^^I10", _17="D", _19="20260101", _22="D0^H"))
    condition = only(lawful(MADE, text), "Condition")
    due = extension(condition, SD + "condition-dueTo")["valueReference"]
    assert due == {"type": "Condition", "identifier": {"value": "D0", "system": "urn:id:H"}}
    assert extension(condition, SD + "condition-assertedDate")["valueDateTime"] == condition["recordedDate"]
    assert condition["category"][0]["coding"][0]["code"] == "D"


def test_a_procedure_that_lasts_has_a_period() -> None:
    text = message(PID, at("PR1", _1="1", _3="P1^Cut^L", _5="202601012350", _7="45"))
    period = only(lawful(MADE, text), "Procedure")["performedPeriod"]
    assert (period["start"][:16], period["end"][:16]) == ("2026-01-01T23:50", "2026-01-02T00:35")
    later = {**period, "end": period["end"].replace("T00:35", "T01:05")}
    assert lines(edited(text, "Procedure", performedPeriod=later))["PR1"].split("|")[5:8] == [
        "202601012350", "", "75"
    ]  # fmt: skip


def test_minutes_after_a_day_are_lost_and_named() -> None:
    made = MADE.to_fhir(message(PID, at("PR1", _1="1", _3="P1", _5="20260101", _7="45")))
    assert only(made.bundle, "Procedure")["performedDateTime"] == "2026-01-01"
    assert "PR1-7" in made.lost


def test_who_did_a_procedure_has_the_function_that_snomed_knows() -> None:
    text = message(PID, at("PR1", _1="1", _3="P1", _8="1^Gas", _11="2^Cut", _12="3^Aid"))
    performers = only(lawful(MADE, text), "Procedure")["performer"]
    codes = [one.get("function", {}).get("coding", [{}])[0].get("code") for one in performers]
    assert codes == ["88189002", "304292004", None]


def test_modifiers_stand_behind_the_code_they_modify() -> None:
    text = message(PID, at("PR1", _1="1", _3="99213^Visit^C4", _5="20260101", _16="25~59"))
    assert only(lawful(MADE, text), "Procedure")["code"]["coding"][0]["code"] == "99213:25:59"
    alone = MADE.to_v2(MADE.to_fhir(text).bundle).message
    assert lines(alone)["PR1"].split("|")[16] == "25~59"


def test_a_procedure_may_be_part_of_another_and_be_taken_back() -> None:
    text = message(PID, at("PR1", _1="1", _3="P1", _19="B^H", _20="D", _25="A^H"))
    procedure = only(lawful(MADE, text), "Procedure")
    assert procedure["partOf"][0]["identifier"] == {"value": "A", "system": "urn:id:H"}
    assert procedure["status"] == "entered-in-error"


def test_whether_a_procedure_was_done_v2_does_not_say() -> None:
    assert only(MADE.to_fhir(message(PID, "PR1|1||P1^Cut")).bundle, "Procedure")["status"] == "unknown"


# --- IN1, IN2 and GT1 --------------------------------------------------------------------------------------


def test_who_is_insured_himself_is_the_subscriber() -> None:
    made = MADE.to_fhir(message(PID, at("IN1", _1="1", _16="Doe^Jo", _17="SEL", _36="P-9")))
    coverage, patient = only(made.bundle, "Coverage"), only(made.bundle, "Patient")
    assert coverage["subscriber"] == {"reference": f"Patient/{patient['id']}"}
    assert not of_type(made.bundle, "RelatedPerson")
    assert "IN1-16" not in made.lost
    other = MADE.to_fhir(message(PID, at("IN1", _1="1", _16="Roe^Jo", _17="SEL", _36="P-9")))
    assert "IN1-16" in other.lost


def test_the_group_its_holder_and_the_insureds_own_number_are_told_apart() -> None:
    segment = at(
        "IN1", _1="1", _8="G", _9="Group", _10="O1~O2", _11="ACME", _22="2", _44="Road 1^^Town", _49="S1"
    )
    bundle = lawful(MADE, message(PID, segment))
    coverage = only(bundle, "Coverage")
    holder = next(one for one in of_type(bundle, "Organization") if one.get("name") == "ACME")
    assert coverage["policyHolder"] == {"reference": f"Organization/{holder['id']}"}
    assert [one["value"] for one in holder["identifier"]] == ["O1", "O2"]
    assert (coverage["class"][0]["name"], coverage["order"]) == ("Group", 2)
    own = MADE.to_fhir(message(PID, at("IN1", _1="1", _10="S1^^^^SN"))).bundle
    assert "policyHolder" not in only(own, "Coverage")
    assert only(own, "Coverage")["extension"][0]["valueIdentifier"]["value"] == "S1"


def test_an_insurer_is_at_nobodys_home() -> None:
    made = MADE.to_fhir(message(PID, at("IN1", _1="1", _4="ACME", _5="Road 1^^Town^^^^H", _7="555^PRN")))
    acme = next(one for one in of_type(made.bundle, "Organization") if one.get("name") == "ACME")
    assert ("use" in acme["address"][0], acme["telecom"][0]["use"]) == (False, "work")
    assert {"IN1-5.7", "IN1-7.2"} <= {*made.lost}


def test_further_numbers_of_an_insurance_say_what_they_are() -> None:
    text = message(
        PID, at("IN1", _1="1", _16="Roe^Al", _17="FTH"), at("IN2", _2="999", _6="MC1", _61="M1^^^H")
    )
    bundle = lawful(MADE, text)
    types = [one["type"]["coding"][0]["code"] for one in only(bundle, "Coverage")["identifier"]]
    assert types == ["MC", "MB"]
    assert only(bundle, "RelatedPerson")["identifier"][0]["value"] == "999"


def test_a_guarantor_is_related_and_answers_for_the_account() -> None:
    segment = at("GT1", _1="1", _2="G1", _3="Roe^Al", _6="555", _11="FTH", _13="2026")
    bundle = lawful(MADE, message(pid(_18="ACC1"), segment))
    guarantor, account = only(bundle, "RelatedPerson"), only(bundle, "Account")
    assert guarantor["relationship"][-1]["coding"][0]["code"] == "GUAR"
    assert account["guarantor"] == [
        {"party": {"reference": f"RelatedPerson/{guarantor['id']}"}, "period": {"start": "2026"}}
    ]


def test_a_guarantor_without_an_account_is_related_all_the_same() -> None:
    made = MADE.to_fhir(message(PID, at("GT1", _1="1", _3="Roe^Al", _13="2026")))
    assert len(of_type(made.bundle, "RelatedPerson")) == 1
    assert "GT1-13" in made.lost


ACCOUNT = pid(_18="ACC1")


def test_a_guarantor_may_be_an_organization() -> None:
    segment = at("GT1", _1="1", _2="G2", _5="Road 1^^Town", _7="556^WPN", _13="2026", _21="ACME", _22="Y")
    bundle = lawful(MADE, message(ACCOUNT, segment))
    acme = next(one for one in of_type(bundle, "Organization") if one.get("name") == "ACME")
    assert acme["type"][0]["coding"][0]["code"] == "GUAR"
    assert (acme["identifier"], acme["address"][0]["city"]) == ([{"value": "G2"}], "Town")
    assert only(bundle, "Account")["guarantor"] == [
        {"party": {"reference": f"Organization/{acme['id']}"}, "period": {"start": "2026"}, "onHold": True}
    ]
    assert not of_type(bundle, "RelatedPerson")


def test_of_a_person_and_an_organization_the_person_is_the_guarantor() -> None:
    made = MADE.to_fhir(message(ACCOUNT, at("GT1", _1="1", _3="Roe^Al", _21="ACME")))
    assert len(of_type(made.bundle, "RelatedPerson")) == 1
    assert made.lost == ["GT1-21"]


def test_a_bill_is_on_hold_and_released() -> None:
    text = message(ACCOUNT, at("GT1", _1="1", _3="Roe^Al", _22="Y"))
    account = only(MADE.to_fhir(text).bundle, "Account")
    released = [{**account["guarantor"][0], "onHold": False}]
    assert edited(text, "Account", guarantor=released) == text.replace("|Y", "|N")


def test_a_guarantors_number_as_an_employee_says_so() -> None:
    bundle = lawful(MADE, message(ACCOUNT, at("GT1", _1="1", _2="G1", _3="Roe^Al", _19="E1")))
    numbers = only(bundle, "RelatedPerson")["identifier"]
    assert [one.get("type", {}).get("coding", [{}])[0].get("code") for one in numbers] == [None, "EI"]


def test_a_deductible_is_a_cost_to_the_insured() -> None:
    text = message(PID, at("IN1", _1="1", _2="P1", _37="250&USD", _46="OLD", _47="B"))
    coverage = only(lawful(MADE, text), "Coverage")
    (cost,) = coverage["costToBeneficiary"]
    assert cost["type"]["coding"][0]["code"] == "deductible"
    assert (cost["valueMoney"]["value"], cost["valueMoney"]["currency"]) == (250, "USD")
    assert coverage["identifier"][1]["use"] == "old"
    assert coverage["type"]["coding"][0]["system"].endswith("v2-0309")


def test_of_a_plan_type_and_a_coverage_type_the_plan_type_is_said() -> None:
    made = MADE.to_fhir(message(PID, at("IN1", _1="1", _2="P1", _15="HMO", _47="B")))
    assert only(made.bundle, "Coverage")["type"]["coding"][0]["system"].endswith("v2-0086")
    assert made.lost == ["IN1-47"]


def test_a_payors_plan_code_is_its_national_number() -> None:
    bundle = lawful(MADE, message(PID, at("IN1", _1="1", _3="C1", _4="ACME", _35="NP1")))
    acme = next(one for one in of_type(bundle, "Organization") if one.get("name") == "ACME")
    assert acme["identifier"][1]["type"]["coding"][0]["code"] == "NIIP"


def test_what_the_patient_is_to_the_insured_is_said_where_in1_does_not() -> None:
    text = message(PID, at("IN1", _1="1", _16="Roe^Al"), at("IN2", _10="M1", _55="20200101", _72="03"))
    bundle = lawful(MADE, text)
    codes = [one["code"] for one in only(bundle, "Coverage")["relationship"]["coding"]]
    assert "child" in codes
    insured = only(bundle, "RelatedPerson")
    assert insured["period"] == {"start": "2020-01-01"}
    assert insured["identifier"][0]["type"]["coding"][0]["code"] == "MI"
    himself = MADE.to_fhir(message(PID, at("IN1", _1="1", _16="Doe^Jo"), at("IN2", _72="01"))).bundle
    assert only(himself, "Coverage")["subscriber"]["reference"].startswith("Patient/")


def test_a_relationship_of_a_list_of_their_own_does_not_make_the_patient_the_insured() -> None:
    bundle = lawful(MADE, message(PID, at("IN1", _1="1", _16="Doe^Jo"), at("IN2", _72="01^Spouse^L")))
    assert only(bundle, "Coverage")["subscriber"]["reference"].startswith("RelatedPerson/")


def test_a_procedure_that_is_part_of_itself_says_so_by_its_number() -> None:
    text = message(PID, at("PR1", _1="1", _3="P1", _19="N1^HIS", _25="N1^HIS"))
    bundle = lawful(MADE, text)
    assert only(bundle, "Procedure")["partOf"][0]["identifier"]["value"] == "N1"
    assert lines(MADE.to_v2(bundle).message)["PR1"].endswith("|N1^HIS||||||N1^HIS")


def test_a_duplicate_of_a_patient_is_a_link_by_its_number() -> None:
    text = message(PID, at("PD1", _10="9^^^H^MR~8^^^H"))
    links = only(lawful(MADE, text), "Patient")["link"]
    assert [one["other"]["identifier"]["value"] for one in links] == ["9", "8"]
    assert {one["type"] for one in links} == {"seealso"}
    assert edited(text, "Patient", link=links[:1]) == text.replace("~8^^^H", "")


def test_an_organization_without_a_name_is_no_guarantor() -> None:
    made = MADE.to_fhir(message(ACCOUNT, at("GT1", _1="1", _2="G2", _21="^^^^^^^^^77")))
    assert made.lost == ["GT1-2", "GT1-21"]


def test_the_numbers_of_a_coverage_keep_their_order() -> None:
    text = message(PID, at("IN1", _1="1", _2="A^^SCT^B", _46="OLD"), at("IN2", _6="M1", _61="9^^^H^PI"))
    numbers = only(lawful(MADE, text), "Coverage")["identifier"]
    assert [one["value"] for one in numbers] == ["A", "B", "OLD", "M1", "9"]
    assert lines(MADE.to_v2(MADE.to_fhir(text).bundle).message)["IN2"].split("|")[61] == "9^^^H^PI"
