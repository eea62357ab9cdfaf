"""Two partner systems that keep talking: what they say, and what the other side should know afterwards.

Every message and every change carries a *revision*, a number that grows for each subject, so that the
order in which something arrived can be read from what arrived.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from connector.demo import tls
from connector.demo.messages import split
from connector.demo.site import Site

from .senders import Said, Sender, Taken

Revisions = dict[str, list[int]]
Revise = Callable[[str], int]

SENDERS: Final = 8
ADMITTED: Final = [f"H{number}" for number in range(40)]  # patients that only the hospital changes
MOVING: Final = [f"M{number}" for number in range(5)]  # of the hospital, changed at the FHIR side by people
REGISTERED: Final = [f"f-{number}" for number in range(5)]  # patients that only the FHIR side knows
AUTHORITY: Final = "urn:oid:2.999.1.1"
_EVENTS: Final = ("A08", "A08", "A31", "A02")
_AHEAD: Final = 6  # changes that may wait for their turn
_PATIENCE: Final = 60.0
_PACE: Final = 0.08  # seconds between two messages of a sender


def admission(event: str, patient: str, identity: str, revision: int) -> str:
    """An ADT that says the revision in the patient's street."""
    return _message(
        rf"MSH|^~\&|STVADT|STV|CONNECTOR|DEMO|20261123101500+0100||ADT^{event}|{identity}|P|2.5.1",
        f"EVN|{event}|20261123101500+0100",
        f"PID|1||{patient}^^^STV^MR||Storm^Stella^^^^^L||19700101|F|||{_street(revision)}^^Wien^^1010^AUT^H",
        f"PV1|1|I|W1^{revision}^1^STV||||||||||||||||V{patient}^^^STV^VN",
    )


def result(patient: str, identity: str, revision: int) -> str:
    """An ORU that corrects the patient's one result: its value is the revision."""
    return _message(
        rf"MSH|^~\&|STVLAB|STV|CONNECTOR|DEMO|20261123101500+0100||ORU^R01^ORU_R01|{identity}|P|2.5.1",
        f"PID|1||{patient}^^^STV^MR||Storm^Stella^^^^^L||19700101|F",
        f"OBR|1|P{patient}^STVADT|F{patient}^STVLAB|718-7^Hemoglobin^LN|||20261123100000+0100"
        "|||||||||||||||20261123101500+0100||LAB|C",
        f"OBX|1|NM|718-7^Hemoglobin^LN||{revision}|g/L^gram per liter^UCUM|||||C",
    )


def registered(key: str, revision: int) -> dict[str, Any]:
    """A patient of the FHIR side."""
    return {
        "resourceType": "Patient",
        "id": key,
        "identifier": [{"system": AUTHORITY, "value": key}],
        "name": [{"family": "Sturm", "given": ["Stefan"]}],
        "gender": "male",
        "birthDate": "1971-02-03",
        "address": [{"use": "home", "line": [_street(revision)], "city": "Graz"}],
    }


class Ward:
    """The patients of one sender, and what it says of them."""

    def __init__(self, number: int, patients: list[str], revise: Revise) -> None:
        self._patients, self._revise = patients, revise
        self._admissions = iter(patients)
        self._count = itertools.count()
        self._number = number

    def __call__(self, chance: random.Random) -> Said:
        """The next message: every patient is admitted before anything else is said of anybody."""
        patient = next(self._admissions, "")
        event = "A01" if patient else chance.choice((*_EVENTS, "R01", "R01"))
        patient = patient or chance.choice([one for one in self._patients if one in ADMITTED])
        subject = f"{patient} result" if event == "R01" else patient
        revision, identity = self._revise(subject), f"S{self._number}{next(self._count):06}"
        if event == "R01":
            return Said(identity, subject, revision, result(patient, identity, revision))
        return Said(identity, subject, revision, admission(event, patient, identity, revision))


@dataclass
class Storm:
    """Keeps both partners busy until it is stopped; ``changed`` holds the FHIR side's revisions in order."""

    site: Site
    chance: random.Random
    senders: list[Sender] = field(init=False)
    changed: Revisions = field(default_factory=lambda: defaultdict(list))  # Patient/id -> revisions
    _revision: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        patients = [*MOVING, *ADMITTED]
        self.senders = [
            Sender(
                self.site,
                Ward(number, patients[number::SENDERS], self._next),
                _PACE,
                self.chance.randrange(2**32),
                self._over,
            )
            for number in range(SENDERS)
        ]

    @property
    def taken(self) -> list[Taken]:
        """Every acknowledged message, sender by sender."""
        return [one for sender in self.senders for one in sender.taken]

    def acknowledged(self) -> int:
        """How many messages were acknowledged so far."""
        return sum(len(sender.taken) for sender in self.senders)

    def until_people_changed(self, count: int) -> None:
        """Go on until there were so many changes at the FHIR side, which come one by one."""
        end = time.monotonic() + _PATIENCE
        while sum(map(len, list(self.changed.values()))) < count and time.monotonic() < end:
            time.sleep(0.05)

    @contextmanager
    def blowing(self) -> Iterator[None]:
        """Both sides talk while the block runs."""
        tasks = [*self.senders, threading.Thread(target=self._people)]
        for task in tasks:
            task.start()
        try:
            yield
        finally:
            self._over.set()
            for task in tasks:
                task.join(30)

    def _people(self) -> None:
        context = tls.client_context(self.site.folder, "analyst")
        with httpx2.Client(verify=context, base_url=f"{self.site.sandbox_url}/admin", timeout=20) as client:
            while not self._over.wait(0.03):
                if client.get("/stats").json()["notices"]["waiting"] < _AHEAD:
                    self._change(client, self.chance.choice((*MOVING, *REGISTERED)))

    def _change(self, client: httpx2.Client, patient: str) -> None:
        if patient in REGISTERED:
            content = registered(patient, self._next(patient))
        else:
            found = client.get("/Patient", params={"identifier": f"{AUTHORITY}|{patient}"}).json()
            if not found["total"]:
                return  # the admission is still on its way
            content = found["entry"][0]["resource"]
            content["address"][0]["line"] = [_street(self._next(patient))]
        key = f"Patient/{content['id']}"
        answer = client.put(f"/{key}", json=content)
        assert answer.status_code in (200, 201), answer.status_code
        self.changed[key].append(self._revision[patient])

    def _next(self, subject: str) -> int:
        self._revision[subject] += 1
        return self._revision[subject]


@dataclass
class FhirSide:
    """What the sandbox wrote, read from its file: every version of every resource, in order."""

    versions: dict[str, list[tuple[str, dict[str, Any]]]]  # key -> author and content

    @classmethod
    def read(cls, path: Path) -> FhirSide:
        """Read the ledger."""
        versions = defaultdict(list)
        for line in lines(path):
            for change in line.get("changes", ()):
                versions[change["key"]].append((line["author"], change["resource"]))
        return cls(dict(versions))

    def revisions(self) -> Revisions:
        """Of the subjects of the hospital's messages, as the connector wrote them."""
        found: Revisions = defaultdict(list)
        numbers = {key: self.number(key) for key in self.versions if key.startswith("Patient/")}
        for key, written in self.versions.items():
            for author, content in written:
                if author == "connector" and key in numbers:
                    _grow(found[numbers[key]], street(json.dumps(content)))
                elif author == "connector" and key.startswith("Observation/"):
                    patient = numbers[content["subject"]["reference"]]
                    _grow(found[f"{patient} result"], int(content["valueQuantity"]["value"]))
        return dict(found)

    def number(self, key: str) -> str:
        """The patient's number at the hospital."""
        return str(self.versions[key][0][1]["identifier"][0]["value"])


def heard(received: list[dict[str, Any]]) -> Revisions:
    """What the hospital received, by patient number, leaving out what was repeated."""
    found: Revisions = defaultdict(list)
    for line in received:
        if not line["repeat"]:
            found[patient_of(line["message"])].append(street(line["message"]))
    return dict(found)


def patient_of(message: str) -> str:
    """The patient's number at the hospital."""
    identifiers = next(text for text in message.split("\r") if text.startswith("PID")).split("|")[3]
    return identifiers.partition("^")[0]


def lines(path: Path) -> list[dict[str, Any]]:
    """A JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def street(text: str) -> int:
    """The revision in a text."""
    found = re.search(r"Sturmgasse (\d+)", text)
    assert found is not None
    return int(found[1])


def _street(revision: int) -> str:
    return f"Sturmgasse {revision}"


def _grow(revisions: list[int], revision: int) -> None:
    """A version that says the same revision changed something else (an identifier, a reference)."""
    if not revisions or revisions[-1] != revision:
        revisions.append(revision)


def _message(*segments: str) -> str:
    text = "".join(f"{segment}\r" for segment in segments)
    assert split(text.encode()) == [text.encode()]
    return text
