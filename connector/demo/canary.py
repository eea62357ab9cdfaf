"""Words that nobody else says, and the search for them in whatever form they may have been written."""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

_LENGTH: Final = 14
_EDGE: Final = 4  # characters of base64 that depend on what stands beside
_CHARSETS: Final = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")
_CHUNK: Final = 8 * 1024 * 1024  # bytes


def new_word() -> str:
    """Random letters, the first a capital: as a name they pass everywhere, and no file has them by chance."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LENGTH))
    return letters.capitalize()


def forms(word: str) -> dict[str, bytes]:
    """A word as text, and as it looks when text is encoded once more."""
    found: dict[str, bytes] = {}
    for case in (word, word.lower(), word.upper()):
        found |= {
            f"{case}/{name}": case.encode(name) for name in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")
        }
        found[f"{case}/hex"] = case.encode().hex().encode()
        found[f"{case}/HEX"] = case.encode().hex().upper().encode()
        for shift in range(3):
            inner = base64.b64encode(b"\0" * shift + case.encode())[_EDGE:-_EDGE]
            found[f"{case}/base64/{shift}"] = inner
        found[f"{case}/backwards"] = case[::-1].encode()
    return {name: form for name, form in found.items() if len(form) >= _LENGTH // 2}


class Hit(NamedTuple):
    """A word was found: where, and on which path it had been sent; never the word."""

    where: str
    path: str


class Search:
    """Looks for the words of all paths. ``searched``: bytes."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._forms = [(path, form) for path, word in words.items() for form in set(forms(word).values())]
        self._longest = max((len(form) for _, form in self._forms), default=1)
        self.searched = 0

    def text(self, where: str, content: bytes) -> Iterator[Hit]:
        """The paths whose words stand in this."""
        self.searched += len(content)
        yield from (
            Hit(where, path) for path in sorted({path for path, form in self._forms if form in content})
        )

    def file(self, path: Path, name: str = "") -> Iterator[Hit]:
        """The paths whose words stand in a file, or in its name; one that is gone meanwhile holds none."""
        yield from self.text(f"the name of {name or path.name}", str(path).encode())
        try:
            with path.open("rb") as file:
                before = b""
                while chunk := file.read(_CHUNK):
                    yield from self.text(name or str(path), before + chunk)
                    before = chunk[-self._longest :]
        except FileNotFoundError:
            return

    def folder(self, folder: Path, besides: Iterable[Path] = ()) -> Iterator[Hit]:
        """The same of every file below a folder; ``besides``: files and folders that may hold them."""
        left_out = set(besides)
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and left_out.isdisjoint({path, *path.parents}):
                yield from self.file(path, str(path.relative_to(folder)))
