"""Strict conformance: an independent implementation (hl7apy) judges a copy of a message.

hl7apy is slow (30 ms and more a message) and can be made much slower, so it works in processes of its own
(``judge_worker``), under a size limit and a deadline. What it cannot judge is refused: a message that is too
large, takes too long or brings the process down gets a typed error, never the benefit of the doubt.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct
import sys
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final

from connector.errors import (
    DataTypeFault,
    MessageError,
    Overloaded,
    RequiredFieldMissing,
    SegmentSequence,
    TableValueNotFound,
    UnableToWork,
    UnsupportedEvent,
)
from connector.hl7v2.location import Location

KINDS: Final[dict[str, tuple[type[MessageError], str, str]]] = {
    "structure": (UnsupportedEvent, "no message structure is known for this type and event", "check MSH-9"),
    "segment-missing": (SegmentSequence, "a required segment is missing", "send it"),
    "segment-place": (
        SegmentSequence,
        "the segment has no place here in its message structure",
        "check the order",
    ),
    "segment-unknown": (SegmentSequence, "the standard does not know this segment", "use a Z segment"),
    "line": (SegmentSequence, "a line is no segment", "escape line breaks as \\.br\\"),
    "required": (RequiredFieldMissing, "a required element is empty", "fill it in"),
    "repeats": (DataTypeFault, "it repeats more often than the standard allows", "send it once"),
    "surplus": (
        DataTypeFault,
        "it has more parts than the standard knows",
        "send what the version in MSH-12 has",
    ),
    "datatype": (DataTypeFault, "it does not have the form of its datatype", "check the format"),
    "table": (TableValueNotFound, "the code is not in its table", "send a code of the table"),
    "unread": (MessageError, "the message cannot be judged", "check its delimiters and segments"),
}
"""What the worker may say, and what it becomes: class, text, what to do. None of its own words go further."""

_START: Final = 30.0  # seconds for a process to come up, on a busy machine
_READY: Final = b"+"
_MOST: Final = 1024 * 1024  # bytes of an answer


class Judge:
    """``await judge.findings(text)``; the processes start when they are first needed.

    ``size_limit``: bytes of a message (UTF-8); ``deadline``: seconds for one message, and for waiting until
    a process is free; ``workers``: how many messages are judged at a time.
    """

    def __init__(self, size_limit: int = 256 * 1024, deadline: float = 10.0, workers: int = 1) -> None:
        self._size_limit, self._deadline = size_limit, deadline
        self._workers = [_Worker() for _ in range(workers)]
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._idle.put_nowait(worker)

    async def findings(self, text: str) -> list[MessageError]:
        """What is wrong in a message; empty where it conforms.

        A message that cannot be judged has that as its finding. Raises ``UnableToWork`` or ``Overloaded``
        where no process is to be had, which is not the message's fault.
        """
        payload = text.encode("utf-8", "surrogatepass")
        if len(payload) > self._size_limit:
            return [MessageError("too large to be judged", fix="send less, or use lenient conformance")]
        async with self._worker() as worker:
            try:
                answer = await asyncio.wait_for(worker.ask(payload), self._deadline)
            except TimeoutError:
                return [MessageError("not judged within the deadline", fix="send less in one message")]
            except (EOFError, ConnectionError):
                return [MessageError("the judge broke down over this message", fix="see the documentation")]
        return [_error(kind, location) for kind, location in json.loads(answer)]

    __call__ = findings

    async def close(self) -> None:
        """End the processes. A later message starts them again."""
        for worker in self._workers:
            await worker.stop()

    async def __aenter__(self) -> Judge:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[_Worker]:
        """A running process for one message; one that did not finish it is ended."""
        try:
            worker = await asyncio.wait_for(self._idle.get(), self._deadline)
        except TimeoutError:
            busy = Overloaded("all judges are busy", fix="send it again later")
        else:
            try:
                await worker.start()
                yield worker
            finally:
                if worker.busy:
                    await worker.stop()
                self._idle.put_nowait(worker)
            return
        raise busy


class _Worker:
    """One process. ``busy``: it was asked and has not answered."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self.busy = False

    async def start(self) -> None:
        """Make sure that the process is up. Raises ``UnableToWork`` where it does not come up."""
        if self._process is not None and self._process.returncode is None:
            return
        await self.stop()
        self.busy = True
        try:
            await asyncio.wait_for(self._begin(), _START)
        except (OSError, EOFError, TimeoutError) as error:
            raise UnableToWork("the judge does not start", fix="check memory and Python") from error
        self.busy = False

    async def ask(self, payload: bytes) -> bytes:
        """The answer to one message. Raises ``EOFError`` or ``ConnectionError`` where the process ends."""
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            raise EOFError
        self.busy = True
        process.stdin.write(struct.pack(">I", len(payload)) + payload)
        await process.stdin.drain()
        (size,) = struct.unpack(">I", await process.stdout.readexactly(4))
        if size > _MOST:
            raise EOFError
        answer = await process.stdout.readexactly(size)
        self.busy = False
        return answer

    async def stop(self) -> None:
        """End the process, whatever it is doing."""
        process, self._process, self.busy = self._process, None, False
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()

    async def _begin(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "connector.edges.judge_worker"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback would show values
            env={"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path), "PATH": os.defpath},
        )
        if self._process.stdout is None or await self._process.stdout.readexactly(1) != _READY:
            raise EOFError


def _error(kind: str, location: str) -> MessageError:
    """The worker is believed as far as our own words go: a known kind, and a location of v2's form."""
    make, what, fix = KINDS.get(kind, KINDS["unread"])
    place = Location.of_error(location)
    return make(what, fix=fix, location=str(place) if place else "")
