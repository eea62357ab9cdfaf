"""A hospital system as a process of its own: sends and receives HL7 v2 over MLLP with mutual TLS.

``python -m connector.demo.hospital --site DIR``. It sends every ``.hl7`` file dropped into
``hospital/out/``, in the order of the names, message by message, each again under the same control id until
it is acknowledged. What it receives it acknowledges with AA once it is on the disk; a control id that
comes again is acknowledged again and counted as a repeat, without effect.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import logging
import os
import signal
import ssl
from pathlib import Path
from typing import Any, Final

import click

from connector.demo import tls
from connector.demo.messages import Answer, acknowledge, control_id, frame, read_answer, split, text_of
from connector.demo.site import Site

log: Final = logging.getLogger("hospital")
_LARGEST: Final = 64 * 1024 * 1024
_ANSWER_TIME: Final = 30.0  # seconds to wait for an acknowledgment
_AGAIN: Final = {("AE", "207"), ("CE", "207")}  # "internal error": the connector cannot work just now
_PATIENCE: Final = 20  # after so many of these it is taken for a no
_PASSING: Final = (OSError, EOFError, asyncio.IncompleteReadError, TimeoutError, ssl.SSLError)


class Record:
    """A JSON-lines file whose lines are on the disk when ``append`` returns."""

    def __init__(self, path: Path) -> None:
        self.lines: list[dict[str, Any]] = []
        if path.exists():
            whole = path.read_bytes().rpartition(b"\n")
            os.truncate(path, len(whole[0]) + len(whole[1]))  # half a line, from a kill
            self.lines = [json.loads(line) for line in whole[0].splitlines()]
        self._file = path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def append(self, **line: Any) -> None:
        """Add one line, stamped with the time and its number."""
        self.lines.append({"n": len(self.lines) + 1, "at": _now(), **line})
        self._file.write(json.dumps(self.lines[-1], ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


class Receiving:
    """The receiving half: answers every frame and keeps what it says."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._known = {line["control_id"]: line["message"] for line in record.lines}

    def take(self, message: bytes) -> bytes:
        """Keep a message and give its acknowledgment.

        ``repeat``: its control id was here before; ``conflict``: and it said something else then.
        """
        identity, text = control_id(message), text_of(message)
        repeat = identity in self._known
        conflict = repeat and self._known[identity] != text
        self._record.append(control_id=identity, repeat=repeat, conflict=conflict, message=text)
        self._known.setdefault(identity, text)
        return acknowledge(message, "AA", f"H{len(self._record.lines):08d}", _stamp())

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: frames in, acknowledgments out, until the peer goes."""
        with contextlib.suppress(*_PASSING):
            while True:
                received = await reader.readuntil(b"\x1c\r")
                message = received[received.index(b"\x0b") + 1 : -2]
                writer.write(frame(self.take(message)))
                await writer.drain()
        writer.close()


class Sending:
    """The sending half: one connection, one message at a time."""

    def __init__(self, site: Site, record: Record) -> None:
        self._site, self._record = site, record
        self._context = tls.client_context(site.folder, "hospital")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._done = {(line["file"], line["index"]) for line in record.lines}

    async def watch(self, pace: float) -> None:
        """Send what is dropped into the spool folder, for ever, ``pace`` seconds between messages."""
        while True:
            for path in sorted(self._site.spool.glob("*.hl7")):
                await self._send_file(path, pace)
                path.rename(path.with_suffix(".sent"))
            await asyncio.sleep(0.05)

    async def _send_file(self, path: Path, pace: float) -> None:
        for index, message in enumerate(split(await asyncio.to_thread(path.read_bytes))):
            if (path.name, index) in self._done:
                continue
            tries, answer = await self._until_answered(message)
            self._done.add((path.name, index))
            self._record.append(
                file=path.name,
                index=index,
                control_id=control_id(message),
                tries=tries,
                ack=answer.code,
                errors=answer.errors,
                matches=answer.acknowledges == control_id(message),
            )
            await asyncio.sleep(pace)

    async def _until_answered(self, message: bytes) -> tuple[int, Answer]:
        tries, pause = 0, 0.1
        while True:
            tries += 1
            try:
                answer = await self._exchange(message)
                if tries == _PATIENCE or not _may_pass(answer):
                    return tries, answer
                log.info("the connector cannot take it now, trying again")
            except _PASSING as error:
                log.info("no answer (%s), trying again", type(error).__name__)
                self._hang_up()
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _exchange(self, message: bytes) -> Answer:
        async with asyncio.timeout(_ANSWER_TIME):
            reader, writer = await self._connection()
            writer.write(frame(message))
            await writer.drain()
            answer = await reader.readuntil(b"\x1c\r")
        return read_answer(answer[answer.index(b"\x0b") + 1 : -2])

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(
                "127.0.0.1",
                self._site.ports.mllp,
                ssl=self._context,
                server_hostname="localhost",
                limit=_LARGEST,
            )
        return self._streams

    def _hang_up(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def run(site: Site, pace: float) -> None:
    """Both halves, until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    received, sent = Record(site.received), Record(site.sent)
    server = await asyncio.start_server(
        Receiving(received).converse,
        "127.0.0.1",
        site.ports.hospital,
        ssl=tls.server_context(site.folder, "hospital"),
        limit=_LARGEST,
    )
    log.info("hospital ready on %d", site.ports.hospital)
    tasks = [
        asyncio.create_task(Sending(site, sent).watch(pace)),
        asyncio.create_task(ended.wait()),
    ]
    done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    server.close()
    received.close()
    sent.close()
    for task in done:
        task.result()  # a fault of the sending half ends the process with its traceback


def drop(site: Site, name: str, content: bytes) -> None:
    """Put a file into the hospital's spool folder, all of it at once; it is sent after the ones before it."""
    draft = site.spool / f"{name}.draft"
    draft.write_bytes(content)
    draft.rename(site.spool / f"{name}.hl7")


def _may_pass(answer: Answer) -> bool:
    return any((answer.code, error.partition(" ")[0]) in _AGAIN for error in answer.errors)


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stamp() -> str:
    return dt.datetime.now(dt.UTC).strftime("%Y%m%d%H%M%S+0000")


@click.command(help="Run the hospital system of a demo site.")
@click.option("--site", "folder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--pace", default=0.0, help="Seconds between two messages.")
def main(folder: Path, pace: float) -> None:
    """The command behind ``python -m connector.demo.hospital``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    asyncio.run(run(Site.open(folder), pace))


if __name__ == "__main__":
    main()
