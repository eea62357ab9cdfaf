"""On which line of a TOML text each key stands: what ``tomllib`` does not tell.

The text has passed ``tomllib`` before, so the scanner only has to find its way, not to judge. A path is
the way to a value in the parsed tree: names of keys, and numbers for the elements of arrays.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import Final

Path = tuple[str | int, ...]

_BETWEEN: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_STRING: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})' + r"|'''.*?'''(?:'{0,2})" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]+|[^\s,\]}#]+")


class Positions:
    """The lines (from 1) and columns (from 1) of the keys of one valid TOML text."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._offsets = _Scanner(text).offsets

    @property
    def paths(self) -> frozenset[Path]:
        """Every key and every array element of the text."""
        return frozenset(self._offsets)

    def line(self, path: Path) -> int:
        """The line of the key at ``path``, or of the nearest table around it; 1 for the whole text."""
        return self.place(path)[0]

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column, as ``line`` finds them."""
        while path and path not in self._offsets:
            path = path[:-1]
        offset = self._offsets.get(path, 0)
        row = bisect_right(self._starts, offset)
        return row, offset - self._starts[row - 1] + 1


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.offsets: dict[Path, int] = {}
        self._last: dict[Path, int] = {}  # array of tables: the number of its table at hand
        self._document()

    def _document(self) -> None:
        table: Path = ()
        self._skip()
        while self.at < len(self.text):
            if self._take("[["):
                table = self._array_table()
            elif self._take("["):
                table = self._table()
            else:
                self._pair(table)
            self._skip()

    def _table(self) -> Path:
        start, parts = self._key()
        self._take("]")
        path = self._mark_all((), parts, start)
        self.offsets[path] = start  # its own header says more than an earlier mention
        return path

    def _array_table(self) -> Path:
        start, parts = self._key()
        self._take("]]")
        around = self._mark_all((), parts[:-1], start)
        array = (*around, parts[-1])
        self._last[array] = self._last.get(array, -1) + 1
        self.offsets.setdefault(array, start)
        path = (*array, self._last[array])
        self.offsets[path] = start
        return path

    def _mark_all(self, path: Path, parts: list[str], start: int) -> Path:
        for part in parts:
            path = (*path, part)
            self.offsets.setdefault(path, start)
            if path in self._last:
                path = (*path, self._last[path])
        return path

    def _pair(self, table: Path) -> None:
        start, parts = self._key()
        self._take("=")
        path = table
        for part in parts:
            path = (*path, part)
            self.offsets.setdefault(path, start)
        self._value(path)

    def _key(self) -> tuple[int, list[str]]:
        self._skip()
        start, parts = self.at, [self._part()]
        while self._take("."):
            parts.append(self._part())
        return start, parts

    def _part(self) -> str:
        self._skip()
        bare = _BARE.match(self.text, self.at)
        if bare:
            self.at = bare.end()
            return bare.group()
        quoted = self._match(_STRING)
        return str(tomllib.loads(f"key = {quoted}")["key"])

    def _value(self, path: Path) -> None:
        self._skip()
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            self._inline_table(path)
        elif self.text[self.at] in "\"'":
            self._match(_STRING)
        else:
            self._match(_SCALAR)

    def _array(self, path: Path) -> None:
        number = 0
        while not self._take("]"):
            self.offsets[(*path, number)] = self.at
            self._value((*path, number))
            self._take(",")
            number += 1

    def _inline_table(self, path: Path) -> None:
        while not self._take("}"):
            self._pair(path)
            self._take(",")

    def _skip(self) -> None:
        self.at = self._between().end()

    def _between(self) -> re.Match[str]:
        found = _BETWEEN.match(self.text, self.at)
        assert found is not None  # noqa: S101  the pattern matches the empty text
        return found

    def _take(self, token: str) -> bool:
        self._skip()
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise ValueError("this is no TOML that tomllib has read")
        self.at = found.end()
        return found.group()
