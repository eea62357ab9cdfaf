"""However much of a message is lost, the entry that says so fits into the audit log."""

from __future__ import annotations

import hashlib

import pytest

from audit.canonical import canonical
from connector.pipeline.entries import listed

MOST = 65_535 - 8_192  # what the rest of an entry may need


def test_a_list_that_fits_is_told_whole() -> None:
    lost = [f"OBX[{n}]-5" for n in range(500)]
    assert listed(lost) == {"lost": lost}
    assert listed([]) == {"lost": []}


@pytest.mark.parametrize(
    "location", ["OBX[{}]-5(2).4.1", "é" * 40 + "{}", "\x01" * 40 + "{}", "\N{GRINNING FACE}{}"]
)
def test_of_a_list_that_does_not_fit_the_beginning_the_count_and_the_hash_are_told(location: str) -> None:
    lost = [location.format(n) for n in range(20_000)]
    told = listed(lost)
    assert len(canonical(told)) <= MOST
    assert told["lost"] == lost[: len(told["lost"])]
    assert len(told["lost"]) > 100
    assert told["lost_count"] == 20_000
    assert told["lost_sha256"] == hashlib.sha256("".join(f"{one}\n" for one in lost).encode()).hexdigest()
    assert told != listed([*lost[:-1], "PID-5"])


@pytest.mark.parametrize("count", [300, 400, 500, 600, 700, 800, 900])
def test_near_the_limit_it_fits_as_well(count: int) -> None:
    assert len(canonical(listed(["\x01" * 20] * count))) <= MOST
