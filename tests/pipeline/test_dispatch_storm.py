"""Whatever the partner does and whenever the power fails: all arrives, and nothing overtakes."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path

import pytest

from connector.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    NoAnswer,
    PartnerBusy,
    PartnerRefusedMessage,
    PartnerUnreachable,
)
from connector.pipeline.breaker import Pauses
from connector.pipeline.deliver import Told
from connector.pipeline.dispatch import Delivering, Rules
from connector.store import OutboxItem, Outgoing, Store
from tests.pipeline.room import Clock
from tests.store.site import LINK, TO_FHIR, open_store, rows, take

PATIENTS = "abcdef"
MESSAGES = 60


class Unwell:
    """A partner that takes, refuses, hangs up before or after it has taken, and takes its time."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.applied: list[str] = []  # each message once, when it came first
        self.refused: list[str] = []

    async def send(self, item: OutboxItem) -> Told:
        name = item.payload.decode()
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        before = self.chance.random()
        if before < 0.15:
            raise self._passing()
        if before < 0.2 and name not in self.applied:
            self.refused.append(name)
            raise PartnerRefusedMessage("no")
        if name not in self.applied:
            self.applied.append(name)
        if self.chance.random() < 0.1:
            raise NoAnswer("the acknowledgment got lost")
        return Told({}, {})

    def _passing(self) -> ConnectorError:
        return self.chance.choice(
            [PartnerUnreachable("silence"), PartnerBusy("locked"), AnswerNotUnderstood("noise"),
             PartnerBusy("503", after=1.0)]
        )  # fmt: skip


async def _filled(store: Store, chance: random.Random) -> dict[str, frozenset[str]]:
    """Messages by name, oldest first, and whom each is about."""
    about = {}
    for number in range(MESSAGES):
        patients = frozenset(chance.sample(PATIENTS, chance.choice((1, 1, 1, 2))))
        name = f"{number:03}"
        row = (await take(store, name, name.encode())).id
        await store.translated(row, [Outgoing(name.encode(), {}, tuple(sorted(patients)))], [], [], [])
        about[name] = patients
    return about


async def _until_the_power_fails(
    store: Store, clock: Clock, partner: Unwell, steps: int, rules: Rules
) -> bool:
    """Whether everything is out."""
    delivering = Delivering(
        LINK, TO_FHIR, store, clock, partner, Pauses(0.5, 2.0, 4.0), rules, partner.chance.random
    )
    for _ in range(steps):
        if not await delivering.step():
            clock.pass_by(1)
            if not await store.lanes(LINK):
                return True
    delivering.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await delivering.finish()
    return False


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_lost_and_nothing_overtakes(tmp_path: Path, seed: int) -> None:
    chance, clock = random.Random(seed), Clock()
    partner = Unwell(chance)
    store = open_store(tmp_path)
    about = await _filled(store, chance)
    for _ in range(200):
        rules = Rules("patient", chance.choice((1, 3, 8)), breaker_failures=chance.choice((1, 3)))
        done = await _until_the_power_fails(store, clock, partner, chance.randrange(5, 40), rules)
        await store.close()
        store = open_store(tmp_path)
        if done:
            break
    await store.close()
    assert sorted(partner.applied + partner.refused) == sorted(about)
    for patient in PATIENTS:
        order = [name for name in partner.applied if patient in about[name]]
        assert order == sorted(order)
    ends = rows(tmp_path, "SELECT delivery, count(*) FROM outbox GROUP BY delivery ORDER BY delivery")
    expected = [("dead", len(partner.refused)), ("delivered", len(partner.applied))]
    assert ends == [one for one in expected if one[1]]
