"""What a translator has seen changes nothing: fields that remember say what they said the first time."""

from __future__ import annotations

from copy import deepcopy

from connector.hl7v2.delimiters import STANDARD
from connector.mapping import Translator
from connector.mapping.assembly import Assembly
from connector.mapping.known import _MOST, Known
from connector.mapping.places import Json
from connector.mapping.scope import Scope

HEAD = (
    "MSH|^~\\&|APP|HOUSE|{to}|{house}|20260105||ADT^A01|1|P|2.5.1\rPID|||4711^^^ADT1&2.999.1&ISO^MR||Doe^Jo\r"
)


def header(translator: Translator, to: str, house: str) -> Json:
    bundle = translator.to_fhir(HEAD.format(to=to, house=house)).bundle
    resources = [entry["resource"] for entry in bundle["entry"]]
    return next(one for one in resources if one["resourceType"] == "MessageHeader")


def test_receiving_application_and_facility_are_one_destination_however_often_they_come() -> None:
    sent = [("LAB", "HOUSE"), ("LAB", ""), ("", "HOUSE")]
    seen = Translator.default()
    first = [header(seen, *one) for one in sent]
    assert [header(seen, *one) for one in sent] == first
    assert [list(said["destination"][0]) for said in first] == [
        ["name", "receiver", "_endpoint"],
        ["name", "_endpoint"],
        ["receiver", "_endpoint"],
    ]
    assert [len(said["destination"]) for said in first] == [1, 1, 1]


def test_what_is_made_of_a_bundle_changes_nothing_that_is_remembered() -> None:
    seen = Translator.default()
    text = HEAD.format(to="LAB", house="HOUSE")
    first = deepcopy(seen.to_fhir(text).bundle)
    for entry in seen.to_fhir(text).bundle["entry"]:
        for value in list(entry["resource"].values()):
            if isinstance(value, (list, dict)):
                value.clear()
    assert seen.to_fhir(text).bundle == first


def test_an_authority_says_the_same_in_every_identifier() -> None:
    seen = Translator.default()
    text = HEAD.format(to="", house="").replace(
        "4711^^^ADT1&2.999.1&ISO^MR", "1^^^A&2.999.1&ISO~2^^^A&2.999.1&ISO~3^^^B"
    )
    first = seen.to_fhir(text)
    assert seen.to_fhir(text) == first
    patient = next(
        one["resource"] for one in first.bundle["entry"] if one["resource"]["resourceType"] == "Patient"
    )
    systems = [(one["system"], one.get("assigner")) for one in patient["identifier"]]
    assert systems == [("urn:oid:2.999.1", {"display": "A"})] * 2 + [("urn:id:B", None)]


def test_a_memory_is_emptied_when_it_is_full() -> None:
    assembly = Assembly("x")
    scope = Scope(STANDARD, assembly, assembly, assembly)
    known = Known(lambda text, node, scope: node.update(said=text))
    for n in range(_MOST + 1):
        known.again(str(n), {}, scope)
    assert len(known.simple) == 1
