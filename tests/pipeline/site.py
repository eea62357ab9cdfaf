"""What the tests of the cycle share: a link with the demo's real maps, a real store, and its two partners."""

from __future__ import annotations

import dataclasses
import datetime as dt
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

from connector.edges import scopes
from connector.edges.tls import Peer
from connector.errors import ConnectorError
from connector.fhir import json
from connector.hl7v2.ack import Ack
from connector.pipeline.deliver import ToV2
from connector.pipeline.dispatch import Delivering, Way
from connector.pipeline.links import Link, Links
from connector.pipeline.ports import Written
from connector.pipeline.receive import V2Receiver
from connector.pipeline.submit import FhirReceiver
from connector.pipeline.supervise import Lane
from connector.pipeline.to_fhir import ToFhir
from connector.pipeline.translate import Translating
from connector.profile import load
from connector.store import Direction, Store
from connector.wiring.links import link_of

NOW: Final = dt.datetime(2026, 11, 23, 10, 15, tzinfo=dt.UTC)
PROFILE: Final = Path(__file__).parents[2] / "profiles" / "demo" / "profile.toml"
TO_FHIR, TO_V2 = Direction.TO_FHIR, Direction.TO_V2
Json = dict[str, Any]


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> dt.datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


def ids(first: int = 1) -> Any:
    """Correlation ids that can be told apart and said beforehand."""
    numbers = count(first)
    return lambda: f"{next(numbers):032x}"


@cache
def demo_link() -> Link:
    return link_of(load(PROFILE))


def link(**changes: Any) -> Link:
    """The demo's link, with some of it changed."""
    return dataclasses.replace(demo_link(), **changes)


def peer(fingerprint: str = "") -> Peer:
    known = next(iter(demo_link().peers))
    return Peer(fingerprint or known, "CN=hospital", (), 1, NOW, "127.0.0.1:40000")


def message(
    control_id: str = "1",
    kind: str = "ADT^A28^ADT_A05",
    *,
    patient: str = "70012",
    phone: str = "5550101",
    msh: Mapping[int, str] | None = None,
    more: Sequence[str] = (),
) -> str:
    """An ADT about one patient; ``msh`` sets further fields of MSH."""
    given = {1: "|", 2: "^~\\&", 3: "STVADT", 4: "STV", 5: "CONNECTOR", 6: "DEMO", 7: "20261123101500+0100"}
    fields = {**given, 9: kind, 10: control_id, 11: "P", 12: "2.5.1", **(msh or {})}
    header = "|".join(["MSH", *(fields.get(number, "") for number in range(2, max(fields) + 1))])
    pid = f"PID|1||{patient}^^^STV^MR||Beispiel^Clara||19840212|F|||||^PRN^PH^^43^1^{phone}"
    return "".join(f"{line}\r" for line in (header, "EVN||20261123101500+0100", pid, *more))


def patient(identity: str = "fhir-1", street: str = "Rosenallee 12", **more: Any) -> Json:
    """A patient as the FHIR side writes one."""
    return {
        "resourceType": "Patient",
        "id": identity,
        "identifier": [{"system": "urn:oid:2.999.1.1", "value": "80001"}],
        "name": [{"family": "Muster", "given": ["Bea"]}],
        "address": [{"line": [street], "city": "Musterstadt"}],
        **more,
    }


@dataclass(frozen=True)
class Who:
    client_id: str = "analyst"
    scope: str = "system/*.cruds"

    def may(self, verb: str, type_name: str, resource: Mapping[str, Any] | None) -> bool:
        return scopes.allows(scopes.parse(self.scope), type_name, verb, resource)


@dataclass(frozen=True)
class Sent:
    """A submission, as the HTTP edge makes it."""

    resource: Json
    kind: str = "update"
    resource_type: str = "Patient"
    resource_id: str = ""
    if_match: str = ""
    principal: Who = Who()
    peer: Peer = field(default_factory=peer)

    @property
    def raw(self) -> bytes:
        return json.dumps(self.resource)

    @classmethod
    def update(cls, resource: Json, **more: Any) -> Sent:
        return cls(resource, "update", resource["resourceType"], resource["id"], **more)

    @classmethod
    def bundle(cls, *resources: Json, **bundle: Any) -> Sent:
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in resources
        ]
        whole = {"resourceType": "Bundle", "type": "transaction", "entry": entries, **bundle}
        return cls(whole, "transaction", "Bundle")


@dataclass
class Hospital:
    """Takes v2; ``answers`` are given in turn, then AA. An error among them is raised."""

    answers: list[Ack | ConnectorError] = field(default_factory=list)
    got: list[tuple[str, bytes]] = field(default_factory=list)

    async def send(self, payload: bytes, control_id: str) -> Ack:
        self.got.append((control_id, payload))
        answer = self.answers.pop(0) if self.answers else Ack("AA", control_id)
        if isinstance(answer, ConnectorError):
            raise answer
        return answer


@dataclass
class FhirSide:
    """Takes transactions; ``errors`` are raised in turn before anything is taken (None: it is taken)."""

    errors: list[ConnectorError | None] = field(default_factory=list)
    resources: dict[str, Json] = field(default_factory=dict)
    got: list[Json] = field(default_factory=list)

    async def send(self, bundle: Json) -> list[Written]:
        self.got.append(bundle)
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        for entry in bundle["entry"]:
            self.resources[entry["request"]["url"]] = entry["resource"]
        return [Written(entry["request"]["url"], str(len(self.got))) for entry in bundle["entry"]]

    async def read(self, key: str) -> Json | None:
        return self.resources.get(key)

    async def find(self, kind: str, query: str) -> list[Json]:
        raise NotImplementedError

    def of(self, kind: str) -> list[Json]:
        return [one for one in self.resources.values() if one["resourceType"] == kind]


class Cycle:
    """One link with everything of the cycle but the sockets."""

    def __init__(self, store: Store, folder: Path, first: int = 1, **changes: Any) -> None:
        self.store, self.folder, self.clock = store, folder, Clock()
        self.link = link(**changes)
        self.hospital, self.fhir = Hospital(), FhirSide()
        links, fresh = Links([self.link]), ids(first)
        self.v2 = V2Receiver(links, store, self.clock, fresh)
        self.api = FhirReceiver(links, store, self.clock, fresh)
        ways: dict[Direction, Any] = {
            TO_FHIR: ToFhir(self.fhir, store, self.link, self.clock),
            TO_V2: ToV2(self.hospital),
        }
        self.lanes = {way: self._lane(way, sender) for way, sender in ways.items()}

    def _lane(self, direction: Direction, way: Way) -> Lane:
        translating = Translating(self.link, direction, self.store, self.clock)
        delivering = Delivering(self.link.name, direction, self.store, self.clock, way)
        return Lane(translating, delivering, self.clock)

    async def receive(self, text: str | bytes, who: Peer | None = None) -> str | None:
        payload = text if isinstance(text, bytes) else text.encode("utf-8")
        answer = await self.v2.receive(payload, who or peer())
        return None if answer is None else answer.decode("utf-8")

    async def submit(self, sent: Sent) -> str:
        return (await self.api.submit(sent)).correlation_id

    async def run(self) -> None:
        """Translate and deliver all that can be, both ways."""
        for lane in self.lanes.values():
            await lane.translating.step()
            while await lane.delivering.step():
                pass

    async def counts(self, direction: Direction) -> Any:
        return (await self.store.counts())[self.link.name, direction]

    def entries(self, tag: str = "") -> list[Json]:
        """The audit trail, as somebody else reads it."""
        return [one for one in _entries(self.folder) if one["tag"].startswith(tag)]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What stands in the database, or what is done to it behind the store's back."""
        connection = sqlite3.connect(self.folder / "store.db")
        try:
            with connection:
                return list(connection.execute(query))
        finally:
            connection.close()

    def tags(self) -> list[str]:
        return [str(one["tag"]) for one in _entries(self.folder)]


def _entries(folder: Path) -> Iterator[Json]:
    connection = sqlite3.connect(folder / "store.db")
    try:
        for (entry,) in connection.execute("SELECT entry FROM audit_entry ORDER BY seq"):
            yield json.loads(entry)
    finally:
        connection.close()
