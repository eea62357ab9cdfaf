"""The sandbox's resources behave as FHIR's http.html says."""

from __future__ import annotations

import itertools
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.demo.ledger import Ledger
from connector.demo.resources import Effect, Operation, Refusal

AT = "2026-11-23T10:00:00.000Z"
LATER = "2026-11-24T10:00:00.000Z"


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(None)


def patient(family: str = "Beispiel", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": "p1", "name": [{"family": family}], **more}


def put(resource: dict[str, Any], if_match: str = "") -> Operation:
    return Operation("PUT", resource["resourceType"], resource["id"], resource, if_match)


def do(ledger: Ledger, *operations: Operation, author: str = "connector", at: str = AT) -> list[Effect]:
    ids = (f"new{number}" for number in itertools.count(len(ledger.writes)))
    effects = ledger.resources.do(list(operations), at, ids)
    ledger.write(effects, author, at)
    return effects


def refused(ledger: Ledger, *operations: Operation) -> int:
    with pytest.raises(Refusal) as caught:
        do(ledger, *operations)
    return caught.value.status


def test_a_first_put_creates_and_the_next_one_makes_a_version(ledger: Ledger) -> None:
    first, second = do(ledger, put(patient()))[0], do(ledger, put(patient("Muster")))[0]
    assert (first.status, second.status) == (201, 200)
    assert ledger.resources.read("Patient", "p1").number == 2


def test_a_put_that_changes_nothing_makes_no_version(ledger: Ledger) -> None:
    do(ledger, put(patient()))
    again = do(ledger, put(patient(meta={"versionId": "1", "lastUpdated": AT})))[0]
    assert not again.changed
    assert ledger.resources.read("Patient", "p1").number == 1
    assert ledger.writes["Patient/p1", "connector"] == 1
    assert ledger.unchanged["Patient/p1", "connector"] == 1


def test_digits_are_a_change_because_precision_has_meaning(ledger: Ledger) -> None:
    do(ledger, put(patient(extension=[{"url": "urn:x", "valueDecimal": Decimal("0.4")}])))
    assert do(ledger, put(patient(extension=[{"url": "urn:x", "valueDecimal": Decimal("0.40")}])))[0].changed


def test_if_match_lets_only_the_current_version_through(ledger: Ledger) -> None:
    do(ledger, put(patient()))
    assert do(ledger, put(patient("Muster"), 'W/"1"'))[0].changed
    assert refused(ledger, put(patient("Anders"), 'W/"1"')) == 412
    assert refused(ledger, put(patient() | {"id": "unknown"}, 'W/"1"')) == 412


def test_what_is_deleted_is_gone_and_may_come_back_as_a_later_version(ledger: Ledger) -> None:
    do(ledger, put(patient()))
    assert do(ledger, Operation("DELETE", "Patient", "p1"))[0].status == 204
    assert not do(ledger, Operation("DELETE", "Patient", "p1"))[0].changed
    with pytest.raises(Refusal) as caught:
        ledger.resources.read("Patient", "p1")
    assert caught.value.status == 410
    assert do(ledger, put(patient()))[0].status == 201
    assert ledger.resources.read("Patient", "p1").number == 3


def test_a_transaction_with_one_fault_changes_nothing(ledger: Ledger) -> None:
    broken = {"resourceType": "Encounter", "id": "e1", "identifier": [{"value": ""}]}
    assert refused(ledger, put(patient()), put(broken)) == 422
    assert list(ledger.resources) == []
    assert not ledger.writes


def test_a_transaction_may_not_write_one_resource_twice(ledger: Ledger) -> None:
    assert refused(ledger, put(patient()), put(patient("Muster"))) == 400


def test_conditional_create_finds_what_is_there(ledger: Ledger) -> None:
    known = patient(identifier=[{"system": "urn:oid:1.2.3", "value": "77"}])
    do(ledger, put(known))
    create = Operation(
        "POST", "Patient", "", {**known, "id": "x"}, "", "identifier=urn:oid:1.2.3|77", "urn:uuid:1"
    )
    effect = do(ledger, create)[0]
    assert (effect.status, effect.changed) == (200, False)
    assert effect.version is not None
    assert effect.version.key == "Patient/p1"


def test_conditional_create_makes_what_is_not_there_and_refuses_two_matches(ledger: Ledger) -> None:
    identified = {"resourceType": "Patient", "identifier": [{"system": "urn:s", "value": "1"}]}
    condition = "identifier=urn:s|1"
    assert do(ledger, Operation("POST", "Patient", "", identified, "", condition))[0].status == 201
    do(ledger, put({**identified, "id": "second", "resourceType": "Patient"}))
    assert refused(ledger, Operation("POST", "Patient", "", identified, "", condition)) == 412


def test_references_between_new_resources_of_a_transaction_become_real(ledger: Ledger) -> None:
    visit = {"resourceType": "Encounter", "subject": {"reference": "urn:uuid:a"}}
    operations = [
        Operation("POST", "Encounter", "", visit, full_url="urn:uuid:b"),
        Operation("POST", "Patient", "", {"resourceType": "Patient"}, full_url="urn:uuid:a"),
    ]
    encounter = do(ledger, *operations)[0].version
    assert encounter is not None
    assert encounter.resource is not None
    assert encounter.resource["subject"]["reference"] in {v.key for v in ledger.resources}


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        ({"resourceType": "Encounter", "id": "p1"}, 400),
        ({"resourceType": "Patient", "id": "other"}, 400),
        (patient(gender=""), 422),
        (patient(contact=[]), 422),
        (patient(birthDate=None), 422),
    ],
)
def test_content_that_does_not_fit_is_refused(ledger: Ledger, resource: dict[str, Any], status: int) -> None:
    assert refused(ledger, Operation("PUT", "Patient", "p1", resource)) == status


def test_search_by_identifier_id_time_and_subject(ledger: Ledger) -> None:
    do(ledger, put(patient(identifier=[{"system": "urn:s", "value": "1"}])))
    result = {"resourceType": "Observation", "id": "o1", "subject": {"reference": "Patient/p1"}}
    do(ledger, put(result), at=LATER)

    def keys(type_: str, *terms: tuple[str, str]) -> list[str]:
        return [version.key for version in ledger.resources.search(type_, list(terms))]

    assert keys("Patient", ("identifier", "urn:s|1")) == ["Patient/p1"]
    assert keys("Patient", ("identifier", "other|1,urn:s|")) == ["Patient/p1"]
    assert keys("Patient", ("identifier", "|1")) == []
    assert keys("Patient", ("_id", "p1,p2")) == ["Patient/p1"]
    assert keys("Observation", ("patient", "p1")) == ["Observation/o1"]
    assert keys("Observation", ("_lastUpdated", "gt2026-11-23"), ("_lastUpdated", "le2026-11-30")) == [
        "Observation/o1"
    ]
    assert keys("Observation", ("_lastUpdated", "lt2026-11-24T09:00:00Z")) == []
    with pytest.raises(Refusal):
        keys("Patient", ("colour", "blue"))


def test_the_file_brings_everything_back_but_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.jsonl"
    ledger = Ledger(path)
    do(ledger, put(patient()))
    do(ledger, put(patient("Muster")), author="person")
    do(ledger, put(patient("Anders")), author="person")
    ledger.notified(ledger.waiting[0], 200)
    ledger.close()
    with path.open("ab") as file:
        file.write(b'{"seq": 4, "auth')
    back = Ledger(path)
    assert back.resources.read("Patient", "p1").number == 3
    assert back.writes == ledger.writes
    assert [write.seq for write in back.waiting] == [3]
    assert back.told == {"accepted": 1}
    do(back, put(patient("Neu")))
    back.close()
    with closing(Ledger(path)) as last:
        assert last.resources.read("Patient", "p1").number == 4
