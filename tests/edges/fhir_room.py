"""One link from its v2 side to a FHIR server over real mutual TLS, with a real store between."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from connector.edges.fhir_client import Delivery, FhirClient
from connector.edges.http_exchange import Waits
from connector.edges.http_replies import Reply
from connector.pipeline.dispatch import Delivering, Rules
from connector.pipeline.identity import Identity, Ids
from connector.pipeline.reconcile import USUAL, Authority
from connector.pipeline.sending import Sending
from connector.pipeline.supervise import Lane
from connector.pipeline.to_fhir import ToFhir
from connector.pipeline.translate import Translating
from connector.store import Store

from ..faults.proxy import Faults, Proxy
from ..pipeline.site import TO_FHIR, Cycle
from ..store.site import open_store
from .fhir_server import FhirServer
from .partner_site import Partner

SYSTEM: Final = "urn:uuid:00000000-0000-5000-8000-000000000001"
WAITS: Final = Waits(5, 5, 5, 5, 5)

VISIT: Final = "PV1|1|I|MED3^311^B^STV||||||||||||||||V900101^^^STV^VN"
ORDER: Final = "OBR|1|A{0}^STV|F{0}^STV|24331-1^Lipids^LN|||20261123101500+0100|||||||||||||||||||F"
RESULT: Final = "OBX|1|NM|718-7^Hb^LN||{}|g/dL|||||F"


def report(control_id: str = "9", value: str = "7.2", patient: str = "70012") -> str:
    """An ORU with one result, which has no identifier of its own."""
    header = rf"MSH|^~\&|STVADT|STV|CONNECTOR|DEMO|20261123101500+0100||ORU^R01^ORU_R01|{control_id}|P|2.5.1"
    pid = f"PID|1||{patient}^^^STV^MR||Beispiel^Clara||19840212|F"
    return "".join(f"{line}\r" for line in (header, pid, ORDER.format(patient), RESULT.format(value)))


@dataclass
class FhirRoom:
    """Everything around one link."""

    cycle: Cycle
    partner: Partner
    server: FhirServer
    client: FhirClient
    proxy: Proxy

    @property
    def store(self) -> Store:
        return self.cycle.store

    async def takes(self, *messages: str) -> None:
        """The messages come in and are translated and delivered, one by one."""
        for message in messages:
            await self.cycle.receive(message)
            await self.work()

    async def work(self) -> None:
        """Translate what is there and deliver what is due."""
        lane = self.cycle.lanes[TO_FHIR]
        await lane.translating.step()
        while await lane.delivering.step():
            pass

    async def later(self, seconds: float = 400.0) -> None:
        """Time goes by, and what waited is tried again."""
        self.cycle.clock.move(seconds)
        await self.work()

    def restart(self) -> None:
        """What is only in memory is lost."""
        lane = self.cycle.lanes[TO_FHIR]
        old = lane.delivering._way
        assert isinstance(old, ToFhir)
        lane.delivering._way = ToFhir(
            self.client, self.store, self.cycle.link, self.cycle.clock, old._sending
        )

    async def state(self) -> tuple[str, int, str]:
        """State, attempts and reason of the newest outgoing message."""
        return (await self.states())[-1]

    async def states(self) -> list[tuple[str, int, str]]:
        """State, attempts and reason of every outgoing message."""
        return self.cycle.rows("SELECT delivery, attempts, reason FROM outbox ORDER BY id")

    def condition(self) -> str:
        """What keeps the lane back; "" nothing."""
        return self.cycle.lanes[TO_FHIR].delivering.condition()


@asynccontextmanager
async def fhir_room(
    folder: Path,
    server: FhirServer | None = None,
    *,
    ids: Ids = "client",
    searches: bool = False,
    delivery: Delivery = "transaction",
    waits: Waits = WAITS,
    replies: Mapping[int, Reply] | None = None,
    answer_limit: int = 1_000_000,
    network: Sequence[Faults] = (),
    lane: Literal["link", "patient"] = "link",
    authority: Authority = USUAL,
    leaves_out: bool = True,
    **sending: Any,
) -> AsyncIterator[FhirRoom]:
    """``network``: what happens to connections, in turn; ``sending``: further fields of ``Sending``."""
    server = server or FhirServer()
    store = open_store(folder)
    partner = Partner(folder, replies=[server])
    try:
        async with partner.running(), Proxy(partner.port, deque(network)).running() as proxy:
            client = FhirClient(
                partner.base.replace(f":{partner.port}/", f":{proxy.port}/"),
                partner.context,
                None,
                delivery=delivery,
                waits=waits,
                replies=replies or {},
                answer_limit=answer_limit,
            )
            identity = Identity(ids, SYSTEM, searches=searches)
            link = {"lane": lane, "identity": identity, "authority": authority, "leaves_out": leaves_out}
            cycle = Cycle(store, folder, **link)
            way = ToFhir(client, store, cycle.link, cycle.clock, Sending(delivery=delivery, **sending))
            rules = Rules(lane=lane)
            delivering = Delivering(cycle.link.name, TO_FHIR, store, cycle.clock, way, rules=rules)
            translating = Translating(cycle.link, TO_FHIR, store, cycle.clock)
            cycle.lanes[TO_FHIR] = Lane(translating, delivering, cycle.clock)
            yield FhirRoom(cycle, partner, server, client, proxy)
            await client.close()
    finally:
        await store.close()
