"""One field for the tests: what it becomes, what is lost of it, and how it goes back."""

from __future__ import annotations

from typing import Any

from connector.hl7v2.tree import Message
from tests.shipped import TRANSLATOR as MADE

SD = "http://hl7.org/fhir/StructureDefinition/"
Json = dict[str, Any]


def said(field: str, text: str) -> tuple[Json, list[str], str]:
    """The resource that a field speaks of, what is lost of the field, and the field as it goes back."""
    name, _, number = field.partition("-")
    kinds = {"PID": "Patient", "PV1": "Encounter", "AL1": "AllergyIntolerance", "OBX": "Observation"}
    lines = ["MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1"]
    texts = {int(number): text}
    if name == "PID":
        texts.setdefault(3, "1^^^H^MR")
    else:
        lines.append("PID|||1^^^H^MR")
    lines.append("|".join([name, *(texts.get(n, "") for n in range(1, max(texts) + 1))]))
    made = MADE.to_fhir("\r".join(lines) + "\r")
    resource = next(
        e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == kinds[name]
    )
    lost = [at.removeprefix(field) for at in made.lost if at.startswith(field)]
    segment = Message.parse(MADE.to_v2(made.bundle).message).first(name)
    return resource, lost, segment.field(int(number)) if segment else ""


def first(field: str, text: str, element: str) -> tuple[Any, list[str], str]:
    resource, lost, back = said(field, text)
    found = resource.get(element)
    return (found[0] if isinstance(found, list) else found), lost, back


def kept(table: str, code: str) -> Json:
    """A sender's code beside an element."""
    coding = {"system": f"http://terminology.hl7.org/CodeSystem/v2-{table}", "code": code}
    return {"extension": [{"url": SD + "alternate-codes", "valueCodeableConcept": {"coding": [coding]}}]}


def referred(text: str, field: str, kind: str) -> list[Json]:
    number = int(field.partition("-")[2])
    pv1 = "|".join(["PV1", *("" for _ in range(number - 1)), text])
    made = MADE.to_fhir(f"MSH|^~\\&|A|B|||20240101||ADT^A01|1|P|2.5.1\rPID|||1^^^H^MR\r{pv1}\r")
    return [e["resource"] for e in made.bundle["entry"] if e["resource"]["resourceType"] == kind]
