"""Who is logged in, and who is on the way: in memory alone, so a restart logs everybody off.

A session is known by the digest of a random number that only the browser has, and counts over connections
with the certificate of its login. It ends by doing nothing, by its longest time, and by log-off.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from connector.errors import Overloaded
from connector.profile.roles import Role

BEGUN_SECONDS: Final = 600  # to come back from the provider
BEGUN_MOST: Final = 5  # logins that one certificate can have under way
BEGUN_ALL: Final = 500

Clock = Callable[[], dt.datetime]


class Begun(NamedTuple):
    """A login under way. ``browser``: what the cookie of it holds."""

    state: str
    nonce: str
    verifier: str
    browser: str
    fingerprint: str
    at: dt.datetime


@dataclass(slots=True)
class Session:
    """Somebody who is logged in. ``label`` tells sessions apart and opens none."""

    name: str
    roles: tuple[Role, ...]
    fingerprint: str
    began: dt.datetime
    until: dt.datetime
    seen: dt.datetime
    label: str = field(default_factory=lambda: secrets.token_hex(4))


class Ended(NamedTuple):
    """A session that has ended, and why: ``idle``, ``longest time`` or ``the service stopped``."""

    session: Session
    why: str


class Logins:
    """Logins under way; each comes back once, in time, by the same browser over the same certificate."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun: dict[str, Begun] = {}

    def begin(self, fingerprint: str) -> Begun:
        """A new one; of the same certificate at most ``BEGUN_MOST``, the oldest gives way."""
        self._forget()
        own = [one for one in self._begun.values() if one.fingerprint == fingerprint]
        if len(own) >= BEGUN_MOST:
            del self._begun[own[0].state]
        elif len(self._begun) >= BEGUN_ALL:
            raise Overloaded("too many logins are under way", fix="try again in some minutes")
        state, nonce, browser = (secrets.token_urlsafe(32) for _ in range(3))
        verifier = secrets.token_urlsafe(48)  # 64 characters (RFC 7636, 4.1)
        begun = Begun(state, nonce, verifier, browser, fingerprint, self._clock())
        self._begun[begun.state] = begun
        return begun

    def take(self, state: str, browser: str, fingerprint: str) -> Begun | None:
        """The one that comes back, which can do so no more; None: there is none."""
        self._forget()
        begun = self._begun.pop(state, None)
        if begun is None or begun.fingerprint != fingerprint or not _same(begun.browser, browser):
            return None
        return begun

    def _forget(self) -> None:
        oldest = self._clock() - dt.timedelta(seconds=BEGUN_SECONDS)
        for state in [state for state, one in self._begun.items() if one.at <= oldest]:
            del self._begun[state]


class Sessions:
    """``idle``, ``longest``: how long one may do nothing, and last; ``most``: how many there may be."""

    def __init__(self, clock: Clock, idle: dt.timedelta, longest: dt.timedelta, most: int) -> None:
        self._clock, self._idle, self._longest, self._most = clock, idle, longest, most
        self._sessions: dict[bytes, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def planned(self, name: str, roles: tuple[Role, ...], fingerprint: str) -> Session:
        """A session that is not yet one. Raises ``Overloaded``."""
        if len(self._sessions) >= self._most:
            raise Overloaded("too many people are logged in", fix="log off where you need it no more")
        now = self._clock()
        return Session(name, roles, fingerprint, now, now + self._longest, now)

    def open(self, session: Session) -> str:
        """From now on it is one; what the browser is to show."""
        secret = secrets.token_urlsafe(32)
        self._sessions[_digest(secret)] = session
        return secret

    def find(self, secret: str, fingerprint: str) -> Session | None:
        """The session, which was used just now; None: it is none, has ended, or is another certificate's."""
        found = self._sessions.get(_digest(secret))
        if found is None or self._over(found) or not _same(found.fingerprint, fingerprint):
            return None
        found.seen = self._clock()
        return found

    def end(self, secret: str) -> Session | None:
        """Log off; None: there was none."""
        return self._sessions.pop(_digest(secret), None)

    def sweep(self) -> Iterator[Ended]:
        """Take away those that have ended by themselves."""
        for key, one in list(self._sessions.items()):
            if why := self._over(one):
                del self._sessions[key]
                yield Ended(one, why)

    def clear(self) -> Iterator[Ended]:
        """Take all of them away."""
        while self._sessions:
            yield Ended(self._sessions.popitem()[1], "the service stopped")

    def _over(self, one: Session) -> str:
        now = self._clock()
        if now >= one.until:
            return "longest time"
        return "idle" if now - one.seen >= self._idle else ""


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
