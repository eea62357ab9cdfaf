"""A review of an export, for whoever was handed one: away from the connector, and from its keys."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from audit import notes
from audit.notes import Key, NoteRefused
from audit.review.heads import seal
from audit.review.reading import Unreadable, read
from audit.review.seals import Seal
from audit.tiles import LONGEST

ENTRIES: Final = "entries.ndjson"
MANIFEST: Final = "manifest.json"
_MANIFEST: Final = 64 * 1024 * 1024  # bytes: it lists every member
_OWN: Final = ", which the export names itself"
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # nothing else is in an export
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError)


class Exported:
    """An export's zip file, open. Nothing of it is proven: that is for its ``verify.py``."""

    def __init__(self, path: Path) -> None:
        """Raises ``Unreadable``."""
        try:
            self._zip = zipfile.ZipFile(path)
        except _BROKEN as error:
            raise Unreadable(f"it cannot be read as a zip file ({type(error).__name__})") from None
        try:
            self._manifest = self._said()
        except Unreadable:
            self._zip.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def _said(self) -> dict[str, Any]:
        if not all(one.compress_type in _PACKED for one in self._zip.infolist()):
            raise Unreadable("it is packed in a way that no export is")
        try:
            said = json.loads(self._read(MANIFEST, _MANIFEST) or b"")
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise Unreadable("it has no list of what is in it")
        return said

    @property
    def filtered(self) -> dict[str, str]:
        """What was asked for of the log, where that was less than all of it."""
        asked = self._manifest.get("asked")
        found = asked if isinstance(asked, dict) else {}
        return {str(name): str(value) for name, value in found.items() if value is not None}

    def entries(self) -> Iterator[dict[str, Any]]:
        """In their order, as a stream. Raises ``Unreadable``."""
        try:
            with self._zip.open(ENTRIES) as file:
                yield from _lines(file)
        except KeyError:
            raise Unreadable("it has no entries") from None
        except _BROKEN as error:
            raise Unreadable(f"its entries cannot be read ({type(error).__name__})") from None

    def seals(self) -> tuple[Seal, ...]:
        """Of each shard in it, by the keys that are in it too."""
        shards = self._manifest.get("shards")
        return tuple(
            self._seal(one) for one in (shards if isinstance(shards, list) else []) if isinstance(one, dict)
        )

    def _seal(self, shard: dict[str, Any]) -> Seal:
        origin, first, year = shard.get("origin"), shard.get("first"), shard.get("year")
        folder = f"log/{year:04}" if type(year) is int else "log"
        number = first if type(first) is int else 0
        signed, cosigned = (
            self._read(f"{folder}/{name}", notes.LONGEST) for name in ("checkpoint", "cosigned")
        )
        found = seal(str(origin), number, self._keys(folder), signed, cosigned)
        good = found.signature.startswith("good")
        return found._replace(signature=f"{found.signature}{_OWN}") if good else found

    def _keys(self, folder: str) -> tuple[Key, ...]:
        try:
            text = (self._read(f"{folder}/keys", notes.LONGEST) or b"").decode("utf-8")
            return tuple(map(notes.parse_key, text.splitlines()))
        except (UnicodeDecodeError, NoteRefused):
            return ()

    def _read(self, name: str, most: int) -> bytes | None:
        """A small member; None where there is none. Raises ``Unreadable``."""
        try:
            with self._zip.open(name) as file:
                found = file.read(most + 1)
        except KeyError:
            return None
        except _BROKEN as error:
            raise Unreadable(f"{name}: it cannot be read ({type(error).__name__})") from None
        if len(found) > most:
            raise Unreadable(f"{name}: it is too long")
        return found


def _lines(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """No line is longer than an entry can be, whatever the file says."""
    number, lines = 0, io.BufferedReader(file, 1 << 16)  # type: ignore[type-var]
    while line := lines.readline(LONGEST + 2):
        number += 1
        yield read(line.rstrip(b"\n"), f"line {number} of {ENTRIES}")
