"""A repository and who feeds it are killed again and again while the log grows: it gets all of it, in order,
and nothing a second time that lies further back than the window."""

from __future__ import annotations

import json
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from audit import syslog
from tests.edges.syslog_site import in_order
from tests.forked import Forked, Nursery
from tests.pki import Authority
from tests.ports import free_ports
from tests.store.site import rows

from .feeder import WINDOW
from .full import FULL

KILLS = 300 if FULL else 12
SEED = 20261123


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("tests.faults.feeder", "tests.edges.syslog_site") as made:
        yield made


class Scene:
    """Both processes, and what lies on the disk of each."""

    def __init__(self, folder: Path, nursery: Nursery) -> None:
        self.folder, self._nursery = folder, nursery
        (self.port,) = free_ports(1)
        authority = Authority()
        for name in ("repository", "connector"):
            authority.write(folder, name)
        self.log = folder / "log"
        self._running: dict[str, Forked] = {}

    def start(self, name: str, speed: float = 100) -> Forked:
        module = {"feeder": "tests.faults.feeder", "repository": "tests.edges.syslog_site"}[name]
        options = [str(speed)] if name == "feeder" else []
        with self.log.open("ab") as log:
            command = [module, str(self.folder), str(self.port), *options]
            self._running[name] = self._nursery.start(command, log)
        return self._running[name]

    def end(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        process = self._running.pop(name)
        assert process.poll() is None, self.log.read_text()[-3000:]
        process.send_signal(how)
        process.wait(10)

    def finish(self) -> None:
        """Kill what runs."""
        for process in self._running.values():
            process.kill()
            process.wait(10)

    def listening(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def received(self) -> list[int]:
        frames = syslog.Frames()
        path = self.folder / "received"
        frames.receive(path.read_bytes() if path.exists() else b"")
        return [json.loads(syslog.read(one).content)["seq"] for one in frames.messages()]

    def logged(self) -> int:
        return int(rows(self.folder, "SELECT max(seq) FROM audit_entry")[0][0] or 0)

    def tagged(self, tag: str) -> int:
        asked = "SELECT count(*) FROM audit_entry WHERE json_extract(entry, '$.tag') = ?"
        return int(rows(self.folder, asked, (tag,))[0][0])


@contextmanager
def scene(folder: Path, nursery: Nursery) -> Iterator[Scene]:
    made = Scene(folder, nursery)
    try:
        yield made
    finally:
        made.finish()


def until(good: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.timeout(1200 if FULL else 120)
def test_a_repository_gets_the_whole_log_however_often_both_are_killed(
    tmp_path: Path, nursery: Nursery
) -> None:
    chance = random.Random(SEED)
    with scene(tmp_path, nursery) as made:
        made.start("repository")
        made.start("feeder")
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.5))
            name = chance.choice(["repository", "feeder"])
            gentle = name == "repository" and chance.random() < 0.3
            made.end(name, signal.SIGTERM if gentle else signal.SIGKILL)
            time.sleep(chance.choice([0, 0, 0.1, 0.4]))
            made.start(name)
        made.end("feeder")
        last = made.start("feeder", 0)
        until(lambda: last.poll() is not None, 60)
        assert last.poll() == 0, made.log.read_text()[-3000:]
        seen, logged = made.received(), made.logged()
        assert in_order(seen, WINDOW) == list(range(1, logged + 1))
        assert logged > 10 * KILLS
        print(f"{KILLS} kills, {logged} entries, {len(seen) - logged} of them more than once")
