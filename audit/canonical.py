"""RFC 8785 (JSON Canonicalization Scheme): one value, one sequence of bytes.

The fast encoder of the standard library already writes what RFC 8785 asks for (section 3.2.2: no white
space, the two-character escapes, lower-case ``\\u00xx``, everything else as UTF-8) for strings, whole
numbers, booleans and null. What it does otherwise, fractions and the order of keys beyond the BMP, takes
the slow way.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

GREATEST: Final = 2**53 - 1  # the whole numbers that every JSON reader keeps (RFC 7493 section 2.2)
DEPTH: Final = 32

_ENCODE: Final = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode
_STRING: Final = json.JSONEncoder(ensure_ascii=False).encode
_PLAIN: Final = frozenset({str, bool, type(None)})
_ARRAYS: Final = frozenset({list, tuple})
_SURROGATES: Final = "\ud800"


class NotCanonical(ValueError):
    """The value has no canonical form; the text of the exception holds nothing of it."""


def canonical(value: Any) -> bytes:
    """The canonical UTF-8 of a JSON value. Raises ``NotCanonical``."""
    try:
        text = _ENCODE(value) if _simple(value, DEPTH) else _written(value, DEPTH)
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotCanonical("a string holds half of a surrogate pair") from None
    except RecursionError:
        raise NotCanonical("too deep") from None


def parsed(written: bytes) -> Any:
    """The value of JSON text, numbers as RFC 8785 means them: doubles. Raises ``ValueError``."""
    return json.loads(written, parse_int=_whole)


def _whole(digits: str) -> float:
    value = int(digits) if len(digits) < 18 else float(digits)
    return value if -GREATEST <= value <= GREATEST else float(digits)


def _simple(value: Any, depth: int) -> bool:
    """Whether the fast encoder writes the canonical form."""
    kind = type(value)
    if kind in _PLAIN or isinstance(value, str):
        return True
    if kind is int:
        return bool(-GREATEST <= value <= GREATEST)
    if depth and kind is dict:
        for key, one in value.items():  # a loop, since this is asked of every member of every entry
            if type(key) is not str or not (key.isascii() or key < _SURROGATES):
                return False
            if type(one) not in _PLAIN and not _simple(one, depth - 1):
                return False
        return True
    return bool(depth) and kind in _ARRAYS and all(_simple(one, depth - 1) for one in value)


def _written(value: Any, depth: int) -> str:
    """Any JSON value, whatever class of mapping or sequence it is."""
    if depth == 0:
        raise NotCanonical("too deep")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _STRING(str(value))
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return _object(value, depth)
    if isinstance(value, list | tuple):
        return f"[{','.join(_written(one, depth - 1) for one in value)}]"
    raise NotCanonical(f"{type(value).__name__} is no JSON value")


def _object(value: Mapping[Any, Any], depth: int) -> str:
    if not all(isinstance(key, str) for key in value):
        raise NotCanonical("a key that is no string")
    keys = sorted(value, key=_utf16)
    return "{" + ",".join(f"{_STRING(str(key))}:{_written(value[key], depth - 1)}" for key in keys) + "}"


def _utf16(key: str) -> bytes:
    """Section 3.2.3: keys are sorted by their UTF-16 code units."""
    return key.encode("utf-16-be")


def _number(value: float) -> str:
    """Section 3.2.2.3: as ECMAScript writes it."""
    if isinstance(value, int):
        if not -GREATEST <= value <= GREATEST:
            raise NotCanonical("a whole number that not every reader keeps")
        return str(int(value))
    if not math.isfinite(value):
        raise NotCanonical("a number that JSON does not have")
    return _ecmascript(value)


def _ecmascript(value: float) -> str:
    """ECMA-262 ``Number::toString``: Python's shortest digits, the point placed by its rules."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    digits, point = _shortest(abs(value))
    if 0 < point <= 21:
        whole = digits[:point].ljust(point, "0")
        return f"{sign}{whole}" + (f".{digits[point:]}" if len(digits) > point else "")
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def _shortest(value: float) -> tuple[str, int]:
    """The fewest digits that read back as ``value``, and how many of them stand before the point."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    significant = digits.lstrip("0")
    point = len(whole) - (len(digits) - len(significant)) + int(exponent or 0)
    return significant.rstrip("0"), point
