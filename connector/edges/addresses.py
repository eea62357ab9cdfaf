"""Connecting to a partner: the address is judged after its name was resolved, and that very one is connected.

So a name that resolves to this machine, to the link or to a cloud's metadata leads nowhere, also when it
resolves to something else the next time it is asked. This machine may be meant only where the profile names
it itself (``localhost``, ``127.0.0.1``, ``::1``).
"""

from __future__ import annotations

import asyncio
import functools
import socket
from asyncio import staggered
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from connector.errors import AddressNotAllowed
from connector.profile.reach import refusal
from connector.profile.section import is_loopback


class Found(NamedTuple):
    """One address of a host, as ``getaddrinfo`` tells it."""

    family: int
    address: tuple[Any, ...]  # (ip, port) or (ip, port, flow, scope)


Resolve = Callable[[str, int], Awaitable[Sequence[Found]]]
Dial = Callable[[str, int], Awaitable[socket.socket]]

_NEXT: Final = 0.25  # seconds after which the next address is tried beside the one before (RFC 8305)


async def resolved(host: str, port: int) -> Sequence[Found]:
    """The addresses of a host, in the order to try them. Raises OSError where it has none."""
    rows = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [Found(family, address) for family, _, _, _, address in rows]


async def dial(host: str, port: int, resolve: Resolve = resolved) -> socket.socket:
    """A connected socket that does not block.

    Raises ``AddressNotAllowed`` where any of the host's addresses is one that nothing may connect to, and
    OSError where none can be connected.
    """
    found = await resolve(host, port)
    for one in found:
        _judge(str(one.address[0]), is_loopback(host))
    tries = [functools.partial(_connected, one) for one in found]
    winner: socket.socket | None
    winner, _, failures = await staggered.staggered_race(tries, _NEXT)
    if winner is None:
        raise next((one for one in failures if one is not None), OSError("the host has no address"))
    return winner


def _judge(address: str, loopback: bool) -> None:
    if reason := refusal(address, loopback=loopback):
        raise AddressNotAllowed(
            f"nothing connects to this address: {reason}",
            fix="name the partner's own address in the profile, and see what its name resolves to",
        )


async def _connected(found: Found) -> socket.socket:
    made = socket.socket(found.family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(made, found.address)
    except BaseException:
        made.close()
        raise
    return made
