"""When a service is to be done: RPT, RI and the rest of a timing <-> Timing (guide: RPT[Timing], RI[Timing]).

FHIR's invariants decide what can be said: a period has a unit, an offset an event, and times of the day stand
without an event (FHIR R4, Timing: tim-2, tim-9, tim-10).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from .coded import Concept
from .primitives import decimal, number_text, time

UCUM: Final = "http://unitsofmeasure.org"
UNITS: Final[Mapping[str, str]] = {
    **{code: code for code in ("s", "min", "h", "d", "wk", "mo", "a")},
    "hr": "h", "w": "wk", "y": "a", "yr": "a",
}  # fmt: skip
_MINUTES: Final = {
    "s": Decimal(1) / 60,
    "min": Decimal(1),
    "h": Decimal(60),
    "d": Decimal(1440),
    "wk": Decimal(10080),
}
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MEALS: Final = frozenset(("C", "CM", "CD", "CV"))
_WORDS: Final = {"seconds": "s", "minutes": "min", "hours": "h", "days": "d", "weeks": "wk", "months": "mo"}
_LETTERS: Final = dict(zip("SMHDWL", _WORDS.values()))
_OLD: Final = re.compile(r"([SMHDWL])(\d{1,6})\Z", re.ASCII)
PATTERN: Final = ("dayOfWeek", "period", "periodUnit", "when", "offset")


class Patterns:
    """A repeat pattern <-> ``code`` and ``repeat`` of a Timing."""

    def __init__(self, partner: Partner) -> None:
        self.code = Concept("HL70335").compile(partner)
        self.number = decimal(partner)
        self.time = time(partner)
        events = partner.table("HL70528")
        self.events = {v2: coded.code for v2, coded in events.to_fhir.items()}
        self.codes = {code: v2 for v2, code in reversed(self.events.items())} | dict(events.codes_to_v2)

    # --- to FHIR

    def say(self, comps: Comps, timing: Json, scope: Scope) -> list[int]:
        """Say an RPT; the components (from 1) that stay unsaid."""
        unsaid = [n for n in (7, 11) if comp(comps, n - 1)]
        if sent := comp(comps, 0):
            unsaid += self._code(sent, timing, scope)
        repeat: Json = {}
        said = (
            self._days(comps, repeat) | self._period(comps, repeat, scope) | self._event(comps, repeat, scope)
        )
        unsaid += [n for n in (2, 3, 4, 5, 6, 8, 9, 10) if comp(comps, n - 1) and n not in said]
        if repeat:
            timing.setdefault("repeat", {}).update(repeat)
        return sorted(unsaid)

    def _code(self, sent: str, timing: Json, scope: Scope) -> list[int]:
        concept: Json = {}
        assert self.code.whole is not None  # noqa: S101 - Concept looks at the whole
        unsaid = self.code.whole(sent.split(scope.subcomponent), concept, scope)
        if concept:
            timing["code"] = concept
        return [1] if unsaid or not concept else []

    def _days(self, comps: Comps, repeat: Json) -> set[int]:
        """A phase in days of the week: all of them from the first to the last."""
        first, last = comp(comps, 2), comp(comps, 3) or comp(comps, 2)
        if comp(comps, 1) != "DW" or first not in "1234567" or last not in "1234567" or not first:
            return set()
        at, end = int(first) - 1, int(last) - 1
        repeat["dayOfWeek"] = [_DAYS[(at + n) % 7] for n in range((end - at) % 7 + 1)]
        return {2, 3, 4}

    def _period(self, comps: Comps, repeat: Json, scope: Scope) -> set[int]:
        value, unit = self.number.to_fhir(comp(comps, 4)), UNITS.get(self._unit(comp(comps, 5), scope))
        if value is None or value < 0 or unit is None:
            return set()
        repeat |= {"period": value, "periodUnit": unit}
        return {5, 6}

    @staticmethod
    def _unit(text: str, scope: Scope) -> str:
        return scope.unescape(text.split(scope.subcomponent)[0])

    def _event(self, comps: Comps, repeat: Json, scope: Scope) -> set[int]:
        event = self.events.get(comp(comps, 7))
        if event is None:
            return set()
        repeat["when"] = [event]
        offset = self.minutes(comp(comps, 8), self._unit(comp(comps, 9), scope))
        if offset is None or event in _MEALS:
            return {8}
        repeat["offset"] = offset
        return {8, 9, 10}

    def minutes(self, value: str, unit: str) -> int | None:
        """A span of time in whole minutes; ``None`` where it is none."""
        number, factor = self.number.to_fhir(value), _MINUTES.get(UNITS.get(unit, ""))
        if number is None or factor is None or number < 0 or number > 10**6:
            return None
        found = number * factor
        return int(found) if found == int(found) else None

    def times(self, texts: list[str]) -> list[str] | None:
        """Times of the day; ``None`` where one of them is none."""
        found = [self.time.to_fhir(text) for text in texts]
        return None if any(value is None for value in found) else found

    # --- to v2

    def write(self, new: Json, old: Json, comps: Comps, scope: Scope) -> None:
        """Write an RPT for what a Timing says now."""
        if not same(new.get("code"), old.get("code")):
            subs: Comps = []
            if "code" in new:
                self.code.put(new["code"], {}, subs, scope)
            write_comp(comps, 0, scope.subcomponent.join(subs).rstrip(scope.subcomponent))
        now, before = ({name: (one.get("repeat") or {}).get(name) for name in PATTERN} for one in (new, old))
        if not same(now["dayOfWeek"], before["dayOfWeek"]):
            days = [_DAYS.index(day) + 1 for day in now["dayOfWeek"] or () if day in _DAYS]
            for at, text in ((1, "DW"), (2, str(days[0])), (3, str(days[-1]))) if days else ():
                write_comp(comps, at, text)
            if not days:
                _clear(comps, 1, 2, 3)
        if not same((now["period"], now["periodUnit"]), (before["period"], before["periodUnit"])):
            write_comp(comps, 4, number_text(now["period"]) or "")
            write_comp(comps, 5, scope.escape(str(now["periodUnit"] or "")))
        if not same(now["when"], before["when"]):
            write_comp(comps, 7, self.codes.get(str((now["when"] or [""])[0]), ""))
        if not same(now["offset"], before["offset"]):
            write_comp(comps, 8, number_text(now["offset"]) or "")
            write_comp(comps, 9, "" if now["offset"] is None else "min")


def _clear(comps: Comps, *components: int) -> None:
    for at in components:
        write_comp(comps, at, "")


def old_duration(text: str) -> Json | None:
    """TQ.3 (``D5``: five days) as a Duration; ``None`` where it is none."""
    found = _OLD.match(text)
    if not found:
        return None
    code = _LETTERS[found[1]]
    return {"value": Decimal(found[2]), "unit": code, "system": UCUM, "code": code}


def old_duration_text(duration: Any) -> str:
    """A Duration as TQ.3; empty where it cannot be said so."""
    code = duration.get("code") if isinstance(duration, dict) else None
    value = number_text(duration.get("value")) if code else None
    letter = next((letter for letter, unit in _LETTERS.items() if unit == code), "")
    return f"{letter}{value}" if letter and value and value.isdigit() and len(value) < 7 else ""
