"""A mutator that keeps JSON what it is: without it nearly all that is tried ends at the first brace."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, Final

Mutate = Callable[[bytes, int], bytes]

_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 0.5, 1e22, 10**20, "", " ", "a", "Patient", "Patient/1", "urn:uuid:1",
    "#a", "2026-02-30", "2026-11-23T10:00:00Z", "http://a", "\u0000", "\ud7ff", "é", "x" * 70, [], {},
    [[]], [None], [{}],
)  # fmt: skip
_NAMES: Final = (
    "resourceType", "id", "meta", "type", "entry", "resource", "request", "method", "url", "fullUrl",
    "reference", "extension", "contained", "identifier", "system", "value", "code", "coding", "subject",
    "status", "_value",
)  # fmt: skip


def mutated_behind_a_line(data: bytes, most: int, seed: int, mutate: Mutate) -> bytes:
    """The first line or the JSON behind it is changed."""
    line, _, body = data.partition(b"\n")
    if seed % 8 == 0:
        return mutate(data, most)
    return (line + b"\n" + _changed(body, seed, mutate))[:most]


def mutated_lines(data: bytes, most: int, seed: int, mutate: Mutate) -> bytes:
    """One of the lines is changed, as JSON where it is some."""
    lines = data.split(b"\n", 2)
    if seed % 6 == 0 or len(lines) < 3:
        return mutate(data, most)
    at = 1 + seed % 2
    lines[at] = _changed(lines[at], seed, mutate)
    return b"\n".join(lines)[:most]


def _changed(body: bytes, seed: int, mutate: Mutate) -> bytes:
    chance = random.Random(seed)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return mutate(body, len(body) + 20)
    if not isinstance(value, dict | list) or chance.random() < 0.1:
        return mutate(body, len(body) + 20)
    for _ in range(chance.randint(1, 3)):
        _edit(value, chance)
    try:
        return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return body


def _edit(value: Any, chance: random.Random) -> None:
    """One change of one object or list of a tree, in place."""
    nodes = _nodes(value)
    if chance.random() < 0.5:
        _copy(nodes, chance)
        return
    node = chance.choice(nodes)
    other = json.loads(json.dumps(chance.choice((*_VALUES, chance.choice(nodes)))))
    if isinstance(node, list):
        at = chance.randint(0, len(node))
        node[at : at + chance.randint(0, 1)] = [other] * chance.randint(0, 2)
        return
    names = [*node, chance.choice(_NAMES)]
    name = chance.choice(names)
    if chance.random() < 0.25:
        node.pop(name, None)
    elif chance.random() < 0.3:
        node[chance.choice(_NAMES)] = node.get(name, other)
    else:
        node[name] = [other] if chance.random() < 0.2 else other


def _copy(nodes: list[Any], chance: random.Random) -> None:
    """What stands under a name comes to stand under the same name elsewhere: still of the right kind."""
    named = [(node, name) for node in nodes if isinstance(node, dict) for name in node]
    if not named:
        return
    source, name = chance.choice(named)
    others = [node for node, other in named if other == name and node is not source]
    target = chance.choice(others) if others else chance.choice(nodes)
    copied = json.loads(json.dumps(source[name]))
    if isinstance(target, dict):
        target[name] = copied
    else:
        target.append(copied)


def _nodes(value: Any) -> list[Any]:
    todo, found = [value], []
    while todo:
        node = todo.pop()
        if isinstance(node, dict | list):
            found.append(node)
            todo += node.values() if isinstance(node, dict) else node
    return found
