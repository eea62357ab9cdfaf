"""Decimals keep their digits, and what JSON leaves open is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import InvalidJson
from connector.fhir import json

SECRET = "Everywoman"


@pytest.mark.parametrize(
    "number", ["0.40", "0.4", "1.00", "-0.0", "12345678901234567890.123456789", "7.20E+3"]
)
def test_a_decimal_keeps_its_digits_both_ways(number: str) -> None:
    text = f'{{"value":{number}}}'.encode()
    assert json.dumps(json.loads(text)) == text


def test_a_whole_number_is_an_int_and_a_long_one_loses_nothing() -> None:
    assert json.loads("[1, 123456789012345678901234567890]") == [1, 123456789012345678901234567890]


def test_a_negative_zero_keeps_its_sign() -> None:
    assert json.dumps(json.loads("[-0]")) == b"[-0]"


def test_a_tiny_number_keeps_value_and_precision() -> None:
    again = json.loads(json.dumps(json.loads("[0.00000010]")))
    assert again[0].as_tuple() == Decimal("0.00000010").as_tuple()


finite = st.decimals(allow_nan=False, allow_infinity=False)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
)


def spelled(tree: object) -> object:
    """The tree with every number as its digits, so that equal means equal in precision too."""
    if isinstance(tree, dict):
        return {key: spelled(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [spelled(value) for value in tree]
    return str(tree) if isinstance(tree, Decimal | int) and not isinstance(tree, bool) else tree


@settings(deadline=None)  # the machine may be busy
@given(trees)
def test_what_is_written_is_read_back_the_same(tree: object) -> None:
    assert spelled(json.loads(json.dumps(tree))) == spelled(tree)


@settings(deadline=None)  # the machine may be busy
@given(trees)
def test_both_readers_read_the_same(tree: object) -> None:
    text = json.dumps(tree)
    spaced = text.replace(b",", b" ,", 1)  # which is not how we write
    assert spelled(json.loads(text)) == spelled(json._decoded(text)[0])
    assert b'"' in text or spelled(json.loads(spaced)) == spelled(json.loads(text))


@pytest.mark.parametrize("spelling", ["-0", "1e5", "0.0000001", "123456789012345678901234567890"])
def test_a_number_is_the_same_beside_what_we_write_otherwise(spelling: str) -> None:
    (alone,), (spaced,) = json.loads(f"[{spelling}]"), json.loads(f"[{spelling} ]")
    assert (type(alone), str(alone)) == (type(spaced), str(spaced))


def refusal(content: bytes | str) -> InvalidJson | None:
    try:
        json.loads(content)
    except InvalidJson as error:
        return error
    return None


@settings(deadline=None)  # the machine may be busy
@given(st.binary() | st.text())
def test_anything_is_json_or_a_typed_error_that_carries_nothing(content: bytes | str) -> None:
    error = refusal(content)
    assert error is None or (error.answer.status == 400 and error.__context__ is None)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"a","id":"b"}',
        b'{"x":{"y":1,"y":1}}',
        b'{"id":"a","\\u0069d":"b"}',
        b'{"value":NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b"[1,]",
        b"[01]",
        b"[1.]",
        b"[.5]",
        b"{} {}",
        b"",
        b" ",
        b"\xef\xbb\xbf{}",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"a\x01b"',
        b"{'a':1}",
        b"// no\n{}",
        b"[1e99999999999999999999]",
        b"[" + b"9" * 5000 + b"]",
        '{"a":1}'.encode("utf-16"),
    ],
)
def test_what_is_not_json_or_ambiguous_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        json.loads(body)


def test_a_whole_surrogate_pair_is_one_character() -> None:
    assert json.loads(b'"\\ud83d\\ude00"') == "\U0001f600"


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_the_depth_limit_is_exact() -> None:
    json.loads(nested(json.MAX_DEPTH))
    with pytest.raises(InvalidJson, match="levels deep"):
        json.loads(nested(json.MAX_DEPTH + 1))


@pytest.mark.parametrize("levels", [1_000, 100_000])
def test_a_very_deep_body_is_refused_and_not_a_crash(levels: int) -> None:
    with pytest.raises(InvalidJson, match="levels deep"):
        json.loads(nested(levels))
    with pytest.raises(InvalidJson, match="levels deep"):
        json.loads(b'{"a":' * levels + b"1" + b"}" * levels)


def test_an_error_names_the_place_and_no_value() -> None:
    with pytest.raises(InvalidJson, match="at character 31") as caught:
        json.loads(f'{{"family":"{SECRET}","given":}}'.encode())
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_property_that_occurs_twice_is_not_named() -> None:
    with pytest.raises(InvalidJson, match="twice") as caught:
        json.loads(f'{{"{SECRET}":1,"{SECRET}":2}}'.encode())
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        {"a": [Decimal("NaN")]},
        Decimal("sNaN"),
        Decimal("-Infinity"),
        "\ud800",
        object(),
        {1.5: object()},
    ],
)
def test_what_json_cannot_say_is_not_written(value: object) -> None:
    with pytest.raises(InvalidJson):
        json.dumps(value)


def test_null_and_the_word_nan_in_a_text_are_written() -> None:
    assert json.loads(json.dumps({"a": None, "b": "NaN Infinity"})) == {"a": None, "b": "NaN Infinity"}


def test_text_is_written_as_it_is_and_members_keep_their_order() -> None:
    assert json.dumps({"b": "Müller", "a": 1}) == '{"b":"Müller","a":1}'.encode()
