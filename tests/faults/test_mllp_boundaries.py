"""The connection to a v2 partner breaks wherever something begins or ends.

Nothing is lost, nothing overtakes, and nothing comes more often than it was tried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.full import FULL
from tests.faults.mllp_partner import answer
from tests.faults.mllp_scene import Row, scene
from tests.faults.proxy import Cut, Faults, How
from tests.pipeline.room import TO_V2, patient


@dataclass(frozen=True)
class Sizes:
    """Of one direction on the wire: the handshake, and one block before it is encrypted."""

    handshake: int
    block: int


_RECORD = 22  # TLS 1.3: five bytes of head, one of type, sixteen of tag
_PLACES: dict[str, Callable[[Sizes], int]] = {
    "the first byte": lambda one: 1,
    "a record's head": lambda one: 5,
    "half the handshake": lambda one: one.handshake // 2,
    "the handshake less a few": lambda one: one.handshake - 6,
    "the handshake": lambda one: one.handshake,
    "the first byte of the block": lambda one: one.handshake + 1,
    "the head of its record": lambda one: one.handshake + 5,
    "half of the block": lambda one: one.handshake + one.block // 2,
    "all of the block but its end": lambda one: one.handshake + one.block + _RECORD - 8,
    "all of the block": lambda one: one.handshake + one.block + _RECORD,
}


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sizes]:
    """What a connection carries that nobody disturbs, up and down."""
    return asyncio.run(measured(tmp_path_factory.mktemp("clean")))


async def measured(folder: Path) -> dict[str, Sizes]:
    async with scene(folder, Row("clean")) as on:
        await on.run()
        up, down = on.proxy.carried[0].up, on.proxy.carried[0].down
        sent, said = [len(str(one).encode()) + 3 for one in on.partner.messages], on.partner.sizes
    return {
        "up": Sizes(up - sum(sent) - _RECORD * len(sent), sent[0]),
        "down": Sizes(down - sum(said) - _RECORD * len(said), said[0]),
    }


@pytest.mark.parametrize("how", ["reset", "close", "silence"])
@pytest.mark.parametrize("place", _PLACES)
@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_connection_that_breaks_loses_and_doubles_nothing(
    tmp_path: Path, sizes: dict[str, Sizes], way: str, place: str, how: How
) -> None:
    cut = Cut(_PLACES[place](sizes[way]), how)
    faults = Faults(up=cut) if way == "up" else Faults(down=cut)
    async with scene(tmp_path, Row(place, (answer("AA"),), (faults,))) as on:
        await on.run()
        first, second = on.state()
        attempts = int(first.split()[-1])
        assert first in ("delivered positive 1", "delivered positive 2")
        assert second in ("delivered positive 1", "delivered positive 2")
        assert on.partner.times[0] <= attempts <= 2
        assert set(on.arrived) == {"F0", "F1"}
        assert on.arrived == sorted(on.arrived)
        assert on.partner.most == 1
        assert on.partner.crowd == 1 or how == "silence"  # it still believes in a connection that is no more


@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_reset_at_every_byte_of_a_block_loses_and_doubles_nothing(
    tmp_path: Path, sizes: dict[str, Sizes], way: str
) -> None:
    """Every byte in the long run, every sixteenth in the short one."""
    one = sizes[way]
    places = range(one.handshake, one.handshake + one.block + _RECORD + 1, 1 if FULL else 16)
    async with scene(tmp_path, Row("every byte", to={"keep": False})) as on:
        for number, place in enumerate(places):
            on.proxy.plan.append(Faults(up=Cut(place)) if way == "up" else Faults(down=Cut(place)))
            await on.here.put(patient(f"F{number:04}", f"p{number}"))
            await on.here.lanes[TO_V2].translating.step()
            await on.deliver(2)
        assert {one.rpartition(" ")[0] for one in on.state()} == {"delivered positive"}
        assert len(on.partner.times) == len(places)
        assert max(on.partner.times) <= 2
        assert on.arrived == sorted(on.arrived)
        assert on.partner.most <= 1
        print(f"{len(places)} resets, {sum(on.partner.times) - len(places)} messages came twice, 0 lost")
