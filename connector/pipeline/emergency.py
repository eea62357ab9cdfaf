"""Break-glass: a person of a role that may gets, for a time and a reason, what the role does not grant.

It is written down before it counts, at the loudest level of the log too; it ends by itself; and a second one
does not prolong the first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import structlog

from connector.errors import ConnectorError, Forbidden, MovedOn, OperatorError
from connector.pipeline.entries import instant, reason
from connector.pipeline.operate import because_of
from connector.pipeline.ports import Clock, Entry
from connector.profile.people import BreakGlass
from connector.profile.roles import Role
from connector.store import Broken, Store

Realm = Literal["machine", "login"]  # whose name it is: of a user of the machine, or of who logged in
GRANTED: Final = "access:emergency:granted"
ENDED: Final = "access:emergency:ended"
REFUSED: Final = "access:emergency:refused"

_log: Final = structlog.get_logger(__name__)


class Who(NamedTuple):
    """A person; ``known_by``: what else is known (certificate, address), for the audit trail."""

    realm: Realm
    name: str
    roles: tuple[Role, ...]
    known_by: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Glass:
    """``chosen``: the rules; None: nobody may."""

    store: Store
    clock: Clock = field(repr=False)
    chosen: BreakGlass | None

    async def break_it(self, who: Who, because: str, minutes: int | None = None) -> Broken:
        """Grant it; ``minutes``: None for as long as may be.

        Raises ``Forbidden``, ``OperatorError`` (more than may be), ``MovedOn`` (it is broken) after the
        audit log heard of it, ``ConfigurationError`` (no reason): then nothing was granted.
        """
        because = because_of(because)
        try:
            most = self._most(who)
            if not 1 <= (minutes := most if minutes is None else minutes) <= most:
                fix = f"ask for 1 to {most} minutes"
                raise OperatorError("an emergency does not last that long", fix=fix)
            return await self._granted(who, because, dt.timedelta(minutes=minutes))
        except (Forbidden, OperatorError) as error:
            refusal: ConnectorError = error
        await self.store.record([self._entry(REFUSED, who, {"because": because}, refusal)])
        raise refusal

    async def end(self, who: Who) -> None:
        """End it before its time. Raises ``MovedOn`` where it lasts no more."""
        entries = [self._entry(ENDED, who, {})]
        if not await self.store.end_emergency(who.realm, who.name, self.clock(), entries):
            raise MovedOn("there is no emergency of this person", fix="it is over, or never was")
        _log.warning("an emergency was ended", subject=who.name)

    async def lasts(self, who: Who) -> Broken | None:
        """The emergency of a person whose roles may still break the glass; None: there is none."""
        if self.chosen is None or not set(self.chosen.roles) & set(who.roles):
            return None
        found = await self.store.emergencies(self.clock())
        return next((one for one in found if (one.realm, one.name) == (who.realm, who.name)), None)

    def _most(self, who: Who) -> int:
        if self.chosen is None:
            raise Forbidden("nobody may break the glass", fix="add [break_glass] to the settings")
        if not set(self.chosen.roles) & set(who.roles):
            fix = f"ask somebody of the roles {', '.join(self.chosen.roles)}"
            raise Forbidden("none of the person's roles may break the glass", fix=fix)
        return self.chosen.minutes

    async def _granted(self, who: Who, because: str, lasting: dt.timedelta) -> Broken:
        now = self.clock()
        broken = Broken(who.realm, who.name, because, now, now + lasting)
        what = {"because": because, "until": instant(broken.until)}
        await self.store.break_glass(broken, [self._entry(GRANTED, who, what)])
        _log.critical("the glass was broken", subject=who.name, seconds=lasting.total_seconds())
        return broken

    def _entry(self, tag: str, who: Who, what: dict[str, Any], error: ConnectorError | None = None) -> Entry:
        actor = {"role": "operator", "name": who.name, "realm": who.realm, **who.known_by}
        why = reason(error) if error else ""
        return Entry(instant(self.clock()), tag, actor, what, "refused" if error else "success", why, "")
