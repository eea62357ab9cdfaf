"""Unrolls bound rows into one function each, for speed.

A map is data, and walking data costs more than the work itself: a call site that sees a hundred
different rows cannot be specialised by the interpreter. So the rows of a datatype become the source
of one function, with the codecs as its globals, and a field another around it. The source is built
from declarations only (paths, constants), never from messages or profiles' free text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

from .places import place


def words(sent: str) -> str | None:
    """A text as it is; one of blanks only says nothing in FHIR. What is made here needs no call for it."""
    return None if sent.isspace() else sent


_STEPS: Final = (1, 3, 6, 9, 13, 17)  # how many components are asked for at once


class Leaf(NamedTuple):
    """What takes one component's unescaped text.

    ``take``: says it in a node, and whether that could be done. The rest describes the same to the
    emitter: ``codec`` and ``path`` (with ``spread``: the value is one more text of a list), and
    ``within``, the path of the node inside the node, with ``within_take``, which takes that node;
    ``strict``: the codec says nothing of a text that holds a delimiter.
    """

    take: Callable[[str, Any], bool]
    codec: Callable[[str], Any] | None = None
    path: str = ""
    spread: bool = False
    strict: bool = False
    within: str = ""
    within_take: Callable[[str, Any], bool] | None = None


class Function:
    """The source of one function while it is written, and the globals it refers to."""

    def __init__(self, name: str, arguments: str) -> None:
        self._lines = [f"def {name}({arguments}):"]
        self._name = name
        self.globals: dict[str, Any] = {}

    def line(self, depth: int, text: str) -> None:
        self._lines.append("    " * depth + text)

    def ref(self, value: Any) -> str:
        """A global name for a value."""
        name = f"g{len(self.globals)}"
        self.globals[name] = value
        return name

    def made(self) -> Any:
        """The function, with code of its own: the interpreter adapts code to the globals it runs with."""
        return FunctionType(_code(self._name, "\n".join(self._lines)).replace(), self.globals, self._name)


@lru_cache(maxsize=4096)
def _code(name: str, source: str) -> CodeType:
    """What a source compiles to. A few hundred sources make the thousands of functions of all maps."""
    (code,) = (one for one in compile(source, f"<{name}>", "exec").co_consts if isinstance(one, CodeType))
    return code


def getter(
    leaves: Mapping[int, Leaf],
    inner: Mapping[int, Any],
    firsts: Mapping[int, Leaf],
    whole: Sequence[Any],
    reads: frozenset[int],
    careful: Any,
) -> Any:
    """A lens's ``get`` for the usual text; what is unusual goes the careful way."""
    f = Function("get", "comps, node, scope")
    care = f.ref(careful)
    parted = [at for at in leaves if at not in inner]
    last = max([*leaves, *inner, *reads, 0]) + 1
    f.line(1, f"if not scope.clean: return {care}(comps, node, scope)")
    f.line(1, "n = len(comps)")
    f.line(1, "if scope.parted:")
    f.line(2, f"for at in {parted!r}:")
    f.line(3, f"if at < n and scope.subcomponent in comps[at]: return {care}(comps, node, scope)")
    f.line(1, "u = None")
    withins = {
        path: f"s{n}" for n, path in enumerate(sorted({leaf.within for leaf in leaves.values()} - {""}))
    }
    for name in withins.values():
        f.line(1, f"{name} = {{}}")
    depth = 1
    for at in range(last):
        if at in _STEPS:
            f.line(depth, f"if n > {at}:")
            depth += 1
        if at in reads and at not in leaves and at not in inner:
            continue
        there = not at or at in _STEPS  # n is known to be greater
        f.line(depth, f"if t := comps[{at}]:" if there else f"if n > {at} and (t := comps[{at}]):")
        if at in leaves:
            leaf = leaves[at]
            _emit_leaf(
                f, depth + 1, leaf, withins.get(leaf.within, "node"), f"u = (u or []) + [{str(at + 1)!r}]"
            )
        elif at in inner:
            f.line(depth + 1, f"r = {f.ref(inner[at])}(t, node, scope)")
            name = f"{str(at + 1)!r} + ('' if sub[:1] in ('', '(') else '.') + sub"
            f.line(depth + 1, f"if r: u = (u or []) + [{name} for sub in r]")
        else:
            f.line(depth + 1, f"u = (u or []) + [{str(at + 1)!r}]")
    f.line(
        depth, f"if n > {last}: u = (u or []) + [str(at) for at in range({last} + 1, n + 1) if comps[at - 1]]"
    )
    for path, name in withins.items():
        _emit_within(f, path, name)
    for look in whole:
        f.line(1, f"r = {f.ref(look)}(comps, node, scope)")
        f.line(1, "if r: u = (u or []) + r")
    f.line(1, "return u")
    return f.made()


def _emit_leaf(f: Function, depth: int, leaf: Leaf, node: str, unsaid: str) -> None:
    if leaf.spread and "." not in leaf.path:
        f.line(depth, f"if t.isspace(): {unsaid}")
        f.line(depth, f"elif {leaf.path!r} in {node}: {node}[{leaf.path!r}].append(t)")
        f.line(depth, f"else: {node}[{leaf.path!r}] = [t]")
    elif leaf.codec is words and leaf.path and "." not in leaf.path:
        f.line(depth, f"if t.isspace(): {unsaid}")
        f.line(depth, f"else: {node}[{leaf.path!r}] = t")
    elif leaf.codec is not None and leaf.path:
        f.line(depth, f"v = {f.ref(leaf.codec)}(t)")
        f.line(depth, f"if v is None: {unsaid}")
        f.line(depth, f"else: {assignment(f, leaf.path, node)}")
    else:
        f.line(depth, f"if not {f.ref(leaf.within_take or leaf.take)}(t, {node}): {unsaid}")


def assignment(f: Function, path: str, node: str) -> str:
    """The source that sets the element at a path of a node to ``v``."""
    return f"{node}[{path!r}] = v" if "." not in path else f"{f.ref(place(path)[1])}({node}, v)"


def _emit_within(f: Function, path: str, name: str) -> None:
    f.line(1, f"if {name}:")
    reader, writer = place(path)
    f.line(2, f"e = {f.ref(reader)}(node)")
    f.line(2, f"if e: e.update({name})")
    f.line(2, f"else: {f.ref(writer)}(node, {name})")


def first_holding(ways: Sequence[tuple[Any, Any, Mapping[str, Any], Sequence[tuple[str, Any]]]]) -> Any:
    """A ``OneOf``'s ``get``. Of each way: whether it holds, its ``get``, its constants and its defaults."""
    f = Function("get", "comps, node, scope")
    *others, _ = ways
    for n, (when, get, tag, default) in enumerate(ways):
        head = "else:" if n == len(others) else f"{'elif' if n else 'if'} {f.ref(when)}(comps):"
        f.line(1, head if others else "if True:")
        f.line(2, f"u = {f.ref(get)}(comps, node, scope)")
        f.line(2, "if node:")
        f.line(3, f"node.update({f.ref(tag)})" if tag else "pass")
        for name, value in default:
            f.line(3, f"if {name!r} not in node: node[{name!r}] = {f.ref(value)}")
    f.line(1, "return u")
    return f.made()


def field_taker(
    get: Any,
    path: str,
    constants: Sequence[tuple[str, Any, bool]],
    writer: Any,
    reader: Any,
    care: Any,
    shorten: Any,
) -> Any:
    """A ``Field``'s ``take`` for a text of one repetition; several go through ``care``."""
    f = Function("take", "text, node, scope")
    f.line(1, f"if scope.repetition in text: return {f.ref(care)}(text, node, scope)")
    _emit_flags(f)
    f.line(1, "comps = text.split(scope.component)")
    f.line(1, "e = {}")
    f.line(1, f"u = {f.ref(get)}(comps, e, scope)")
    f.line(1, "if e:")
    for name, value, always in constants:
        f.line(2, ("" if always else f"if {name!r} not in e: ") + f"e[{name!r}] = {value!r}")
    f.line(2, f"found = {f.ref(reader)}(node)" if "." in path else f"found = node.get({path!r})")
    f.line(
        2,
        f"if found is None: {f.ref(writer)}(node, [e])"
        if "." in path
        else f"if found is None: node[{path!r}] = [e]",
    )
    f.line(2, "elif e not in found: found.append(e)")
    f.line(1, f"if u: return {f.ref(shorten)}(u, comps, '', bool(e))")
    return f.made()


def one_taker(
    get: Any, path: str, alone: Leaf | None, reader: Any, writer: Any, care: Any, shorten: Any
) -> Any:
    """A ``One``'s ``take``, likewise."""
    f = Function("take", "text, node, scope")
    if alone is not None and alone.strict and alone.codec is not None:
        f.line(1, f"v = {f.ref(alone.codec)}(text) if scope.standard else None")
        f.line(1, "if v is not None:")
        f.line(2, assignment(f, alone.path, "node"))
        f.line(2, "return None")
    f.line(1, f"if scope.repetition in text: return {f.ref(care)}(text, node, scope)")
    _emit_flags(f)
    if alone is not None:
        f.line(1, "if scope.plain and scope.component not in text:")
        f.line(2, "t = text")
        _emit_leaf(f, 2, alone, "node", "return ['']")
        f.line(2, "return None")
    f.line(1, "comps = text.split(scope.component)")
    if path:
        f.line(1, f"e = {f.ref(reader)}(node) or {{}}")
        f.line(1, f"u = {f.ref(get)}(comps, e, scope)")
        f.line(1, f"if e: {f.ref(writer)}(node, e)" if "." in path else f"if e: node[{path!r}] = e")
    else:
        f.line(1, f"u = {f.ref(get)}(comps, node, scope)")
    f.line(1, f"if u: return {f.ref(shorten)}(u, comps, '', False)")
    return f.made()


def _emit_flags(f: Function) -> None:
    """What the text may hold besides plain leaves (see ``Scope``)."""
    f.line(1, "clean = scope.clean = scope.escapes not in text and '\"' not in text")
    f.line(1, "parted = scope.parted = scope.subcomponent in text")
    f.line(1, "scope.plain = clean and not parted")
