"""Just enough of JSON Schema (draft 2020-12) to judge a profile; any other keyword is an error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

Json = dict[str, Any]

_TYPES: Final = {"object": dict, "array": list, "string": str, "boolean": bool}
_NOTES: Final = {"$schema", "$defs", "title", "description", "default", "format"}


def faults(schema: Json, value: Any, root: Json | None = None, at: str = "$") -> Iterator[str]:
    """The places where a value breaks the schema."""
    root = root or schema
    for keyword, wanted in schema.items():
        if keyword not in _NOTES:
            yield from _FUNCTIONS[keyword](wanted, value, schema, root, at)


def _ref(wanted: str, value: Any, schema: Json, root: Json, at: str) -> Iterator[str]:
    yield from faults(root["$defs"][wanted.removeprefix("#/$defs/")], value, root, at)


def _type(wanted: str, value: Any, schema: Json, root: Json, at: str) -> Iterator[str]:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = number and value == int(value) if number and value == value else False
    fits = {"number": number, "integer": whole}.get(wanted)
    if not (isinstance(value, _TYPES[wanted]) if fits is None else fits):
        yield f"{at}: no {wanted}"


def _properties(wanted: Json, value: Any, schema: Json, root: Json, at: str) -> Iterator[str]:
    for name in wanted.keys() & value.keys() if isinstance(value, dict) else ():
        yield from faults(wanted[name], value[name], root, f"{at}.{name}")


def _additional(wanted: Any, value: Any, schema: Json, root: Json, at: str) -> Iterator[str]:
    for name in value.keys() - schema.get("properties", {}).keys() if isinstance(value, dict) else ():
        if wanted is False:
            yield f"{at}.{name}: unknown"
        elif wanted is not True:
            yield from faults(wanted, value[name], root, f"{at}.{name}")


def _names(wanted: Json, value: Any, schema: Json, root: Json, at: str) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        yield from faults(wanted, name, root, f"{at}.{name}")


def _required(wanted: list[str], value: Any, schema: Json, root: Json, at: str) -> Iterator[str]:
    yield from (f"{at}.{name}: missing" for name in wanted if isinstance(value, dict) and name not in value)


def _items(wanted: Json, value: Any, schema: Json, root: Json, at: str) -> Iterator[str]:
    for number, one in enumerate(value if isinstance(value, list) else ()):
        yield from faults(wanted, one, root, f"{at}[{number}]")


def _pattern(wanted: str, value: Any, schema: Json, root: Json, at: str) -> Iterator[str]:
    if isinstance(value, str) and not re.search(wanted, value):
        yield f"{at}: not of the form"


def _compare(keyword: str) -> Any:
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "minimum": lambda value, limit: value >= limit,
        "maximum": lambda value, limit: value <= limit,
        "exclusiveMinimum": lambda value, limit: value > limit,
        "enum": lambda value, known: value in known,
        "minItems": lambda value, least: len(value) >= least,
        "minProperties": lambda value, least: len(value) >= least,
        "minLength": lambda value, least: len(value) >= least,
    }

    def compare(wanted: Any, value: Any, schema: Json, root: Json, at: str) -> Iterator[str]:
        try:
            fits = tests[keyword](value, wanted)
        except TypeError:
            fits = True  # of another type: that is the keyword type's to say
        if not fits:
            yield f"{at}: {keyword}"

    return compare


_FUNCTIONS: Final[dict[str, Any]] = {
    "$ref": _ref,
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "required": _required,
    "items": _items,
    "pattern": _pattern,
    **{
        keyword: _compare(keyword)
        for keyword in (
            "minimum", "maximum", "exclusiveMinimum", "enum", "minItems", "minProperties", "minLength",
        )
    },
}  # fmt: skip
