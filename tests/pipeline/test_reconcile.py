"""Both sides changed one resource: what one left alone is the other's, and the table decides the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.pipeline.reconcile import Authority, Conflict, Side, Way, reconcile

Json = dict[str, Any]

HOME = {"system": "phone", "value": "1", "use": "home"}
MOVED = {"system": "phone", "value": "2", "use": "home"}
OTHER = {"system": "phone", "value": "3", "use": "home"}
MAIL = {"system": "email", "value": "a@example.org"}


def patient(**content: Any) -> Json:
    return {"resourceType": "Patient", "id": "p", **content}


def test_what_one_side_left_alone_is_taken_from_the_other() -> None:
    base = patient(gender="male", birthDate="1970-01-01")
    made = reconcile(base, {**base, "gender": "female"}, {**base, "birthDate": "1970-01-02"})
    assert made.resource == patient(gender="female", birthDate="1970-01-02")
    assert not made.conflicts


def test_what_one_side_took_away_is_gone() -> None:
    base = patient(gender="male", birthDate="1970-01-01", active=True)
    made = reconcile(base, patient(gender="male", active=True), patient(birthDate="1970-01-01", active=True))
    assert made.resource == patient(active=True)
    assert not made.conflicts


def test_a_number_that_v2_changed_and_an_address_that_fhir_added_stand_side_by_side() -> None:
    base = patient(telecom=[HOME])
    made = reconcile(base, patient(telecom=[MOVED]), patient(telecom=[HOME, MAIL]))
    assert made.resource["telecom"] == [MAIL, MOVED]
    assert not made.conflicts


def test_an_item_that_both_took_away_is_gone_without_a_conflict() -> None:
    base = patient(telecom=[HOME, MAIL])
    made = reconcile(base, patient(telecom=[MAIL]), patient(telecom=[MAIL]))
    assert made.resource["telecom"] == [MAIL]
    assert not made.conflicts


@pytest.mark.parametrize(
    ("way", "newer", "wins"),
    [("v2", "fhir", MOVED), ("fhir", "v2", OTHER), ("newest", "v2", MOVED), ("newest", "fhir", OTHER)],
)
def test_one_item_that_both_replaced_goes_by_the_table(way: Way, newer: Side, wins: Json) -> None:
    base = patient(telecom=[HOME])
    table = Authority(rows={"Patient.telecom": way})
    made = reconcile(base, patient(telecom=[MOVED]), patient(telecom=[OTHER]), table, newer=newer)
    loser = OTHER if wins is MOVED else MOVED
    assert made.resource["telecom"] == [wins]
    (conflict,) = made.conflicts
    assert (conflict.element, conflict.lost) == ("Patient.telecom", {"telecom": [loser]})


def test_the_row_of_a_field_goes_before_that_of_its_type_and_that_before_the_default() -> None:
    table = Authority("hold", {"Patient": "fhir", "Patient.gender": "v2"})
    assert [table.of(one) for one in ("Patient.gender", "Patient.name", "Encounter.class")] == [
        "v2",
        "fhir",
        "hold",
    ]


def test_a_field_on_hold_waits_for_a_person_and_goes_as_decided() -> None:
    base, ours, theirs = patient(gender="male"), patient(gender="female"), patient(gender="other")
    table = Authority("hold")
    held = reconcile(base, ours, theirs, table)
    assert held.held
    assert held.conflicts == (Conflict("Patient.gender", "hold", {"gender": "female"}, {"gender": "other"}),)
    made = reconcile(base, ours, theirs, table, decided={"Patient.gender": "v2"})
    assert made.resource["gender"] == "female"
    assert not made.held


def test_the_forms_of_a_choice_are_one_field() -> None:
    base = patient(deceasedBoolean=False)
    made = reconcile(base, patient(deceasedBoolean=True), patient(deceasedDateTime="2026-01-01"))
    assert made.resource == patient(deceasedBoolean=True)
    assert [one.element for one in made.conflicts] == ["Patient.deceased"]


def test_a_value_goes_together_with_what_is_said_of_it() -> None:
    told = {"extension": [{"url": "http://example.org/at", "valueTime": "10:00:00"}]}
    base = patient(birthDate="1970-01-01")
    made = reconcile(
        base,
        patient(birthDate="1970-01-02"),
        patient(birthDate="1970-01-01", _birthDate=told),
        Authority("fhir"),
    )
    assert made.resource == patient(birthDate="1970-01-01", _birthDate=told)


def test_sides_that_never_agreed_lose_no_item_of_either() -> None:
    made = reconcile(None, patient(telecom=[HOME]), patient(telecom=[MAIL]))
    assert made.resource["telecom"] == [MAIL, HOME]


def test_the_version_is_the_servers_and_the_labels_are_of_both() -> None:
    base = patient(meta={"versionId": "1"})
    ours = patient(meta={"versionId": "1", "tag": [{"code": "a"}]})
    theirs = patient(meta={"versionId": "2", "tag": [{"code": "b"}]})
    assert reconcile(base, ours, theirs).resource["meta"] == {
        "versionId": "2",
        "tag": [{"code": "b"}, {"code": "a"}],
    }


ITEMS = st.lists(st.sampled_from([HOME, MOVED, OTHER, MAIL]), max_size=4, unique_by=str)
PATIENTS = st.builds(
    lambda gender, telecom: patient(
        **({"gender": gender} if gender else {}), **({"telecom": telecom} if telecom else {})
    ),
    st.sampled_from(["", "male", "female", "other"]),
    ITEMS,
)


@given(PATIENTS, PATIENTS)
def test_a_change_of_one_side_alone_is_never_a_conflict(base: Json, changed: Json) -> None:
    for ours, theirs in ((changed, base), (base, changed)):
        made = reconcile(base, ours, theirs, Authority("hold"))
        assert made.resource == changed
        assert not made.conflicts


@given(PATIENTS, PATIENTS, PATIENTS)
def test_whatever_does_not_stand_in_the_result_was_taken_away_or_is_in_a_conflict(
    base: Json, ours: Json, theirs: Json
) -> None:
    made = reconcile(base, ours, theirs)
    lost = [item for one in made.conflicts for item in (one.lost or {}).get("telecom", ())]
    kept = made.resource.get("telecom", [])
    for side, other in ((ours, theirs), (theirs, ours)):
        for item in side.get("telecom", ()):
            taken_away = item in base.get("telecom", ()) and item not in other.get("telecom", ())
            assert item in kept or item in lost or taken_away
