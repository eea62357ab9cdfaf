from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import ConfigurationError
from connector.hl7v2.location import Location

LOCATIONS = st.builds(
    Location,
    st.from_regex(r"[A-Z][A-Z0-9]{2}", fullmatch=True),
    st.integers(1, 999),
    st.integers(1, 99),
    st.integers(1, 99),
    st.integers(1, 30),
    st.integers(0, 9),
)


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("PID", Location("PID")),
        ("OBX[2]", Location("OBX", 2)),
        ("PID-3", Location("PID", 1, 3)),
        ("PID-3(2)", Location("PID", 1, 3, 2)),
        ("PID-3.4", Location("PID", 1, 3, 1, 4)),
        ("PID-3(2).4.1", Location("PID", 1, 3, 2, 4, 1)),
        ("OBX[2]-5(3).2.1", Location("OBX", 2, 5, 3, 2, 1)),
        ("ZP1[10]-12.1", Location("ZP1", 10, 12, 1, 1)),
    ],
)
def test_a_location_reads_and_prints(text: str, location: Location) -> None:
    assert Location.parse(text) == location
    assert str(location) == text


@pytest.mark.parametrize("text", ["OBX[1]-5(1)", "OBX-5(1)", "OBX[1]-5"])
def test_the_first_goes_without_saying(text: str) -> None:
    assert str(Location.parse(text)) == "OBX-5"


@pytest.mark.parametrize(
    "text",
    ["", "P", "pid-3", "PID-0", "PID-", "PID-3.", "PID[0]-3", "PID-3(0)", "PID-3.1.2.3", "PID.3", "PID-3 "],
)
def test_what_is_no_location_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Location.parse(text)


@given(LOCATIONS)
def test_every_location_reads_back(location: Location) -> None:
    assert Location.parse(str(location)) == location
