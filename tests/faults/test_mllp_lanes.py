"""Many patients at once over several connections: one patient's messages never overtake each other."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from connector.pipeline.dispatch import Rules
from tests.faults.mllp_partner import Step, after, answer, goes, silence
from tests.faults.mllp_scene import Row, scene
from tests.pipeline.room import TO_V2, patient
from tests.store.site import rows

PATIENTS, CHANGES, CONNECTIONS = 8, 4, 4


def plan() -> tuple[Step, ...]:
    """Some answers take longer, some do not come, some connections break."""
    faults: dict[int, Step] = {3: silence, 7: goes, 12: answer("AE", "207"), 17: silence, 21: goes}
    return tuple(faults.get(n, after((n * 7 % 5) / 100, answer("AA"))) for n in range(40))


async def test_each_patients_messages_arrive_in_their_order_whatever_happens(tmp_path: Path) -> None:
    row = Row("many", plan(), to={"connections": CONNECTIONS})
    rules = Rules(lane="patient", parallel=CONNECTIONS, breaker_failures=100)
    async with scene(tmp_path, row, rules, delivery__lane='"patient"') as on:
        for change in range(CHANGES):
            for number in range(PATIENTS):
                await on.here.put(patient(f"F{change}", f"p{number}"))
        await on.here.lanes[TO_V2].translating.step()
        await on.deliver(12)
        assert rows(tmp_path, "SELECT delivery, count(*) FROM outbox GROUP BY delivery") == [
            ("delivered", PATIENTS * CHANGES)
        ]
        arrived: dict[str, list[str]] = defaultdict(list)
        for message in on.partner.messages:
            arrived[message.get("PID-3")].append(message.get("PID-5.1.1"))
        assert len(arrived) == PATIENTS
        for names in arrived.values():
            assert sorted(set(names)) == [f"F{change}" for change in range(CHANGES)]
            assert names == sorted(names)
        assert on.partner.most == 1
        assert 1 < on.partner.crowd <= CONNECTIONS
