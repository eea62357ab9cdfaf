"""Logging in and off: what is judged, and what the audit log hears before anybody else does."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from connector.edges.http_ports import Peer
from connector.edges.login_provider import Provider
from connector.edges.login_sessions import Begun, Ended, Logins, Session, Sessions
from connector.edges.login_token import refused
from connector.errors import ConnectorError, Forbidden
from connector.pipeline.entries import PLACE, instant, reason, seen, short, shown
from connector.pipeline.ports import Clock, Entry
from connector.profile.login import Login
from connector.profile.roles import ROLES, Role
from connector.store import Store

SUCCEEDED: Final = "access:login:succeeded"
REFUSED: Final = "access:login:refused"
ENDED: Final = "access:login:ended"
LONGEST_NAME: Final = 200  # characters; it stands in the audit trail and on screens


class LoginDesk:
    """The logins and sessions of one service."""

    def __init__(self, chosen: Login, provider: Provider, store: Store, clock: Clock) -> None:
        self._chosen, self._provider, self._store, self._clock = chosen, provider, store, clock
        self._logins = Logins(clock)
        idle, longest = dt.timedelta(minutes=chosen.idle_minutes), dt.timedelta(hours=chosen.hours)
        self.sessions = Sessions(clock, idle, longest, chosen.sessions)

    @property
    def origin(self) -> str:
        """Where requests that change something must come from."""
        return self._chosen.base

    @property
    def client_id(self) -> str:
        """Ours, at the provider."""
        return self._chosen.client_id

    async def begin(self, peer: Peer) -> tuple[str, Begun]:
        """Where to send somebody, and what to remember. Raises ``Forbidden``, ``IssuerUnavailable``."""
        await self.tidy()
        self._may_come(peer)
        begun = self._logins.begin(peer.fingerprint)
        return await self._provider.address(begun), begun

    async def back(self, said: Mapping[str, str], browser: str, peer: Peer) -> tuple[str, Session]:
        """What the browser is to show from now on, for somebody who comes back from the provider.

        Raises ``LoginRefused``, ``Forbidden`` (no role), ``IssuerUnavailable``, ``Overloaded``.
        """
        await self.tidy()
        self._may_come(peer)
        begun = self._logins.take(said.get("state", ""), browser, peer.fingerprint)
        if begun is None:
            raise refused("this is no login that was begun here", "begin anew at /login")
        self._provider.check_issuer(said.get("iss"))
        if "error" in said or not said.get("code"):
            raise refused("the provider did not let the person in", "ask who runs the provider")
        name, roles = self._person(await self._provider.claims(said["code"], begun))
        session = self.sessions.planned(name, roles, peer.fingerprint)
        await self._store.record([self._entry(SUCCEEDED, session, peer, {"until": instant(session.until)})])
        return self.sessions.open(session), session

    async def end(self, secret: str, peer: Peer | None) -> bool:
        """Log off; whether there was a session."""
        session = self.sessions.end(secret)
        if session is not None:
            await self._store.record([self._entry(ENDED, session, peer, {"why": "logged off"})])
        return session is not None

    async def close(self) -> None:
        """Log everybody off."""
        await self._write_down(self.sessions.clear())

    async def tidy(self) -> None:
        """Take away the sessions that have ended by themselves, and write that down."""
        await self._write_down(self.sessions.sweep())

    async def _write_down(self, ended: Iterable[Ended]) -> None:
        entries = [self._entry(ENDED, one.session, None, {"why": one.why}) for one in ended]
        if entries:
            await self._store.record(entries)

    async def refuse(self, error: ConnectorError, peer: Peer | None, operation: str) -> None:
        """Tell the audit log of a refusal."""
        what = {"operation": operation, "why": short(error.what, PLACE)}
        at = instant(self._clock())
        await self._store.record([Entry(at, REFUSED, seen(peer), what, "refused", reason(error), "")])

    def _may_come(self, peer: Peer) -> None:
        if self._chosen.certificates and peer.fingerprint not in self._chosen.certificates:
            fix = "name its fingerprint under [login] in the settings"
            raise Forbidden("nobody may log in with this certificate", fix=fix, location="http.connection")

    def _person(self, claims: Mapping[str, Any]) -> tuple[str, tuple[Role, ...]]:
        name, groups = claims.get(self._chosen.name), claims.get(self._chosen.groups)
        if not isinstance(name, str) or not _is_name(name):
            raise refused("the provider gives the person no name that is one", "see name under [login]")
        listed = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        given = {self._chosen.roles.get(one) for one in listed if isinstance(one, str)}
        roles = tuple(role for role in ROLES if role in given)
        if not roles:
            raise Forbidden("the person has no role here", fix="see groups and roles under [login]")
        return name, roles

    def _entry(self, tag: str, session: Session, peer: Peer | None, what: dict[str, Any]) -> Entry:
        known = shown(peer) if peer else {"certificate": session.fingerprint}
        actor = {"role": "operator", "name": session.name, "realm": "login", **known}
        about = {"session": session.label, "roles": list(session.roles), **what}
        return Entry(instant(self._clock()), tag, actor, about, "success", "", "")


def _is_name(name: str) -> bool:
    return bool(name.strip()) and name.isprintable() and len(name) <= LONGEST_NAME
