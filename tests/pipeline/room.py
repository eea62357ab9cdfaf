"""The cycle of one link over a real store and the real translator of the shipped profile.

Only the partners are made up: they answer as a test tells them to.
"""

from __future__ import annotations

import datetime as dt
import itertools
import resource
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from audit import AuditLog
from connector.edges import scopes
from connector.edges.http_ports import Kind, Submission
from connector.edges.oauth import Principal
from connector.fhir import json as fjson
from connector.hl7v2.ack import Ack, Fault, read_ack
from connector.pipeline.breaker import Pauses
from connector.pipeline.deliver import ToV2
from connector.pipeline.dispatch import Delivering, Rules
from connector.pipeline.links import Link, Links
from connector.pipeline.ports import Written
from connector.pipeline.receive import V2Receiver
from connector.pipeline.submit import FhirReceiver
from connector.pipeline.supervise import Lane
from connector.pipeline.to_fhir import ToFhir
from connector.pipeline.translate import Translating
from connector.profile.load import load
from connector.store import Counts, Direction, Store
from connector.wiring.links import link_of
from tests.store.site import open_store

SHIPPED: Final = Path(__file__).parents[2] / "profiles" / "demo" / "profile.toml"
TO_FHIR, TO_V2 = Direction.TO_FHIR, Direction.TO_V2
START: Final = dt.datetime(2026, 11, 23, 10, 15, tzinfo=dt.UTC)
SECRET: Final = "Geheimnisvoll"


@dataclass(frozen=True)
class KnownPeer:
    """The hospital of the shipped profile; ``number`` 2 is its FHIR side."""

    number: int = 1
    subject: str = "CN=partner"
    address: str = "127.0.0.1:5000"
    sans: tuple[str, ...] = ()
    serial: int = 1
    not_after: dt.datetime = START

    @property
    def fingerprint(self) -> str:
        return f"sha256:{self.number:064}"


_FHIR_SIDE: Final = Principal("fhir", scopes.parse("system/*.cruds"), "")
HOSPITAL: Final = KnownPeer()
STRANGER: Final = KnownPeer(9)


class Clock:
    """Moves only when a test moves it."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> dt.datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.time += dt.timedelta(seconds=seconds)


class Audit(AuditLog):
    """The real log, which a test can break."""

    broken = False

    def append(self, connection: Connection, drafts: Sequence[Any]) -> None:
        if self.broken:
            raise RuntimeError(SECRET)
        super().append(connection, drafts)


class HospitalPartner:
    """Takes v2 and answers as ``answers`` says: a code, a code and its condition, or an error; else AA."""

    def __init__(self) -> None:
        self.answers: deque[str | tuple[str, str] | Exception] = deque()
        self.got: list[str] = []

    async def send(self, payload: bytes, control_id: str) -> Ack:
        said = self.answers.popleft() if self.answers else "AA"
        if isinstance(said, Exception):
            raise said
        code, condition = (said, "") if isinstance(said, str) else said
        self.got.append(payload.decode())
        return Ack(code, control_id, (Fault(condition, "", "E"),) if condition else ())


class FhirPartner:
    """Takes transactions; an error in ``answers`` is raised instead."""

    def __init__(self) -> None:
        self.answers: deque[Exception] = deque()
        self.got: list[dict[str, Any]] = []

    async def send(self, bundle: dict[str, Any]) -> list[Written]:
        if self.answers:
            raise self.answers.popleft()
        self.got.append(bundle)
        return [Written(entry["request"]["url"], "1") for entry in bundle["entry"]]

    async def read(self, key: str) -> dict[str, Any] | None:
        entries = [entry for bundle in self.got for entry in bundle["entry"]]
        return next((one["resource"] for one in reversed(entries) if one["request"]["url"] == key), None)

    async def find(self, kind: str, query: str) -> list[dict[str, Any]]:
        raise NotImplementedError

    def patients(self) -> list[dict[str, Any]]:
        """Every patient that was written, in order."""
        return [resource for bundle in self.got for resource in of_type(bundle, "Patient")]


@dataclass
class Room:
    """One link with everything around it."""

    folder: Path
    link: Link
    store: Store
    audit: Audit
    clock: Clock
    hospital: HospitalPartner = field(default_factory=HospitalPartner)
    fhir: FhirPartner = field(default_factory=FhirPartner)

    def __post_init__(self) -> None:
        ids = (f"{number:032x}" for number in itertools.count(1))
        links = Links([self.link])
        self.receiver = V2Receiver(links, self.store, self.clock, ids.__next__)
        self.submitter = FhirReceiver(links, self.store, self.clock, ids.__next__)
        pauses = Pauses(1.0, 2.0, 60.0)
        common = (self.store, self.clock)
        rules = Rules(lane=self.link.lane)
        fhir = ToFhir(self.fhir, self.store, self.link, self.clock)
        self.to_fhir = Delivering(self.link.name, TO_FHIR, *common, fhir, pauses, rules)
        self.to_v2 = Delivering(self.link.name, TO_V2, *common, ToV2(self.hospital), pauses, rules)
        self.lanes = {
            way.direction: Lane(
                Translating(self.link, way.direction, self.store, self.clock), way, self.clock
            )
            for way in (self.to_fhir, self.to_v2)
        }

    async def take(self, message: str | bytes, peer: KnownPeer = HOSPITAL) -> bytes | None:
        """What is answered to a frame."""
        payload = message.encode() if isinstance(message, str) else message
        return await self.receiver.receive(payload, peer)

    async def ack(self, message: str | bytes) -> Ack:
        """The acknowledgment of a frame."""
        answer = await self.take(message)
        assert answer
        return read_ack(answer.decode("utf-8", "replace"))

    async def put(self, content: dict[str, Any], if_match: str = "") -> str:
        """Submit one resource as the FHIR side does; the correlation id."""
        key, raw = (content["resourceType"], content["id"]), fjson.dumps(content)
        principal = _FHIR_SIDE
        taken = await self.submitter.submit(
            Submission(Kind.UPDATE, content, raw, "u", *key, if_match, principal, KnownPeer(2))
        )
        return taken.correlation_id

    async def post(self, bundle: dict[str, Any]) -> str:
        """Submit a transaction."""
        raw, kind = fjson.dumps(bundle), Kind(bundle["type"])
        taken = await self.submitter.submit(
            Submission(kind, bundle, raw, "", "Bundle", "", "", _FHIR_SIDE, KnownPeer(2))
        )
        return taken.correlation_id

    async def work(self, direction: Direction, deliveries: int = 100) -> None:
        """Translate what is there, then deliver what is due."""
        lane = self.lanes[direction]
        await lane.translating.step()
        for _ in range(deliveries):
            if not await lane.delivering.step():
                return

    async def counts(self, direction: Direction) -> Counts:
        return (await self.store.counts()).get((self.link.name, direction), Counts())


@asynccontextmanager
async def room(folder: Path, **settings: str) -> AsyncIterator[Room]:
    """``settings``: lines of the shipped profile to replace, by table and key (``fhir__delivery``)."""
    clock, audit = Clock(), Audit()
    store = open_store(folder, audit)
    try:
        yield Room(folder, link(settings), store, audit, clock)
    finally:
        await store.close()


def link(settings: Mapping[str, str]) -> Link:
    """The link of the shipped profile with other settings."""
    lines = SHIPPED.read_text().splitlines()
    for key, value in settings.items():
        table, _, name = key.rpartition("__")
        _set(lines, f"[{table.replace('__', '.')}]", name, value)
    return _compiled("\n".join(lines))


@cache
def _compiled(profile: str) -> Link:
    """Compiling the maps takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "profile.toml")
        path.write_text(profile)
        return link_of(load(path))


def _set(lines: list[str], table: str, name: str, value: str) -> None:
    if table not in [line.partition(" #")[0] for line in lines]:
        lines += [table, f"{name} = {value}"]
        return
    start = next(n for n, line in enumerate(lines) if line.partition(" #")[0] == table) + 1
    end = next((n for n in range(start, len(lines)) if lines[n].startswith("[")), len(lines))
    found = [n for n in range(start, end) if lines[n].startswith(f"{name} = ")]
    lines[found[0] if found else start : found[0] + 1 if found else start] = [f"{name} = {value}"]


@contextmanager
def disk_full() -> Iterator[None]:
    """No file of this process may grow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def adt(
    event: str = "A31",
    identity: str = "C1",
    *,
    patient: str = "H1^^^STV^MR",
    family: str = SECRET,
    header: str = "|P|2.5.1",
    application: str = "STVADT",
    facility: str = "STV",
    more: Sequence[str] = (),
) -> str:
    """A v2 message about one patient."""
    lines = (
        rf"MSH|^~\&|{application}|{facility}|CONNECTOR|DEMO|20261123101500+0100||ADT^{event}|{identity}{header}",
        f"EVN|{event}|20261123101500+0100",
        f"PID|1||{patient}||{family}^Stella^^^^^L||19700101|F",
        *more,
    )
    return "".join(f"{line}\r" for line in lines)


def patient(family: str = SECRET, key: str = "p1", **more: Any) -> dict[str, Any]:
    """A patient of the FHIR side."""
    identifier = {"system": "urn:oid:2.999.1.1", "value": key.upper()}
    name = {"family": family, "given": ["Stefan"]}
    return {"resourceType": "Patient", "id": key, "identifier": [identifier], "name": [name], **more}


def of_type(bundle: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == kind]
