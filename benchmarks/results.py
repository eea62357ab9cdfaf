"""Long messages, the way back and the judges of FHIR, beside translation in one run."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from statistics import median
from time import perf_counter
from typing import Any, Final

from benchmarks import people
from benchmarks.report import Row, Say, times
from benchmarks.translate import yardsticks
from connector.app import settle_memory
from connector.fhir import validate
from connector.hl7v2.tree import Message
from connector.mapping import Translator, backward, forward
from connector.mapping.work import Target

PART: Final = "results"
MANY: Final = 200
LARGE: Final = 110_000  # characters
GROWTH: Final = (1_000, 10_000)  # OBX; what one costs in the longer is compared with the shorter


def results(count: int) -> str:
    """An ORU^R01 with that many numeric OBX under one OBR."""
    head = people.admission(1).splitlines()
    lines = [
        head[0].replace("ADT^A01^ADT_A01", "ORU^R01^ORU_R01"),
        head[2],
        "ORC|RE|P1^STV|F1^LAB",
        "OBR|1|P1^STV|F1^LAB|24323-8^Comprehensive metabolic panel^LN|||20261123080000+0100" + "|" * 15
        + "20261123090000+0100|||F",
    ]  # fmt: skip
    lines += [
        f"OBX|{n}|NM|{n % 400 + 1000}-4^Analyte {n % 400}^LN|{n // 400 + 1}|{n % 97}.50|mmol/L^^UCUM|1.0-9.0|"
        "N|||F|||20261123080000+0100"
        for n in range(1, count + 1)
    ]
    return "".join(f"{line}\r" for line in lines)


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The rows of this part."""
    settle_memory()  # as the service does
    say("results: long messages")
    rows = _long(quick)
    say("results: the way back, and the judges of FHIR")
    rounds = 50 if quick else 500
    return [*rows, *_back(rounds), _read_back(rounds), *_judges(20 if quick else 300)]


def _ms(call: Callable[[], object], rounds: int) -> float:
    return median(times([call], rounds, warm=1)[0]) / 1e3


def _long(quick: bool) -> list[Row]:
    translator, rounds = Translator.default(), 3 if quick else 15
    many, large = results(MANY), results(LARGE // 85)
    rows = [
        _limit(f"ORU^R01 with {MANY} OBX to FHIR", _ms(lambda: translator.to_fhir(many), rounds), 25),
        _limit(
            f"ORU^R01 of {len(large) // 1000} KB to FHIR", _ms(lambda: translator.to_fhir(large), rounds), 40
        ),
    ]
    few, most = (results(count) for count in GROWTH)
    each = [
        _ms(lambda text=text: translator.to_fhir(text), 3) / count  # type: ignore[misc]
        for text, count in zip((few, most), GROWTH)
    ]
    growth = each[1] / each[0]
    what = f"one OBX of {GROWTH[1]:,}, beside one of {GROWTH[0]:,}"
    return [*rows, Row(PART, what, f"{each[1] * 1e3:.1f} us", f"{growth:.2f} x", "<= 2 x", growth <= 2)]


def _limit(what: str, taken: float, most: float) -> Row:
    return Row(PART, what, f"{taken:.1f} ms", "", f"<= {most:g} ms", taken <= most)


def _back(rounds: int) -> list[Row]:
    """FHIR to v2 over the message that said it, beside the floor: nothing changed, and a new telephone."""
    translator, yardstick = Translator.default(), yardsticks()[0]
    message = yardstick.message
    bundle = translator.to_fhir(message).bundle
    edited = deepcopy(bundle)
    patient = next(one["resource"] for one in edited["entry"] if one["resource"]["resourceType"] == "Patient")
    patient["telecom"][0]["value"] = "+49 555 0000"
    least, same, other, alone = (
        median(one)
        for one in times(
            [
                lambda: yardstick.to_fhir(message),
                lambda: translator.to_v2(bundle, message),
                lambda: translator.to_v2(edited, message),
                lambda: translator.to_v2(bundle),
            ],
            rounds,
        )
    )
    said = (("nothing changed", same), ("a new telephone", other))
    rows = [
        Row(PART, f"to v2 over the prior, {what}", f"{taken:.0f} us", f"{taken / least:.1f} x the floor")
        for what, taken in said
    ]
    rows = [row._replace(target="<= 6 x", met=taken / least <= 6) for row, (_, taken) in zip(rows, said)]
    return [*rows, Row(PART, "to v2 without a prior", f"{alone:.0f} us", f"{alone / least:.1f} x the floor")]


def _read_back(rounds: int) -> Row:
    """What it takes to see that a translation can be said back to the very message, beside translating it."""
    atlas, text = Translator.default().atlas, yardsticks()[0].message
    taken: list[tuple[float, float]] = []
    for _ in range(rounds):
        start = perf_counter()
        message = Message.parse(text)
        said = forward.to_fhir(message, atlas.of_message(message))
        translated = perf_counter()
        order = said.maps.declared.written(headed=True)
        again = backward.to_v2(said, Target(said.assembly.resources, frozenset()), order)
        if str(again) != text:
            raise AssertionError("a message that cannot be said back")
        taken.append(((translated - start) * 1e6, (perf_counter() - translated) * 1e6))
    there, back = (median(one) for one in zip(*taken))
    share = back / there
    what = "reading a translation back, all of it"
    return Row(PART, what, f"{back:.0f} us", f"{share:.2f} x translating", "<= 1 x", share <= 1)


def _judges(rounds: int) -> list[Row]:
    """Our validator and fhir.resources over a translated bundle, beside translating it."""
    translator, message = Translator.default(), yardsticks()[0].message
    bundle: Any = translator.to_fhir(message).bundle
    ours, quick, models = (
        median(one)
        for one in times(
            [
                lambda: translator.to_fhir(message),
                lambda: validate.fast(bundle),
                lambda: validate.models(bundle),
            ],
            rounds,
        )
    )
    share, faster = quick / ours, models / ours
    return [
        Row(
            PART,
            "our validator over its bundle",
            f"{quick:.0f} us",
            f"{share:.2f} x translating",
            "<= 0.5 x",
            share <= 0.5,
        ),
        Row(
            PART,
            "fhir.resources over its bundle",
            f"{models:.0f} us",
            f"translating: {faster:.0f} x faster",
            ">= 10 x",
            faster >= 10,
        ),
    ]
