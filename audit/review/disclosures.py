"""The accounting of disclosures for one patient (45 CFR 164.528): when, to whom, what, why; and who looked.

The patient is a pseudonym, or several: one for each medical record number. In one pass over the whole log: a
delivery that does not name its patients is found by its correlation, so what came in before the period must
be seen as well.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from audit.review.content import SEARCHED, VIEWED, patients
from audit.review.period import BEGINNING, END, Asked, second
from audit.review.plain import Entry, because, cell, partner, person, shown, who
from audit.review.report import Finding, Report, Row, Section, table
from audit.review.seals import Seal
from audit.review.seals import section as sealed
from audit.review.tally import Counted, Key, Tally

TITLE: Final = "Accounting of disclosures"
ACKNOWLEDGED: Final = "taken by the receiver"
_OUTCOMES: Final = {
    "intended": "sent; what became of it is not known",
    "deferred": "tried; it is not known how much of it arrived",
    "refused": "refused by the receiver, who may have seen it",
    "acknowledged": ACKNOWLEDGED,
}
_RANK: Final = tuple(_OUTCOMES)  # what says most of where the content is comes last
_ANSWER: Final = "answer"  # the direction of acknowledgments
_SIDES: Final = {"fhir": "FHIR side", "v2": "v2 side"}
_COUNTED: Final = (
    "Counted is every delivery about this patient of which anything was sent in the period, to either side "
    "of each link, for whatever purpose: also what the receiver refused, and what was never answered, since "
    "its content may have been seen. One line is one delivery with all its attempts.",
    "Not counted: acknowledgments, which hold nothing of a patient but its message's number; copies of the "
    "audit log, in which patients are pseudonyms; encrypted backups; and what receivers pass on. The law "
    "leaves out of an accounting what is disclosed for treatment, payment and operations, within an "
    "organisation, or to the patient: the log cannot know which that is, so the lines of such links are to "
    "be taken out by who knows the links.",
    "Purpose: as the profile of the link states it. Where to: as it is configured now.",
)
_INSIDE: Final = (
    "Whoever read what messages about this patient say, looked for the patient, or worked on such messages, "
    "through the connector, with the reason that was given before.",
)
COLUMNS: Final = ("First sent", "Last sent", "To whom", "Where to", "What", "Purpose", "Outcome", "Attempts")
LOOKED: Final = ("First", "Last", "Who", "From", "What", "Reason given", "How", "Times")
_CSV: Final = (
    "Kind",
    "First",
    "Last",
    "Who",
    "Where",
    "What",
    "Purpose or reason",
    "Outcome",
    "Times",
    "Entries",
)
RECENT: Final = 10_000  # messages whose patients are not known yet
ALL: Final = 10_000_000  # lines: none may be left out
_UNNAMED: Final = (
    "{count} deliveries were of so many patients at once that not all of them are named in the log. They "
    "are listed only where this patient is among those that are."
)
_BARE: Final = (
    "{count} deliveries name the patient's number without who assigned it. They are not listed, since the "
    "number may be another patient's there: ask for them apart."
)


@dataclass(frozen=True, slots=True)
class Patient:
    """``pseudonyms``: of each record number with its authority, as entries about messages have them.

    ``searched``: of the numbers alone, as entries about searches have them. ``since``, ``until``: UTC.
    ``bare``: of the numbers alone, where ``pseudonyms`` are of numbers with their authority: what was sent
    under them may be another's, so it is counted and not listed. ``purposes``: by link; ``places``: by link
    and standard (``("lab", "fhir")``). ``facts``: what else is to be shown.
    """

    pseudonyms: frozenset[str]
    searched: frozenset[str] = frozenset()
    since: dt.datetime = BEGINNING
    until: dt.datetime = END
    purposes: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[tuple[str, str], str] = field(default_factory=dict)
    bare: frozenset[str] = frozenset()
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Delivery:
    outcome: str = "intended"
    attempts: int = 0
    resources: int = 0
    counted: Counted = field(default_factory=Counted)


class Accounting:
    """Takes the entries of the whole log, in their order."""

    def __init__(self, patient: Patient) -> None:
        self._patient = patient
        self._since, self._until = second(patient.since), second(patient.until)
        self._about: dict[str, str] = {}  # the correlation of each message about the patient: what it is
        self._recent: dict[str, str] = {}
        self._deliveries: dict[Key, _Delivery] = {}
        self._looks = Tally(most=ALL)
        self._unnamed = self._bare = self._last = 0

    def see(self, entry: Entry) -> None:
        """One entry."""
        tag, self._last = entry["tag"], entry["seq"]
        subject, _, rest = tag.partition(":")
        if subject == "delivery":
            standard, _, verb = rest.partition(":")
            self._delivered(entry, standard, verb)
        elif subject == "message":
            self._came(entry)
        elif subject in ("operator", "store", "conflict") and self._within(entry) and self._concerns(entry):
            self._looked(entry)

    def _came(self, entry: Entry) -> None:
        """Whom it is about may be known only when it is delivered, so what came last is remembered."""
        correlation, what = entry["correlation"], _what(entry)
        if what and correlation not in self._about:
            self._recent[correlation] = what
            while len(self._recent) > RECENT:
                del self._recent[next(iter(self._recent))]
        if self._named(entry):
            self._known(correlation)

    def _known(self, correlation: str) -> None:
        self._about[correlation] = self._recent.pop(correlation, "") or self._about.get(correlation, "")

    def _named(self, entry: Entry) -> bool:
        return not self._patient.pseudonyms.isdisjoint(patients(entry))

    def _concerns(self, entry: Entry) -> bool:
        """Of people: by name; where none is named, by what they looked for, or by the message."""
        if entry["object"].get("patient"):
            return self._named(entry)
        searched = entry["object"].get("pseudonym")
        known = isinstance(searched, str) and searched in self._patient.searched | self._patient.pseudonyms
        return known or (not searched and entry["correlation"] in self._about)

    def _within(self, entry: Entry) -> bool:
        return bool(self._since <= entry["time"][:19] < self._until)

    def _delivered(self, entry: Entry, standard: str, verb: str) -> None:
        """One that names patients is about those; one that names none is about those of its message."""
        what = entry["object"]
        if verb not in _OUTCOMES or what.get("direction") == _ANSWER or not self._within(entry):
            return
        named = patients(entry)
        if named and not self._named(entry):
            self._unnamed += verb == "acknowledged" and bool(what.get("patients"))
            self._bare += verb == "acknowledged" and not self._patient.bare.isdisjoint(named)
            return
        if named:
            self._known(entry["correlation"])
        elif entry["correlation"] not in self._about:
            return
        key = (partner(entry), standard, entry["correlation"], _number(what.get("number")))
        delivery = self._deliveries.setdefault(key, _Delivery())
        delivery.outcome = max(delivery.outcome, verb, key=_RANK.index)
        delivery.attempts = max(delivery.attempts, _number(what.get("attempt")))
        delivery.resources = max(delivery.resources, _number(what.get("resources")))
        delivery.counted.add(entry)

    def _looked(self, entry: Entry) -> None:
        what = entry["object"]
        kind = shown(what.get("kind", ""))
        done = {
            VIEWED: f"saw the content of a {kind or 'message'}",
            SEARCHED: f"looked for the patient by {kind or 'identifier'}",
        }.get(entry["tag"], shown(entry["tag"]))
        link = f"; link {partner(entry)}" if partner(entry) else ""
        glass = "by broken glass" if entry["actor"].get("emergency") is True else "by role"
        how = glass if entry["outcome"] == "success" else shown(entry["outcome"])
        name = person(entry) or who(entry)
        self._looks.add(
            (name, shown(entry["actor"].get("address", "")), done + link, because(entry), how), entry
        )

    # --- what comes of it

    def report(self, seals: tuple[Seal, ...] = ()) -> Report:
        """Disclosures, then who looked, then what proves it."""
        disclosed = table("Disclosures", COLUMNS, self._disclosed(), self._note(), most=ALL)
        looked = table(
            "Views, searches and acts of people", LOOKED, self._inside(), self._looks.note, most=ALL
        )
        found = (
            Finding(len(disclosed.rows) + disclosed.left_out, "Disclosures", "disclosures"),
            Finding(len(looked.rows) + looked.left_out, "Lines of views, searches and acts inside", "inside"),
        )
        sections = (
            Section("disclosures", "Disclosures to others", _COUNTED, (disclosed,)),
            Section("inside", "Who looked at it inside", _INSIDE, (looked,)),
            sealed(seals, self._last),
        )
        return Report(TITLE, self._facts(), found, sections)

    def _facts(self) -> tuple[tuple[str, str], ...]:
        asked = self._patient
        facts = (
            ("Patient", f"{', '.join(sorted(asked.pseudonyms))} (a pseudonym that stands in the audit log)"),
            ("Period (UTC)", Asked(asked.since, asked.until).period),
            *asked.facts,
        )
        return tuple((name, shown(value)) for name, value in facts)

    def _note(self) -> str:
        told = ((self._unnamed, _UNNAMED), (self._bare, _BARE))
        return " ".join(words.format(count=count) for count, words in told if count)

    def _disclosed(self) -> list[Row]:
        return [self._line(*pair) for pair in self._deliveries.items()]

    def _line(self, key: Key, one: _Delivery) -> Row:
        link, standard, correlation, _ = map(str, key)
        resources = f", as {one.resources} FHIR resources" if one.resources else ""
        cells = (
            *one.counted.lasted,
            f"{link}, {_SIDES.get(standard, shown(standard))}",
            shown(self._patient.places.get((link, standard), "")) or "not configured now",
            f"{self._about.get(correlation) or 'a message'}{resources}",
            shown(self._patient.purposes.get(link, "")) or "not stated in the profile of the link",
            _OUTCOMES[one.outcome],
            one.attempts,
        )
        return Row(cells, one.counted.refs)

    def _inside(self) -> list[Row]:
        return [Row((*one.lasted, *key, one.times), one.refs) for key, one in self._looks.found.items()]


def _what(entry: Entry) -> str:
    """What came in, of which deliveries are made."""
    what = entry["object"]
    if what.get("message"):
        return f"message {shown(what['message'])}"
    return (
        f"FHIR {shown(what.get('interaction', 'request'))} of {shown(what['resource'])}"
        if what.get("resource")
        else ""
    )


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0


def spreadsheet(report: Report) -> str:
    """Both tables as one of CSV (RFC 4180), which tells them apart by its first column."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_CSV)
    for kind, section in zip(("disclosure", "inside"), report.sections):
        for row in section.tables[0].rows:
            writer.writerow([kind, *map(cell, row.cells), str(row.refs)])
    return out.getvalue()
