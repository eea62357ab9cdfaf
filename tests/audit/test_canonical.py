from __future__ import annotations

import json
import math
import struct
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import DEPTH, GREATEST, NotCanonical, canonical, parsed

# RFC 8785 appendix B: IEEE 754 bits and what they are written as
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_are_written_as_ecmascript_does(bits: str, text: str) -> None:
    value = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert canonical(value) == text.encode()


def test_the_example_of_the_rfc() -> None:
    value = json.loads(
        r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    )
    assert (
        canonical(value)
        == (
            r'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
            r'"string":"€$\u000f\nA'
            r"'"
            r'B\"\\\\\"/"}'
        ).encode()
    )


def test_keys_are_sorted_by_utf_16() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    written = canonical(dict.fromkeys(keys, 1)).decode()
    assert list(json.loads(written)) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_strings_are_escaped_as_little_as_may_be() -> None:
    text = '\b\t\n\f\r"\\/\x00\x1f\x7fé\u2028'
    assert canonical(text).decode() == '"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\x7fé\u2028"'


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        GREATEST + 1,
        -GREATEST - 1,
        {1: 2},
        {None: 1},
        b"x",
        {1, 2},
        object(),
        1j,
        "\ud800",
        {"\udfff": 1},
        {"a": ["\ud800"]},
        [math.nan],
        {"a": {"b": 2**60}},
    ],
)
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(NotCanonical):
        canonical(value)


def test_what_is_too_deep_is_refused() -> None:
    value: object = 1
    for _ in range(DEPTH - 1):
        value = [value]
    canonical(value)
    for _ in range(5000):
        value = {"a": value}
    with pytest.raises(NotCanonical):
        canonical(value)


def test_what_is_refused_is_not_repeated() -> None:
    for value in ({"Smith": {1}}, {("Smith", 1): 2}, ["Smith\ud800"]):
        with pytest.raises(NotCanonical) as refused:
            canonical(value)
        assert "Smith" not in str(refused.value)


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_numbers = st.integers(-GREATEST, GREATEST) | st.floats(allow_nan=False, allow_infinity=False)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=12,
)


@given(_values)
def test_the_canonical_form_means_the_same_and_is_its_own(value: object) -> None:
    written = canonical(value)
    assert parsed(written) == value
    assert canonical(parsed(written)) == written


@given(st.dictionaries(_texts, _values, max_size=5))
def test_neither_order_nor_kind_of_mapping_matters(value: dict[str, object]) -> None:
    other = dict(reversed(value.items()))
    assert canonical(value) == canonical(other) == canonical(MappingProxyType(other))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value: float) -> None:
    assert float(canonical(value)) == value
