"""Where a value lives: component texts on the v2 side, paths on the FHIR side.

A repetition is handled as the list of its component texts exactly as sent (still escaped,
sub-components not yet split). A FHIR path is dotted; a number is a list index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from decimal import Decimal
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any, TypeVar

Json = dict[str, Any]
Comps = list[str]
_Value = TypeVar("_Value")

_NUMBERS = {int, Decimal}
_ATOMS = {str, bool, int, Decimal, type(None)}
_MOST_LEAVES = 60

Reader = Callable[[Json], Any]
Writer = Callable[[Json, Any], None]


def leaf(at: str) -> tuple[int, int]:
    """``"1.2"`` -> ``(0, 1)``: component and sub-component, counted from 0."""
    component, _, sub = at.partition(".")
    return int(component) - 1, int(sub or 1) - 1


def comp(comps: Comps, at: int) -> str:
    """The text of a component, empty when it is absent or sent as ``""`` (delete)."""
    text = comps[at] if at < len(comps) else ""
    return "" if text == '""' else text


def write_comp(comps: Comps, at: int, text: str) -> None:
    """Set a component's raw text, making room for it only where there is something to say."""
    if at >= len(comps):
        if not text:
            return
        comps.extend([""] * (at + 1 - len(comps)))
    comps[at] = text


def write_sub(comps: Comps, at: int, sub: int, text: str, delimiter: str) -> None:
    """Set one sub-component's raw text; its sisters keep their words."""
    subs = comp(comps, at).split(delimiter)
    write_comp(subs, sub, text)
    write_comp(comps, at, delimiter.join(subs).rstrip(delimiter))


def head(path: str) -> str:
    """The first name of a path."""
    return path.partition(".")[0]


@lru_cache(maxsize=4096)
def place(path: str) -> tuple[Reader, Writer]:
    """A reader and a writer for a dotted path; the writer makes what is missing on the way."""
    keys: list[str | int] = [int(key) if key.isdigit() else key for key in path.split(".")]
    if len(keys) == 1:
        return (lambda node: node.get(path)), (lambda node, value: node.__setitem__(path, value))

    if len(keys) == 3 and isinstance(keys[1], str) and keys[1][:1].isupper():
        return _referring(*path.split("."))
    first, second = keys[0], keys[1]
    if len(keys) == 2 and isinstance(first, str):
        return (
            _first_of(first)
            if second == 0
            else _one_deep(first, second)
            if isinstance(second, str)
            else _deep(keys)
        )
    return _deep(keys)


def _one_deep(outer: str, inner: str) -> tuple[Reader, Writer]:
    def reader(node: Json) -> Any:
        found = node.get(outer)
        return found.get(inner) if type(found) is dict else None

    def writer(node: Json, value: Any) -> None:
        found = node.get(outer)
        if found is None:
            node[outer] = {inner: value}
        else:
            found[inner] = value

    return reader, writer


def _first_of(name: str) -> tuple[Reader, Writer]:
    def reader(node: Json) -> Any:
        found = node.get(name)
        return found[0] if type(found) is list and found else None

    def writer(node: Json, value: Any) -> None:
        found = node.get(name)
        if found:
            found[0] = value
        else:
            node[name] = [value]

    return reader, writer


def _referring(name: str, kind: str, link: str) -> tuple[Reader, Writer]:
    """``participant.Patient.actor``: of a list, the element that refers to a resource of a kind."""

    def refers(element: Any) -> bool:
        found = element.get(link) if isinstance(element, dict) else None
        return isinstance(found, dict) and str(found.get("reference", "")).startswith(kind + "/")

    def reader(node: Json) -> Any:
        found = node.get(name)
        return next((one[link] for one in found if refers(one)), None) if isinstance(found, list) else None

    def writer(node: Json, value: Any) -> None:
        found = node.setdefault(name, [])
        mine = next((one for one in found if refers(one)), None)
        if mine is None:
            found.insert(0, mine := {})
        mine[link] = value

    return reader, writer


def _deep(keys: list[str | int]) -> tuple[Reader, Writer]:
    def reader(node: Any) -> Any:
        for key in keys:
            try:
                node = node[key]
            except (KeyError, IndexError, TypeError):
                return None
        return node

    return reader, _deep_writer(keys)


def _deep_writer(keys: list[str | int]) -> Writer:
    make = _made_new(keys[1:])

    def writer(node: Any, value: Any) -> None:
        if make is not None and type(node) is dict and keys[0] not in node:
            node[keys[0]] = make(value)
        else:
            over(node, value)

    over = _writer_over(keys)
    return writer


def _made_new(keys: list[str | int]) -> Callable[[Any], Any] | None:
    """Makes what holds a value at the end of a path, where nothing is there yet."""
    if any(isinstance(key, int) and key for key in keys):
        return None
    shape = "value"
    for key in reversed(keys):
        shape = f"[{shape}]" if isinstance(key, int) else f"{{{key!r}: {shape}}}"
    return _made_by(shape)


@lru_cache(maxsize=1024)
def _made_by(shape: str) -> Callable[[Any], Any]:
    found: dict[str, Any] = {}
    exec(f"def make(value): return {shape}", found)  # noqa: S102 - of declared names only
    make: Callable[[Any], Any] = found["make"]
    return make


def _writer_over(keys: list[str | int]) -> Writer:
    steps = [(key, isinstance(after, int)) for key, after in pairwise(keys)]
    last = keys[-1]

    def writer(node: Any, value: Any) -> None:
        for key, is_list in steps:
            if isinstance(key, int):
                while len(node) <= key:
                    node.append({})
                node = node[key]
            else:
                found = node.get(key)
                if found is None:
                    found = node[key] = [] if is_list else {}
                node = found
        if isinstance(last, int):
            while len(node) <= last:
                node.append({})
        node[last] = value

    return writer


def same(one: Any, other: Any) -> bool:
    """Equality as FHIR sees it: 0.40 is not 0.4, ``true`` is not 1, and 140 is 140 however it is held."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return {kind, type(other)} <= _NUMBERS and str(one) == str(other)
    if kind is str:
        return bool(one == other)
    if kind is dict or kind is list:
        return bool(one == other) and _spelled_alike(one, other)  # what is not equal is not the same
    if kind is Decimal:
        return str(one) == str(other)
    return bool(one == other)


def _spelled_alike(one: Any, other: Any) -> bool:
    """Of two equal values: whether they are the same."""
    kind = type(one)
    if kind is not type(other):
        return {kind, type(other)} <= _NUMBERS and str(one) == str(other)
    if kind is dict:
        for name, value in one.items():
            if type(value) is not str and not _spelled_alike(value, other[name]):
                return False
    elif kind is list:
        return all(map(_spelled_alike, one, other))
    return kind is not Decimal or str(one) == str(other)


def includes(value: Any, pattern: Any) -> bool:
    """Whether a value says everything that a pattern says."""
    if type(pattern) is str:
        return bool(value == pattern)
    if type(pattern) is dict or isinstance(pattern, Mapping):
        if type(value) is not dict and not isinstance(value, Mapping):
            return False
        for name, inner in pattern.items():  # noqa: SIM110 - half as long as ``all``
            if not includes(value.get(name), inner):
                return False
        return True
    if isinstance(pattern, list):
        return isinstance(value, list) and all(any(includes(v, p) for v in value) for p in pattern)
    return same(value, pattern)


def bearer(mark: Any) -> Callable[[Any], bool]:
    """Tells whether a value says everything that marks it; the words beside a code may be others, or none."""
    if isinstance(mark, Mapping):
        aside = "display" if "code" in mark else ""
        return _bearing({name: inner for name, inner in mark.items() if name != aside})
    if isinstance(mark, list):
        marks = [bearer(one) for one in mark]
        if len(marks) == 1:
            only = marks[0]
            return lambda value: isinstance(value, list) and any(map(only, value))
        return lambda value: isinstance(value, list) and all(any(map(one, value)) for one in marks)
    if type(mark) is str:
        return lambda value: bool(value == mark)
    return lambda value: same(value, mark)


def _bearing(mark: Mapping[str, Any]) -> Callable[[Any], bool]:
    texts = [(name, inner) for name, inner in mark.items() if type(inner) is str]
    within = [(name, bearer(inner)) for name, inner in mark.items() if type(inner) is not str]

    def bears_all(value: Any) -> bool:
        if type(value) is not dict and not isinstance(value, Mapping):
            return False
        for name, text in texts:
            if value.get(name) != text:
                return False
        for name, inner in within:  # noqa: SIM110 - half as long as ``all``
            if not inner(value.get(name)):
                return False
        return True

    return bears_all


def own_part(target: Any, base: Any, own: Any) -> Any:
    """What of a target is the business of a text that said ``own`` of a ``base`` to which others added."""
    if isinstance(target, dict) and isinstance(base, dict) and isinstance(own, dict):
        return {
            name: own_part(value, base.get(name), own.get(name))
            for name, value in target.items()
            if name in own or name not in base
        }
    lists = isinstance(target, list) and isinstance(base, list) and isinstance(own, list)
    if lists and len(target) == len(base) == len(own):
        return [own_part(*three) for three in zip(target, base, own)]
    return target


def copied(value: _Value) -> _Value:
    """A value of JSON of its own, all the way down; several times as fast as ``deepcopy``."""
    return _copied(value)  # type: ignore[no-any-return]


def _copied(value: Any) -> Any:
    if type(value) is dict:
        return {name: _copied(inner) for name, inner in value.items()}
    if type(value) is list:
        return [_copied(inner) for inner in value]
    return value if type(value) in _ATOMS else deepcopy(value)


def copies(value: Any) -> Callable[[], Any]:
    """Makes copies of a constant, so that nobody who changes a bundle changes the maps.

    Values of one shape (the same names in the same order) share one function, which takes the texts by
    reference: names come from declarations, texts may come from anywhere and never become source.
    """
    if not isinstance(value, (Mapping, list)):
        return lambda: value
    leaves: list[Any] = []
    shape = _shape(value, leaves)
    make = _maker(shape, len(leaves)) if len(leaves) <= _MOST_LEAVES else None
    return make(*leaves) if make is not None else partial(deepcopy, value)


def _shape(value: Any, leaves: list[Any]) -> str:
    """A display of the value with a name for each of its leaves."""
    kind = type(value)
    if kind is dict or (kind is not str and isinstance(value, Mapping)):
        return "{" + ", ".join([f"{name!r}: {_shape(inner, leaves)}" for name, inner in value.items()]) + "}"
    if kind is list:
        return "[" + ", ".join([_shape(inner, leaves) for inner in value]) + "]"
    leaves.append(value)
    return f"v{len(leaves) - 1}"


@lru_cache(maxsize=1024)
def _maker(shape: str, leaves: int) -> Callable[..., Callable[[], Any]]:
    names = ", ".join(f"v{n}" for n in range(leaves))
    found: dict[str, Any] = {}
    exec(f"def maker({names}): return lambda: {shape}", found)  # noqa: S102 - of declared names only
    made: Callable[..., Callable[[], Any]] = found["maker"]
    return made


def without_empties(node: Any) -> Any:
    """A copy without empty objects, lists and strings, which FHIR does not allow."""
    if isinstance(node, dict):
        kept = {
            key: without_empties(value) if isinstance(value, (dict, list)) else value
            for key, value in node.items()
        }
        return {
            key: value
            for key, value in kept.items()
            if value not in ("", None) and value != {} and value != []
        }
    if isinstance(node, list):
        return [
            value
            for value in map(without_empties, node)
            if value not in ("", None) and value != {} and value != []
        ]
    return node
