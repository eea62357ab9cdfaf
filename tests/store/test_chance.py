"""Nonces are never given out twice, by whatever thread or child, and keys are drawn without copies."""

from __future__ import annotations

import os
import pickle
import threading

from connector.store import chance
from connector.store.chance import fresh_key, nonce


def test_no_two_threads_get_the_same_nonce() -> None:
    found: list[list[bytes]] = [[] for _ in range(4)]

    def draw(into: list[bytes]) -> None:
        into.extend(nonce() for _ in range(5000))

    threads = [threading.Thread(target=draw, args=(one,)) for one in found]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    drawn = [one for some in found for one in some]
    assert len(set(drawn)) == len(drawn) == 20_000
    assert {len(one) for one in drawn} == {12}


def test_a_child_draws_nonces_of_its_own() -> None:
    nonce()
    waiting = set(chance._nonces)
    assert waiting
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, pickle.dumps([nonce() for _ in range(len(waiting))]))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        drawn = pickle.loads(pipe.read())  # noqa: S301 - what our own child wrote
    os.waitpid(child, 0)
    assert len(drawn) == len(waiting)
    assert not waiting & set(drawn)


def test_keys_differ_and_can_be_wiped() -> None:
    keys = [fresh_key() for _ in range(100)]
    assert len({bytes(one) for one in keys}) == 100
    assert all(isinstance(one, bytearray) and len(one) == 32 for one in keys)
