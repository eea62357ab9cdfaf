"""A log that is witnessed, a fork of it signed with the real key, and a witness of both."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit import witness_keys, witness_state
from audit.checkpoint import Checkpoint
from audit.notes import Kind
from audit.primitives import check
from audit.signing import Signer, Trust, opened, sign
from audit.witness import Answer, Log, Request, cosignatures
from audit.witness_http import WitnessServer
from audit.witness_settings import Limits, Settings, Tls
from audit.witness_state import State
from audit.witnessing import Witness
from tests.audit import naive
from tests.audit.signers import AT, FIRST, LOG, ORIGIN, SECOND
from tests.pki import Authority, SiteFiles

LEAVES = [naive.leaf(b"entry %d" % n) for n in range(24)]
FORK = [*LEAVES[:5], *(naive.leaf(b"another %d" % n) for n in range(19))]  # parts after five entries
KNOWN = (Log(ORIGIN, (LOG.key,)),)
BOTH = (FIRST, SECOND)
LIMITS = Limits()


def note(size: int, leaves: list[bytes] = LEAVES, signer: Signer = LOG, *, origin: str = ORIGIN) -> bytes:
    return sign(Checkpoint(origin, size, naive.mth(leaves[:size])), [signer], AT)


def request(old: int, size: int, leaves: list[bytes] = LEAVES, signer: Signer = LOG) -> Request:
    proof = naive.proof(old, leaves[:size]) if old <= size else []
    return Request(old, tuple(proof), note(size, leaves, signer))


def body(old: int, size: int, leaves: list[bytes] = LEAVES, signer: Signer = LOG) -> bytes:
    return request(old, size, leaves, signer).written()


@contextmanager
def witness(
    folder: Path, signers: tuple[Signer, ...] = BOTH, told: list[str] | None = None
) -> Iterator[Witness]:
    """One that has its state in a folder, which is made if it is not there."""
    keys = [one.key for one in signers]
    if not folder.exists():
        witness_state.create(folder, keys)
    state = State(folder, keys)
    try:
        yield Witness(KNOWN, signers, state, (told if told is not None else []).append, lambda: AT)
    finally:
        state.close()


def believed(asked: bytes, answer: Answer, signers: tuple[Signer, ...] = BOTH) -> Checkpoint:
    """The checkpoint that all these witnesses have cosigned, as somebody who trusts them checks it."""
    assert answer.status == 200, answer
    signed = asked.partition(b"\n\n")[2] + answer.content
    assert len(cosignatures(answer.content)) == len(signers)
    trust = Trust(ORIGIN, (LOG.key,), tuple(one.key for one in signers), len(signers))
    return opened(signed, trust, check).checkpoint


class Running:
    """A witness's server on loopback, in a thread of its own with its own loop."""

    def __init__(
        self,
        folder: Path,
        files: SiteFiles | None,
        limits: Limits = LIMITS,
        prefix: str = "",
        *,
        name: str = "third.example/w",
        logs: tuple[Log, ...] = KNOWN,
        port: int = 0,
    ) -> None:
        tls = Tls(files.certificate, files.key, files.trust, files.crl) if files else None
        key, state = folder / "cosigning.key", folder / "state"
        if not state.exists():
            signers = witness_keys.make(key, name, [Kind.COSIGNATURE])
            witness_state.create(state, [one.key for one in signers])
        self.signers = witness_keys.read(key)
        self._state = State(state, [one.key for one in self.signers])
        chosen = Settings(name, key, state, "127.0.0.1", port, prefix, tls, limits, logs)
        self.told: list[str] = []
        self.witness = Witness(logs, self.signers, self._state, self.told.append)
        self._chosen, self._up, self._loop = chosen, threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._up.wait(10)

    @property
    def vkey(self) -> str:
        return str(self.signers[0].key)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._state.close()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        server = WitnessServer(self._chosen, lambda body: self.witness.add(body))
        await server.start()
        self.port = server.port
        self._up.set()
        await self._ended.wait()
        await server.close()


def client_context(files: SiteFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(files.trust))
    context.load_cert_chain(files.certificate, files.key)
    return context


def connected(running: Running, files: SiteFiles | None = None) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    return client_context(files).wrap_socket(made, server_hostname="localhost") if files else made


def site(folder: Path) -> SiteFiles:
    return Authority().write(folder, "witness")
