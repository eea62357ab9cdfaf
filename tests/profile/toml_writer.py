"""Writes a tree as TOML in one of the many ways there are, and notes on which line each key went."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from connector.profile.positions import Path

Choose = Callable[[Sequence[str]], str]


class Writer:
    """``text`` is the tree as TOML, ``lines`` the line (from 1) of each key and array element."""

    def __init__(self, tree: dict[str, Any], choose: Choose) -> None:
        self.text, self.choose = "", choose
        self.lines: dict[Path, int] = {}
        self.table((), (), tree)

    def note(self, path: Path) -> None:
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def key(self, name: str) -> str:
        basic = json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")
        ways = [basic]
        if re.fullmatch("[A-Za-z0-9_-]+", name):
            ways = [name, basic]
        if re.fullmatch("[ -&(-~]*", name):
            ways.append(f"'{name}'")
        return self.choose(ways)

    def dotted(self, names: Sequence[str]) -> str:
        return self.choose([".", " . ", ". "]).join(map(self.key, names))

    def gap(self) -> None:
        self.text += self.choose(["", "\n", '# [a.b] = "x\n', "   \t", "\n\n  # '''\n"])

    def table(self, path: Path, names: tuple[str, ...], tree: dict[str, Any]) -> None:
        """The pairs first: after a header they would belong to another table."""
        ways = {name: self.choose(_ways(value)) for name, value in tree.items()}
        for name, way in ways.items():
            if way in ("inline", "dotted"):
                self.gap()
                self.pair((*path,), [name], tree[name], way)
        for name, way in ways.items():
            if way in ("table", "implied"):
                self.header(path, (*names, name), tree[name], way)
            elif way == "tables":
                self.headers(path, (*names, name), tree[name])

    def header(self, path: Path, names: tuple[str, ...], tree: dict[str, Any], way: str) -> None:
        self.gap()
        self._header(path, names, tree, way)

    def _header(self, path: Path, names: tuple[str, ...], tree: dict[str, Any], way: str) -> None:
        own = (*path, names[-1])
        self.note(own)
        if way == "table":
            self.text += f"[ {self.dotted(names)} ]{self.choose(['', ' # [x]'])}\n"
        if way == "implied":
            (name, inner), *_ = tree.items()
            self._header(own, (*names, name), inner, "table")
            return
        self.table(own, names, tree)

    def headers(self, path: Path, names: tuple[str, ...], trees: list[dict[str, Any]]) -> None:
        for number, tree in enumerate(trees):
            self.gap()
            self.note((*path, names[-1]))
            self.note((*path, names[-1], number))
            self.text += f"[[{self.dotted(names)}]]\n"
            self.table((*path, names[-1], number), names, tree)

    def pair(self, path: Path, names: list[str], value: Any, way: str, end: str = "\n") -> None:
        if way == "dotted":
            (name, inner), *_ = value.items()
            self.pair(path, [*names, name], inner, "inline", end)
            return
        for depth in range(len(names)):
            self.note((*path, *names[: depth + 1]))
        self.text += f"{self.dotted(names)} {self.choose(['=', ' = '])} "
        self.value((*path, *names), value)
        self.text += end

    def value(self, path: Path, value: Any) -> None:
        if isinstance(value, dict):
            self.inline(path, value)
        elif isinstance(value, list):
            self.array(path, value)
        else:
            self.text += self.string(value) if isinstance(value, str) else json.dumps(value)

    def inline(self, path: Path, tree: dict[str, Any]) -> None:
        self.text += "{ "
        for number, (name, value) in enumerate(tree.items()):
            self.text += ", " if number else ""
            self.pair(path, [name], value, "inline", end="")
        self.text += "}"

    def array(self, path: Path, values: list[Any]) -> None:
        self.text += "["
        for number, value in enumerate(values):
            self.text += self.choose(["", " ", "\n", " # ]\n "])
            self.note((*path, number))
            self.value((*path, number), value)
            self.text += self.choose([",", " ,", "\n,"]) if number < len(values) - 1 else ""
        self.text += self.choose(["", ",", ", # ]\n", "\n"]) if values else self.choose(["", "\n# ]\n"])
        self.text += "]"

    def string(self, text: str) -> str:
        basic = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
        lines = basic[1:-1].replace("\\n", "\n")
        ways = [basic, f'"""\n{lines}"""'] if "\\\\n" not in basic else [basic]
        if re.fullmatch("[ -&(-~\n]*", text):
            ways.append(f"'''\n{text}'''")
        return self.choose(ways)


def _ways(value: Any) -> list[str]:
    if isinstance(value, dict):
        ways = ["inline", "table"]
        if len(value) == 1:
            ways.append("dotted")
            ways += ["implied"] if isinstance(next(iter(value.values())), dict) else []
        return ways
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return ["inline", "tables"]
    return ["inline"]
