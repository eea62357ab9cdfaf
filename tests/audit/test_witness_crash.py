"""A witness that stops at any call to the disk, with what the disk held then: it cosigns no fork after."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from audit import witness_state
from audit.witness import Answer
from audit.witnessing import Witness
from tests.audit.signers import FIRST
from tests.audit.witness_site import FORK, body, witness

ONE = (FIRST,)


class Stopped(BaseException):
    """The process is gone."""


class Disk:
    """Stands before ``os`` where the state is written: stops at the ``nth`` call, and remembers what is on
    the disk for sure: the folder as it was when it was synced last, with what was synced of each file."""

    def __init__(self, folder: Path, durable: Path, nth: int) -> None:
        self._folder, self._durable, self._left = folder, durable, nth
        self._contents: dict[int, bytes] = {}  # by inode: what was synced of a file
        self._own = False  # what is called to remember is not counted
        self.calls: list[str] = []

    def call(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def made(*given: Any, **named: Any) -> Any:
            if self._own:
                return real(*given, **named)
            self.calls.append(name)
            self._left -= 1
            if self._left == 0:
                raise Stopped
            found = real(*given, **named)
            if name == "fsync":
                self._own = True
                self._synced(given[0])
                self._own = False
            return found

        return made

    def _synced(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        if path.is_file():
            self._contents[path.stat().st_ino] = path.read_bytes()
        if path != self._folder:
            return
        shutil.rmtree(self._durable, ignore_errors=True)
        self._durable.mkdir()
        for one in self._folder.iterdir():
            (self._durable / one.name).write_bytes(self._contents.get(one.stat().st_ino, b""))


@contextmanager
def stopping(disk: Disk) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("open", "write", "fsync", "close", "rename"):
            patch.setattr(witness_state.os, name, disk.call(name, getattr(os, name)))
        yield


def day(folder: Path, disk: Disk) -> tuple[list[Answer], bool]:
    """A witness is made, and asked three times, the second time past the fork: its answers, and whether it
    was stopped."""
    answers: list[Answer] = []
    try:
        with stopping(disk), witness(folder, ONE) as asked:
            for old, size in ((0, 5), (5, 9), (9, 12)):
                answers.append(asked.add(body(old, size)))
    except Stopped:
        return answers, True
    return answers, False


def holds(asked: Witness, past_the_fork: bool, first: int) -> None:
    """After what was answered, the other way is not cosigned, and the log can go on."""
    for old in (0, 5, 9, 12):
        for size in (5, 9, 12, 20):
            if old <= size and past_the_fork:
                answer = asked.add(body(old, size, FORK))
                assert answer.status in (409, 422), (first, old, size)
    seen = int(asked.add(body(0, 24)).content.split()[0]) if asked.add(body(0, 24)).status == 409 else 24
    assert asked.add(body(seen, 24)).status == 200, first


def test_wherever_it_stops_what_it_answered_still_counts(tmp_path: Path) -> None:
    nth, stopped, held = 0, True, 0
    while stopped:
        nth += 1
        folder, durable = tmp_path / f"{nth}", tmp_path / f"{nth} durable"
        disk = Disk(folder, durable, nth)
        answers, stopped = day(folder, disk)
        assert all(one.status == 200 for one in answers)
        for left in (folder, durable):
            if answers and left.exists():
                held += 1
                again = left.with_name(f"{left.name} again")  # the lock of what stopped is not ours to open
                shutil.copytree(left, again)
                with witness(again, ONE) as asked:
                    holds(asked, len(answers) > 1, nth)
    assert nth > 20
    assert held > 20


def test_each_answer_comes_after_the_file_the_name_and_the_folder_are_on_the_disk(tmp_path: Path) -> None:
    with witness(tmp_path / "state", ONE) as asked:
        disk = Disk(tmp_path / "state", tmp_path / "durable", 0)
        with stopping(disk):
            asked.add(body(0, 5))
    order = [call for call in disk.calls if call in ("fsync", "rename")]
    assert order == ["fsync", "rename", "fsync"]
