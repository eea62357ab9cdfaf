"""A hospital that sends, as a process of its own: ``python -m benchmarks.sender SITE --count N``.

Sixteen connections with mutual TLS, one message in flight on each; those of one patient go over one of them.
Prints one JSON object: how many were acknowledged, how long that took, and how long an acknowledgment took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

from benchmarks import people
from benchmarks.report import percentile
from connector.demo import tls
from connector.demo.site import Site

_END: Final = b"\x1c\r"


class Plan(NamedTuple):
    """How many messages, from which patient on; ``rate``: a second (0: as fast as they are taken)."""

    first: int
    total: int
    rate: float
    seconds: float  # 0: until all are sent
    connections: int
    patients: int  # 0: every message is about another one


class Sender:
    """The connections share one list of messages."""

    def __init__(self, site: Site, plan: Plan) -> None:
        self._port, self._plan = site.ports.mllp, plan
        self._context: ssl.SSLContext = tls.client_context(site.folder, "hospital")
        messages = people.admissions(plan.total, plan.first, plan.patients)
        self._frames = [b"\x0b" + one.encode() + _END for one in messages]
        self._start = 0.0
        self._taken: list[float] = []
        self._refused = 0

    async def run(self) -> dict[str, Any]:
        """Send; what was seen."""
        streams = [await self._connected() for _ in range(self._plan.connections)]
        self._start = perf_counter()
        await asyncio.gather(
            *(self._send(*stream, frames) for stream, frames in zip(streams, self._shares()))
        )
        spent = perf_counter() - self._start
        for _, writer in streams:
            writer.transport.abort()
        return {
            "sent": len(self._taken),
            "refused": self._refused,
            "seconds": spent,
            "p50": percentile(self._taken, 0.50) * 1e3,
            "p99": percentile(self._taken, 0.99) * 1e3,
            "max": max(self._taken) * 1e3,
        }

    def _shares(self) -> list[Iterator[tuple[int, bytes]]]:
        """What each connection sends: whatever comes next; where patients come again, that of its own."""
        frames, width = list(enumerate(self._frames)), self._plan.connections
        if not self._plan.patients:
            return [iter(frames)] * width
        shares: list[list[tuple[int, bytes]]] = [[] for _ in range(width)]
        for number, frame in frames:
            shares[(self._plan.first + number) % self._plan.patients % width].append((number, frame))
        return [iter(share) for share in shares]

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("localhost", self._port, ssl=self._context)

    async def _send(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        frames: Iterator[tuple[int, bytes]],
    ) -> None:
        """One message after the other. With a rate, time counts from when a message was due, late or not."""
        for number, frame in frames:
            due = perf_counter()
            if self._plan.seconds and due - self._start > self._plan.seconds:
                return
            if self._plan.rate:
                due = self._start + number / self._plan.rate
                await asyncio.sleep(max(due - perf_counter(), 0))
            writer.write(frame)
            answer = await reader.readuntil(_END)
            self._taken.append(perf_counter() - due)
            self._refused += b"MSA|AA|" not in answer and b"MSA|CA|" not in answer


def main() -> None:
    """Read the plan, send, print."""
    parser = argparse.ArgumentParser(prog="benchmarks.sender")
    parser.add_argument("site", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", dest="total", type=int, required=True)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--patients", type=int, default=0)
    given = vars(parser.parse_args())
    sender = Sender(Site.open(given.pop("site")), Plan(**given))
    sys.stdout.write(json.dumps(asyncio.run(sender.run())) + "\n")


if __name__ == "__main__":
    main()
