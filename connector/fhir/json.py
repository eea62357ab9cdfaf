"""JSON as FHIR asks for it: decimals keep their digits, and what is ambiguous is refused.

FHIR R4 (https://hl7.org/fhir/R4/json.html, datatypes.html#decimal): the precision of a decimal is part
of its meaning, a property occurs once, and the text is UTF-8. msgspec writes (it is several times
faster than the standard library and spells out a ``Decimal``), and it reads what it would write in the
very same bytes, as all that we keep is. The standard library reads the rest, because msgspec keeps the
last of two equal keys in silence and RFC 8259 leaves that case open to attack.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from connector.errors import InvalidJson

MAX_DEPTH: Final = 100  # objects and arrays inside one another; the deepest official R4 example has 17

_FIX: Final = "send one JSON document in UTF-8, every property once, numbers as RFC 8259 spells them"
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_sorting: Final = msgspec.json.Encoder(decimal_format="number", order="sorted")


class _Refused(ValueError):
    """A rule of ours inside the decoder; the text names the rule and nothing of the document."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused("a property occurs twice in one object")
    return members


def _integer(text: str) -> int | Decimal:
    return int(text) if text != "-0" else Decimal(text)  # int would drop the sign that was sent


def _constant(text: str) -> Any:
    raise _Refused("NaN and Infinity are no JSON numbers")


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=Decimal, parse_int=_integer, parse_constant=_constant
)
_quick: Final = msgspec.json.Decoder(float_hook=Decimal)
_OTHERWISE: Final = object()


def loads(content: bytes | str, depth: int = MAX_DEPTH) -> Any:
    """The value of a JSON document; numbers with a fraction or exponent become ``Decimal``.

    Raises ``InvalidJson`` for anything that is not JSON in UTF-8, for a property that occurs twice, for
    NaN and Infinity, for half a surrogate pair, and for more than ``depth`` levels (at most ``MAX_DEPTH``).
    """
    value, fault = _as_written(content), ""
    if value is _OTHERWISE:
        value, fault = _decoded(content)
    fault = fault or _too_deep(value, min(depth, MAX_DEPTH))
    if fault:  # raised here and not inside an except clause: a JSONDecodeError carries the whole body
        raise InvalidJson(f"the body cannot be read: {fault}", fix=_FIX)
    return value


def _as_written(content: bytes | str) -> Any:
    """The value of a text that ``dumps`` writes for it, in which no property can have been lost."""
    try:
        value = _quick.decode(content)
        same = _encoder.encode(value) == (content.encode() if isinstance(content, str) else content)
    except (ValueError, InvalidOperation, OverflowError, RecursionError):
        return _OTHERWISE
    return value if same else _OTHERWISE


def _decoded(content: bytes | str) -> tuple[Any, str]:
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        if "\\u" in text or isinstance(content, str):
            msgspec.json.decode(text, type=msgspec.Raw)  # refuses half a surrogate pair
        return _decoder.decode(text), ""
    except UnicodeError:
        return None, "it is not UTF-8"
    except json.JSONDecodeError as error:
        return None, f"it is not JSON at character {error.pos}"
    except _Refused as error:
        return None, str(error)
    except RecursionError:
        return None, f"it is more than {MAX_DEPTH} levels deep"
    except (ValueError, InvalidOperation):
        return None, "a number or a character in it has no meaning"


def _too_deep(value: Any, most: int) -> str:
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(most):
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
        if not level:
            return ""
    return f"it is more than {most} levels deep"


def dumps(value: Any) -> bytes:
    """The JSON text (UTF-8, compact, members in their order); a ``Decimal`` keeps its digits.

    ``Decimal("0.40")`` is written ``0.40``. A very small number is written with an exponent of the same
    precision (``0.0000001`` becomes ``1E-7``), which is the same FHIR decimal. Raises ``InvalidJson``
    for what JSON cannot say: NaN, Infinity, half a surrogate pair, keys that are not text.
    """
    text = _encoded(value)
    if text is None or (_suspicious(text) and _not_finite(value)):
        raise InvalidJson(
            "this cannot be written as JSON", fix="write finite numbers, text, lists and objects"
        )
    return text


def canonical(value: Any) -> bytes:
    """The JSON text with the members of every object sorted: equal for values that say the same."""
    return _sorting.encode(value)


def _encoded(value: Any) -> bytes | None:
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None


def _suspicious(text: bytes) -> bool:
    return b"NaN" in text or b"Infinity" in text or b"null" in text  # msgspec writes these without a word


def _not_finite(value: Any) -> bool:
    todo = [value]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            todo.extend(node.values())
        elif isinstance(node, list | tuple):
            todo.extend(node)
        elif isinstance(node, float | Decimal) and not Decimal(node).is_finite():
            return True
    return False
