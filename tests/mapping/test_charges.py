"""DFT and BAR: charges and billing accounts, and the way back."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.mapping.profiles import Json, lawful, message, of_type
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||1^^^H^MR||Berg^Eva|||||||||||||ACC1^^^H^AN"
PV1 = "PV1|1|O"
FT1 = (
    "FT1|1|T1||20260430|20260501|CG|99213^Visit^C4|||2|120.50&USD||||||||J10^Flu^I10|7009^Doc^Dora|||F9^LAB"
    "|7011^Clerk^Cy"
)


def dft(*segments: str, event: str = "DFT^P03") -> str:
    return message("EVN||20260501080000+0200", PID, PV1, *segments, event=event)


def charge(text: str) -> Json:
    return of_type(lawful(MADE, text), "ChargeItem")[0]


def test_a_charge_has_what_was_done_how_often_for_how_much_and_by_whom() -> None:
    said = charge(dft(FT1))
    assert said["identifier"] == [{"value": "T1"}]
    assert said["code"]["coding"][0]["code"] == "99213"
    assert said["quantity"] == {"value": Decimal(2)}
    assert said["priceOverride"] == {"value": Decimal("120.50"), "currency": "USD"}
    assert (said["occurrenceDateTime"], said["enteredDate"]) == ("2026-04-30", "2026-05-01")
    assert said["reason"][0]["coding"][0]["code"] == "J10"
    assert len(said["performer"]) == 1
    assert said["enterer"]["reference"].startswith("Practitioner/")
    assert said["supportingInformation"][0]["identifier"]["value"] == "F9"
    assert said["status"] == "unknown"


def test_a_charge_belongs_to_the_patient_the_visit_and_the_account() -> None:
    made = lawful(MADE, dft(FT1))
    found = of_type(made, "ChargeItem")[0]
    assert found["subject"]["reference"] == f"Patient/{of_type(made, 'Patient')[0]['id']}"
    assert found["context"]["reference"] == f"Encounter/{of_type(made, 'Encounter')[0]['id']}"
    assert found["account"] == [{"reference": f"Account/{of_type(made, 'Account')[0]['id']}"}]


@pytest.mark.parametrize("kind", ["CG", "CD", "PY", "AJ"])
def test_a_credit_or_a_payment_says_that_it_is_one(kind: str) -> None:
    assert charge(dft(FT1.replace("|CG|", f"|{kind}|")))["meta"]["tag"][0]["code"] == kind


def test_a_charge_over_some_days_is_a_period() -> None:
    said = charge(dft(FT1.replace("|20260430|", "|20260428^20260430|")))
    assert said["occurrencePeriod"] == {"start": "2026-04-28", "end": "2026-04-30"}


def test_an_end_before_the_start_is_listed() -> None:
    text = dft(FT1.replace("|20260430|", "|20260430^20260428|"))
    assert charge(text)["occurrenceDateTime"] == "2026-04-30"
    assert "FT1-4.2" in MADE.to_fhir(text).lost


def test_a_procedure_behind_a_charge_is_what_is_charged() -> None:
    made = lawful(MADE, dft(FT1, "PR1|1||99213^Visit^C4||20260430", FT1.replace("|T1|", "|T2|")))
    first, second = of_type(made, "ChargeItem")
    (done,) = of_type(made, "Procedure")
    assert first["service"] == [{"reference": f"Procedure/{done['id']}"}]
    assert "service" not in second


def test_a_changed_price_touches_its_own_field_only() -> None:
    text = dft(FT1)
    bundle = MADE.to_fhir(text).bundle
    of_type(bundle, "ChargeItem")[0]["priceOverride"]["value"] = Decimal("99.00")
    assert MADE.to_v2(bundle, text).message == text.replace("120.50&USD", "99.00&USD")


def test_a_charge_that_goes_takes_its_segment_along() -> None:
    text = dft(FT1, FT1.replace("FT1|1|T1", "FT1|2|T2"))
    made = MADE.to_fhir(text).bundle
    gone = of_type(made, "ChargeItem")[1]["id"]
    made["entry"].append({"request": {"method": "DELETE", "url": f"ChargeItem/{gone}"}})
    made["entry"] = [one for one in made["entry"] if one.get("resource", {}).get("id") != gone]
    assert MADE.to_v2(made, text).message == dft(FT1)


@pytest.mark.parametrize("event", ["P01", "P02", "P05", "P06"])
def test_a_billing_account_is_the_patients(event: str) -> None:
    text = message("EVN||20260501080000+0200", PID, PV1, "DG1|1||J10^Flu^I10", event=f"BAR^{event}")
    made = lawful(MADE, text)
    assert of_type(made, "Account")[0]["identifier"][0]["value"] == "ACC1"
    assert "MSH-9" not in MADE.to_fhir(text).lost
