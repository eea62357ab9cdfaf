"""Walks the source of the connector: what leaves an entry in the audit log, by what its functions call.

Followed are names that a module defines or imports, methods of what it imports, and the store's door: a
call of one of its methods leaves an entry where that method gives one to its unit. A branch that is taken
only sometimes counts, so this finds what never leaves an entry.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
STORE: Final = "connector.store"
WRITES: Final = frozenset({"_write", "_step", "submit"})  # how a part of the store's door writes
PUTS: Final = frozenset({"record", "state", "_step"})  # how a unit gets its audit entries
WIRED: Final = {
    "by": "connector.pipeline.operate",
    "glass": "connector.pipeline.emergency",
    "intake": "connector.edges.partners",
    "_receiver": "connector.pipeline.submit",
    "exports": "connector.wiring.exporting",
}
"""What the composition root puts in the place of a port, by the name that it has wherever it is used."""
APART: Final = ("connector.commands.admitting", "connector.wiring.auditing")
"""Who may at all, which tells of refusals alone, and what the log says of itself."""

Call = tuple[str, str]  # the object, as it is written; the function: "" and a name for a plain call


@dataclass(slots=True)
class Module:
    """One file: its functions and methods, and where its names come from."""

    functions: dict[str, set[Call]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    doors: dict[str, bool] = field(default_factory=dict)  # methods that write to the store: do they record
    empty: list[int] = field(default_factory=list)  # lines on which the store is given no entries

    @classmethod
    def of(cls, source: str) -> Module:
        """The module of a source."""
        made, tree = cls(), ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for one in node.names:
                    made.imports[one.asname or one.name] = (node.module, one.name)
            elif isinstance(node, ast.ClassDef):
                made.doors.update(_doors(node))
        for name, function in _functions(tree):
            made.functions.setdefault(name, set()).update(_calls(function))
        made.empty = list(_without_entries(tree))
        return made


class Walk:
    """All of the connector. ``changed``: other contents of some modules."""

    def __init__(self, changed: Mapping[str, str] | None = None) -> None:
        self.modules = dict(_modules())
        self.modules |= {name: Module.of(source) for name, source in (changed or {}).items()}
        self.doors = {
            f"{module.removeprefix(STORE + '.')}.{name}": recording
            for module, one in self.modules.items()
            if module.startswith(STORE)
            for name, recording in one.doors.items()
        }
        self._recording = {name.rpartition(".")[2] for name, recording in self.doors.items() if recording}
        self._recording |= self._further()

    def _further(self) -> set[str]:
        """Methods of the store's door that record through others of it."""
        return {
            name
            for module, one in self.modules.items()
            if module.startswith(STORE) and one.doors
            for name, calls in one.functions.items()
            if any(at == "self" and called in self._recording for at, called in calls)
        }

    def records(self, module: str, function: str) -> bool:
        """Whether a function leaves an entry, or something that it calls."""
        ahead, seen = [(module, function)], set[tuple[str, str]]()
        while ahead:
            here = ahead.pop()
            if here in seen or here[0] not in self.modules or here[0].startswith((STORE, *APART)):
                continue
            seen.add(here)
            for at, name in self.modules[here[0]].functions.get(here[1], ()):
                if at.rpartition(".")[2] in ("store", "_store"):
                    if name in self._recording:
                        return True
                else:
                    ahead += self._led(here[0], at, name)
        return False

    def _led(self, module: str, at: str, name: str) -> Iterator[tuple[str, str]]:
        """Where a call leads."""
        here = self.modules[module]
        for word, people in WIRED.items():
            if at.rpartition(".")[2] == word or f".{word}(" in at:
                yield people, name
        if not at or at == "self":
            if name in here.functions:
                yield module, name
            elif name in here.imports:
                yield here.imports[name]
            return
        if at in here.imports:  # a module
            yield ".".join(here.imports[at]), name
        yield from ((origin, name) for origin, _ in set(here.imports.values()) if _is_of(origin, at, here))


def _is_of(origin: str, at: str, here: Module) -> bool:
    """Whether a call may be made on something of a class from there: one imported from it is named so."""
    word = at.partition("(")[0].rpartition(".")[2].strip("_").lower()
    named = [name.lower() for name, (module, _) in here.imports.items() if module == origin]
    return len(word) > 3 and any(name.endswith(word) for name in named)


@cache
def _modules() -> tuple[tuple[str, Module], ...]:
    paths = sorted((ROOT / "connector").rglob("*.py"))
    return tuple((_named(path), Module.of(path.read_text("utf-8"))) for path in paths)


def _named(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.AST]]:
    """Functions and methods by name; those inside of others as ``outer.inner``, and in the outer too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{within}{node.name}", node
            yield from _functions(node, f"{within}{node.name}.")
        else:
            yield from _functions(node, within)


def _calls(function: ast.AST) -> Iterator[Call]:
    """What is called in a function, or handed on to be called."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            for one in (node.func, *node.args, *(key.value for key in node.keywords)):
                if isinstance(one, ast.Attribute):
                    yield ast.unparse(one.value), one.attr
                elif isinstance(one, ast.Name):
                    yield "", one.id


def _doors(door: ast.ClassDef) -> Iterator[tuple[str, bool]]:
    for node in door.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            called = set(_calls(node))
            if any(name in WRITES and ("self" in at or "writer" in at) for at, name in called):
                yield f"{door.name}.{node.name}", any(name in PUTS for _, name in called)


def _without_entries(tree: ast.AST) -> Iterator[int]:
    """Lines on which a method of the store gets an empty list or tuple."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of_store = ast.unparse(node.func.value).rpartition(".")[2] in ("store", "_store")
            given = (*node.args, *(key.value for key in node.keywords))
            if of_store and any(isinstance(one, ast.List | ast.Tuple) and not one.elts for one in given):
                yield node.lineno
