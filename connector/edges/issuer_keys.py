"""An issuer's keys as they are now: read again in time, kept for a while when the issuer is silent.

A token with a key id that is not known has the keys asked for again, at most once in ``pause`` seconds
however many such tokens come, since nobody has proved anything by naming a key id. What is known is used
meanwhile. After ``keep`` seconds without word of the issuer the keys count no more: nobody can say that
they were not withdrawn, so every token is refused until they are told again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import structlog

from connector.edges.jwks import SigningKey, VerifyingKeys
from connector.errors import IssuerUnavailable

_log: Final = structlog.get_logger(__name__)


class KeySource(Protocol):
    """Where a guard finds the key that a token names."""

    async def find(self, kid: object, algorithm: str) -> SigningKey | None:
        """The key; None where the issuer has none of that id for this algorithm.

        Raises ``IssuerUnavailable``.
        """
        ...


class KnownKeys:
    """Keys that are at hand and stay what they are."""

    def __init__(self, keys: VerifyingKeys) -> None:
        self._keys = keys

    async def find(self, kid: object, algorithm: str) -> SigningKey | None:
        """As ``KeySource`` says."""
        return self._keys.find(kid, algorithm)


class Times(NamedTuple):
    """Seconds. ``refresh``: after which keys are asked for again; ``pause``: at least between two askings;
    ``keep``: for which keys count without word of the issuer."""

    refresh: float = 300.0
    pause: float = 30.0
    keep: float = 3600.0


OF_SITES: Final = Times()
OF_FILES: Final = Times(refresh=2.0, pause=2.0)
Load = Callable[[], Awaitable[VerifyingKeys]]


class IssuerKeys:
    """The keys that ``load`` gives (it raises a ``ConnectorError`` where it cannot).

    ``where``: the file or address, for the log; ``clock``: seconds that only grow.
    """

    def __init__(
        self,
        load: Load,
        times: Times = OF_SITES,
        *,
        where: str = "",
        known: VerifyingKeys | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._times, self._where, self._clock = load, times, where, clock
        self._keys = known
        self._told = clock() if known else float("-inf")
        self._asked = self._told
        self._asking: asyncio.Task[None] | None = None

    @classmethod
    def of_file(
        cls, path: Path, algorithms: tuple[str, ...], clock: Callable[[], float] = time.monotonic
    ) -> IssuerKeys:
        """The keys of a JWKS file, read again when it changes. Raises ``ConfigurationError``."""
        return cls(
            _File(path, algorithms).keys,
            OF_FILES,
            where=str(path),
            known=VerifyingKeys.read(path, algorithms),
            clock=clock,
        )

    async def find(self, kid: object, algorithm: str) -> SigningKey | None:
        """As ``KeySource`` says."""
        keys = await self._current()
        if isinstance(kid, str) and kid not in keys and self._may_ask():
            await self._ask()
            keys = await self._current()
        return keys.find(kid, algorithm)

    async def close(self) -> None:
        """Give up what is being asked."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _current(self) -> VerifyingKeys:
        if self._usable() is None and self._may_ask():
            await self._ask()
        keys = self._usable()
        if keys is None:
            raise IssuerUnavailable(
                "the keys of the token's issuer cannot be had",
                fix="send it again later; the operators of this server see why in its log",
                location="http.authorization",
            )
        if self._clock() - self._told >= self._times.refresh and self._may_ask():
            self._start()  # nobody waits for it: the keys at hand still count
        return keys

    def _usable(self) -> VerifyingKeys | None:
        return self._keys if self._clock() - self._told < self._times.keep else None

    def _may_ask(self) -> bool:
        return self._asking is not None or self._clock() - self._asked >= self._times.pause

    async def _ask(self) -> None:
        await asyncio.shield(self._start())  # who gives up waiting does not stop it for the others

    def _start(self) -> asyncio.Task[None]:
        if self._asking is None:
            self._asked = self._clock()
            self._asking = asyncio.create_task(self._renew(), name="issuer keys")
        return self._asking

    async def _renew(self) -> None:
        try:
            self._keys = await self._load()
            self._told = self._clock()
        except Exception as error:  # whatever it is, keys that were not told again end by themselves
            _log.warning("the keys of an issuer cannot be had", path=self._where, exc=error)
        finally:
            self._asking = None


class _File:
    """A JWKS file that is read only when it changed."""

    def __init__(self, path: Path, algorithms: tuple[str, ...]) -> None:
        self._path, self._algorithms = path, algorithms
        self._seen: tuple[int, int, int] | None = None
        self._keys: VerifyingKeys | None = None

    async def keys(self) -> VerifyingKeys:
        """Raises ``ConfigurationError``."""
        seen = self._state()
        if self._keys is None or seen is None or seen != self._seen:
            self._keys, self._seen = None, seen
            self._keys = VerifyingKeys.read(self._path, self._algorithms)
        return self._keys

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
