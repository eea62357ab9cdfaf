"""Ports that the tests may name to a process before it listens.

They lie below the range the kernel gives to outgoing connections, and each test worker has a range of its
own: a port found free stays free until the process that was told of it listens, and while it is restarted.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Final

_LOWEST: Final = 10_000
_HIGHEST: Final = 32_000
_SHARE: Final = 1_000


def free_ports(count: int) -> list[int]:
    """That many different ports of 127.0.0.1 nobody listens on, and that are handed out once."""
    return list(itertools.islice((port for port in _ports if _is_free(port)), count))


def _own_range() -> Iterator[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    shares = (_HIGHEST - _LOWEST) // _SHARE
    first = _LOWEST + worker % shares * _SHARE
    start = os.getpid() % _SHARE
    return itertools.cycle(first + (start + n) % _SHARE for n in range(_SHARE))


def _is_free(port: int) -> bool:
    try:
        with closing(socket.create_server(("127.0.0.1", port))):
            return True
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False


_ports: Final = _own_range()
