"""Whatever happens in whatever order: what each side said last stands there in the end, once."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from connector.edges.fhir_client import Delivery
from connector.fhir import json
from connector.pipeline.identity import Ids
from connector.pipeline.versions import digest
from tests.edges.fhir_room import FhirRoom, fhir_room
from tests.edges.fhir_server import FhirServer
from tests.edges.partner_site import answer
from tests.pipeline.site import TO_FHIR, Sent, message

from .full import FULL

STORIES = 60 if FULL else 3

SETTINGS: list[tuple[Ids, Delivery]] = [
    ("client", "transaction"),
    ("client", "batch"),
    ("server", "transaction"),
    ("server", "each"),
    ("conditional", "batch"),
]


class Story:
    """One patient, of whom v2 tells the telephone and the FHIR side the photo."""

    def __init__(self, here: FhirRoom, chance: random.Random) -> None:
        self.here, self.chance = here, chance
        self.count, self.phone, self.photo = 0, "", ""

    async def v2_says(self) -> None:
        self.count += 1
        self.phone = f"555{self.count:04}"
        kind = "ADT^A31^ADT_A05" if self.count > 1 else "ADT^A28^ADT_A05"
        await self.here.cycle.receive(message(str(self.count), kind, phone=self.phone))

    async def translated(self) -> None:
        await self.here.cycle.lanes[TO_FHIR].translating.step()

    async def delivered(self) -> None:
        await self.here.work()

    async def fhir_writes(self) -> None:
        found = self.here.server.of("Patient")
        if found:
            self.count += 1
            self.photo = f"photo {self.count}"
            self.here.server.edit(f"Patient/{found[0]['id']}", photo=[{"title": self.photo}])

    async def fhir_tells(self) -> None:
        found = self.here.server.of("Patient")
        if found:
            key = f"Patient/{found[0]['id']}"
            await self.here.cycle.submit(Sent.update(self.here.server._stamped(key)))
            await self.here.cycle.run()

    async def partner_is_away(self) -> None:
        self.here.partner.replies = [answer(self.chance.choice([429, 503])), self.here.server]

    async def answer_is_lost(self) -> None:
        self.here.partner.replies = [lambda asked: self.here.server(asked)[:15], self.here.server]

    async def process_dies(self) -> None:
        store = self.here.store
        kept = store.delivered, store.remember

        async def dies(*args: Any, **more: Any) -> None:
            raise RuntimeError("the power fails")

        store.delivered = store.remember = dies  # type: ignore[method-assign]
        try:
            await self.here.later()
        except RuntimeError:
            pass
        finally:
            store.delivered, store.remember = kept  # type: ignore[method-assign]
        self.here.restart()

    async def time_goes_by(self) -> None:
        await self.here.later()


STEPS = [
    Story.v2_says, Story.v2_says, Story.v2_says, Story.translated, Story.delivered, Story.fhir_writes,
    Story.fhir_writes, Story.fhir_tells, Story.partner_is_away, Story.answer_is_lost, Story.process_dies,
    Story.time_goes_by,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(STORIES))
@pytest.mark.parametrize(("ids", "delivery"), SETTINGS)
async def test_what_each_side_said_last_stands_there_in_the_end(
    tmp_path: Path, ids: Ids, delivery: Delivery, seed: int
) -> None:
    chance = random.Random(f"{ids} {delivery} {seed}")
    there = FhirServer(client_ids=ids == "client")
    async with fhir_room(tmp_path, there, ids=ids, delivery=delivery) as here:
        story = Story(here, chance)
        await story.v2_says()
        for _ in range(25):
            await chance.choice(STEPS)(story)
        here.partner.replies = [there]
        for _ in range(5):
            await here.later(4000)
        assert {state for state, *_ in await here.states()} == {"delivered"}
        (patient,) = there.of("Patient")
        assert patient.get("photo", [{"title": ""}])[0]["title"] == story.photo
        assert story.phone in str(patient["telecom"])
        await story.v2_says()
        await here.work()
        (patient,) = there.of("Patient")
        known = await here.store.resource(here.cycle.link.name, f"Patient/{patient['id']}")
        assert known is not None
        assert digest(_read(known)) == digest(patient)


def _read(content: bytes) -> dict[str, Any]:
    resource: dict[str, Any] = json.loads(content)
    return resource
