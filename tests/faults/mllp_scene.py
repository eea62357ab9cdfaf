"""Changes of FHIR on their way to a v2 partner.

The store, the delivery and the MLLP client with its mutual TLS are real; before the partner stands a proxy.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from connector.edges.hospital import HospitalSide, committed_of, replies_of
from connector.pipeline.afterwards import Afterwards
from connector.pipeline.breaker import Pauses
from connector.pipeline.deliver import ToV2
from connector.pipeline.dispatch import Delivering, Rules
from connector.profile.receiver import V2Receiver
from tests.faults.mllp_partner import MllpPartner, Step
from tests.faults.proxy import Faults, Proxy
from tests.mllp.loopback import Site, until
from tests.pipeline.room import TO_V2, Room, patient, room
from tests.store.site import rows

ROUNDS: Final = 4  # attempts that a row may take, a minute apart
DONE: Final = "delivered positive"


@dataclass(frozen=True)
class Row:
    """``first`` and ``second``: ``delivery acknowledgment attempts``; ``times``: how often each arrived."""

    what: str
    plan: tuple[Step, ...] = ()
    network: tuple[Faults, ...] = ()
    to: Mapping[str, Any] = field(default_factory=dict)
    first: str = f"{DONE} 1"
    second: str = f"{DONE} 1"
    times: tuple[int, ...] = (1, 1)
    stops: str = ""  # "lane": its head waits for a person; "partner": nothing is sent
    connections: int | None = None


@dataclass
class Scene:
    """Everything between a change of FHIR and the partner."""

    here: Room
    partner: MllpPartner
    proxy: Proxy
    side: HospitalSide
    delivering: Delivering

    async def run(self) -> None:
        """Deliver, a minute apart, until nothing moves any more."""
        for number in range(2):
            await self.here.put(patient(f"F{number}", f"p{number}"))
        await self.here.lanes[TO_V2].translating.step()
        await self.deliver(ROUNDS)

    async def deliver(self, rounds: int) -> None:
        """Deliver what is due, again and again, a minute apart."""
        for _ in range(rounds):
            while await self.delivering.step():
                pass
            self.here.clock.pass_by(60)

    @property
    def arrived(self) -> list[str]:
        """The family names of the messages in the order they came, repeats among them: F0, F1."""
        return [one.get("PID-5.1.1") for one in self.partner.messages]

    def state(self) -> list[str]:
        """Of each message: delivery, acknowledgment, attempts."""
        found = rows(self.here.folder, "SELECT delivery, acknowledgment, attempts FROM outbox ORDER BY id")
        return [" ".join(map(str, one)) for one in found]

    async def ends(self, *states: str) -> None:
        """Wait for what comes after the deliveries: answers that are on their way."""
        with contextlib.suppress(TimeoutError):
            await until(lambda: self.state() == list(states), seconds=1)
        assert self.state() == list(states)

    async def stops(self) -> str:
        """What does not move."""
        if self.delivering.held is not None:
            return "partner"
        lanes = await self.here.store.lanes(self.here.link.name, TO_V2)
        return "lane" if any(one.blocked for one in lanes) else ""


@asynccontextmanager
async def scene(folder: Path, row: Row, rules: Rules | None = None, **settings: str) -> AsyncIterator[Scene]:
    """``settings``: as ``room`` takes them."""
    site = Site(folder)
    partner = MllpPartner(site.server_context(), deque(row.plan))
    async with room(folder, **settings) as here, partner.running(), Proxy(partner.port).running() as proxy:
        proxy.plan.extend(row.network)
        to = V2Receiver.model_validate_json(json.dumps(_settings(proxy.port) | dict(row.to)))
        ids = (f"{number:032x}" for number in range(1000))
        afterwards, context = Afterwards(here.link.name, here.store, here.clock), site.client_context()
        side = HospitalSide.of("demo", to, context, here.clock, ids.__next__, afterwards.heard)
        way = ToV2(side, replies_of(to), committed_of(to), afterwards)
        pauses, store = Pauses(1.0, 2.0, 60.0), here.store
        delivering = Delivering(here.link.name, TO_V2, store, here.clock, way, pauses, rules or Rules())
        try:
            yield Scene(here, partner, proxy, side, delivering)
        finally:
            await side.close()


def _settings(port: int) -> dict[str, Any]:
    who = {"receiving_application": "HIS", "receiving_facility": "STV"}
    seconds = {"connect_seconds": 1.0, "write_seconds": 1.0, "acknowledgment_seconds": 0.4}
    return {"host": "127.0.0.1", "port": port, "server_name": "localhost", **who, **seconds}
