"""Translation, beside the floor and beside hl7apy's parser, all in one run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import Any, Final, NamedTuple

from benchmarks import floor, people
from benchmarks.report import Row, Say, times
from connector.app import settle_memory
from connector.mapping import Translator

MOST_OF_FLOOR: Final = 4.0
LEAST_OF_HL7APY: Final = 100.0
PATIENTS: Final = 2_000
_SHARED: Final = Path(__file__).resolve().parents[2] / "shared" / "bench" / "floor.py"


class Yardstick(NamedTuple):
    """A floor, by name, and the message that is its measure."""

    name: str
    to_fhir: Callable[[str], Any]
    message: str


def yardsticks() -> list[Yardstick]:
    """Our own floor and, where a second one lies beside the repository, that one too."""
    found = [Yardstick("floor", floor.to_fhir, people.admission(1))]
    if _SHARED.is_file():
        spec = importlib.util.spec_from_file_location("shared_floor", _SHARED)
        assert spec is not None
        assert spec.loader is not None
        other = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(other)
        found.insert(0, Yardstick("shared floor", other.to_fhir, other.MESSAGE))
    return found


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The rows of this part."""
    settle_memory()  # as the service does
    rounds = 300 if quick else 5_000
    rows: list[Row] = []
    for yardstick in yardsticks():
        say(f"translate: one message again and again, beside the {yardstick.name}")
        rows += _repeated(yardstick, rounds)
    say(f"translate: {PATIENTS} patients")
    return rows + _distinct(200 if quick else PATIENTS, 1 if quick else 3) + _back(rounds // 2)


def _repeated(yardstick: Yardstick, rounds: int) -> list[Row]:
    """The same message: what the translator takes when the reference data in it is known."""
    message = yardstick.message
    translator = Translator.default()
    least, ours = times(
        [lambda: yardstick.to_fhir(message), lambda: translator.to_fhir(message)], rounds, warm=50
    )
    parsed = _hl7apy(message)
    many, few = median(ours) / median(least), parsed / median(ours)
    name = f"the connector, message of the {yardstick.name}"
    return [
        Row("translate", f"{yardstick.name}, to FHIR", _us(median(least))),
        Row(
            "translate",
            name,
            _us(median(ours)),
            f"{many:.2f} x the {yardstick.name}",
            "<= 4 x",
            many <= MOST_OF_FLOOR,
        ),
        Row(
            "translate",
            "hl7apy.parse_message of it alone",
            _us(parsed),
            f"ours: {few:.0f} x faster",
            ">= 100 x",
            few >= LEAST_OF_HL7APY,
        ),
    ]


def _hl7apy(message: str) -> float:
    from hl7apy.parser import parse_message

    return median(times([lambda: parse_message(message)], 15)[0])


def _distinct(count: int, passes: int) -> list[Row]:
    """Every patient once, by a translator that has seen nothing: it comes to know the staff and the wards."""
    messages = list(people.admissions(count))
    cold: list[list[float]] = []
    least: list[list[float]] = []
    for _ in range(passes):
        translator = Translator.default()
        cold.append(_each(translator.to_fhir, messages))
        least.append(_each(floor.to_fhir, messages))
    floors, first = fmean(map(median, least)), fmean(fmean(one) for one in cold)
    middle, second = fmean(map(median, cold)), fmean(_each(translator.to_fhir, messages))
    what = f"{count:,} patients"
    return [
        Row("translate", f"{what}, floor, median", _us(floors)),
        Row(
            "translate",
            f"{what}, new translator, median",
            _us(middle),
            f"{middle / floors:.2f} x the floor",
        ),
        Row(
            "translate",
            f"{what}, new translator, mean",
            _us(first),
            f"{first / floors:.2f} x the floor",
        ),
        Row(
            "translate",
            f"{what}, once more, mean",
            _us(second),
            f"{second / floors:.2f} x the floor",
        ),
    ]


def _each(translate: Callable[[str], Any], messages: Sequence[str]) -> list[float]:
    taken = []
    for message in messages:
        start = perf_counter()
        translate(message)
        taken.append((perf_counter() - start) * 1e6)
    return taken


def _back(rounds: int) -> list[Row]:
    """FHIR to v2: alone, and over the message that said it."""
    translator = Translator.default()
    messages = list(people.admissions(50))
    pairs = cycle([(translator.to_fhir(message).bundle, message) for message in messages])
    alone, over = times(
        [lambda: translator.to_v2(next(pairs)[0]), lambda: translator.to_v2(*next(pairs))], min(rounds, 500)
    )
    return [
        Row("translate", "to v2, without a prior message", _us(median(alone))),
        Row("translate", "to v2, over the prior message", _us(median(over))),
    ]


def _us(value: float) -> str:
    return f"{value:,.0f} us" if value >= 1000 else f"{value:.1f} us"
