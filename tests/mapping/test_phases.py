"""Several TQ1 of one medication order <-> several dosage instructions."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal

from tests.mapping.profiles import Json, lawful, message, only
from tests.shipped import TRANSLATOR as MADE

PID = "PID|1||77^^^WARD^MR||Berg^Nora"
ORC = "ORC|NW|P5^HIS|F5^RX"
FIRST = "TQ1|1||BID||||20240302|20240309|R"
SECOND = "TQ1|2|1|QD||||20240310|20240320||with water|then once|||5"
RXO = "RXO|1^A^L|500||mg"
RXR = "RXR|PO"


def order(*segments: str) -> Json:
    return only(lawful(MADE, message(PID, *segments, event="OMP^O09")), "MedicationRequest")


def edited(change: Callable[[list[Json]], object], *segments: str) -> list[str]:
    """The lines behind ORC after a change of the dosage instructions."""
    text = message(PID, *segments, event="OMP^O09")
    bundle = deepcopy(MADE.to_fhir(text).bundle)
    change(only(bundle, "MedicationRequest").setdefault("dosageInstruction", []))
    return MADE.to_v2(bundle, text).message.rstrip("\r").split("\r")[3:]


def test_each_timing_is_a_dosage_instruction() -> None:
    first, second = order(ORC, FIRST, SECOND, RXO, RXR)["dosageInstruction"]
    assert (first["timing"]["code"]["coding"][0]["code"], "route" in first) == ("BID", True)
    assert first["doseAndRate"][0]["doseQuantity"]["value"] == Decimal(500)
    assert second["timing"]["code"]["coding"][0]["code"] == "QD"
    assert second["timing"]["repeat"] == {
        "boundsPeriod": {"start": "2024-03-10", "end": "2024-03-20"}, "count": 5
    }  # fmt: skip
    assert (second["text"], second["additionalInstruction"]) == ("then once", [{"text": "with water"}])
    assert second["doseAndRate"][0]["doseQuantity"] == {"value": Decimal(1)}


def test_they_come_back_without_the_prior_message() -> None:
    bundle = MADE.to_fhir(message(PID, ORC, FIRST, SECOND, RXO, RXR, event="OMP^O09")).bundle
    back = MADE.to_v2(bundle)
    assert back.lost == []
    assert back.message.split("\r")[3:5] == [FIRST, SECOND]


def test_what_a_further_timing_cannot_say_is_listed() -> None:
    further = "TQ1|2||QD^^^^x||||||S|||C"
    made = MADE.to_fhir(message(PID, ORC, FIRST, further, RXO, event="OMP^O09"))
    assert made.lost == ["TQ1[2]-9", "TQ1[2]-12", "TQ1[2]-3.5"]


def test_a_further_timing_behind_one_of_which_nothing_is_said_is_listed() -> None:
    made = MADE.to_fhir(message(PID, ORC, "TQ1|1", SECOND, "RXO|1^A^L", event="OMP^O09"))
    assert "dosageInstruction" not in only(made.bundle, "MedicationRequest")
    assert made.lost == [f"TQ1[2]-{n}" for n in (2, 3, 7, 8, 10, 11, 14)]


def test_an_edit_of_one_of_them_touches_its_field_alone() -> None:
    after = edited(lambda there: there[1].update(text="then less"), ORC, FIRST, SECOND, RXO, RXR)
    assert after == [FIRST, SECOND.replace("once", "less"), RXO, RXR]
    after = edited(lambda there: there[0]["timing"]["repeat"].update(count=3), ORC, FIRST, SECOND, RXO, RXR)
    assert after == [FIRST + "|||||3", SECOND, RXO, RXR]


def test_one_that_is_gone_takes_its_segment_along() -> None:
    assert edited(lambda there: there.pop(), ORC, FIRST, SECOND, RXO) == [FIRST, RXO]
    further = {"timing": {"repeat": {"count": 2}}}
    assert edited(lambda there: there.append(further), ORC, FIRST, SECOND, RXO) == [
        FIRST, SECOND, "TQ1|3|||||||||||||2", RXO,
    ]  # fmt: skip


def test_a_first_one_without_a_timing_keeps_its_place() -> None:
    further = {"timing": {"repeat": {"count": 2}}}
    after = edited(lambda there: there.append(further), ORC, RXO)
    assert after == ["TQ1|1", "TQ1|2|||||||||||||2", RXO]
    first, second = order(ORC, *after)["dosageInstruction"]
    assert ("timing" in first, second) == (False, further)


def test_over_what_stands_there_a_message_with_timings_says_all_of_them() -> None:
    bundle = MADE.to_fhir(message(PID, ORC, FIRST, SECOND, RXO, RXR, event="OMP^O09")).bundle

    def over(*segments: str) -> list[Json]:
        text = message(PID, *segments, event="OMP^O09")
        found: list[Json] = only(MADE.to_fhir(text, prior=bundle).bundle, "MedicationRequest")[
            "dosageInstruction"
        ]
        return found

    assert over(ORC, FIRST, SECOND, RXO, RXR) == only(bundle, "MedicationRequest")["dosageInstruction"]
    assert [one.get("text") for one in over(ORC, RXO)] == [None, "then once"]
    assert len(over(ORC, FIRST, RXO)) == 1
    assert over(ORC, FIRST, SECOND.replace("once", '""'), RXO)[0]["timing"]["repeat"]["boundsPeriod"]
    emptied = over(ORC, FIRST, 'TQ1|2||QD||||""||||""', RXO)
    assert emptied[0]["timing"]["repeat"]["boundsPeriod"]["start"] == "2024-03-02"
    assert set(emptied[1]) == {"timing"}


def test_each_says_where_it_comes_from() -> None:
    told = MADE.explain(message(PID, ORC, FIRST, SECOND, RXO, event="OMP^O09"))
    assert "TQ1[2]-11" in str(told)
