"""Orders for the tests: their segments, their bundles, and what is lost of them."""

from __future__ import annotations

from typing import Any

from tests.mapping.profiles import Json, lawful, message, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|||1^^^H^MR||Roe^Ann"
V2 = "http://terminology.hl7.org/CodeSystem/v2-"
SD = "http://hl7.org/fhir/StructureDefinition/"


def seg(name: str, **fields: str) -> str:
    """A segment of numbered fields: ``seg("ORC", f1="NW")``."""
    texts = {int(at[1:]): text for at, text in fields.items()}
    return "|".join((name, *(texts.get(n, "") for n in range(1, max(texts, default=0) + 1))))


def order(*segments: str, event: str = "OML^O21^OML_O21") -> Json:
    """The bundle of an order that keeps the laws."""
    return lawful(MADE, message(PID, *segments, event=event))


def request(*segments: str, event: str = "OML^O21^OML_O21") -> Json:
    return only(order(*segments, event=event), "ServiceRequest")


def lost(*segments: str, event: str = "OML^O21^OML_O21") -> list[str]:
    return MADE.to_fhir(message(PID, *segments, event=event)).lost


def control(node: Json) -> Any:
    """What businessEvent says."""
    (event,) = (one for one in node["extension"] if one["url"] == SD + "businessEvent")
    return {part["url"]: part for part in event["extension"]}
