"""What a person does to the queues: put back, correct, skip, pause, close the intake, look at content.

Each act names who does it and why, and stands in the audit trail in the same transaction. What is put back
goes on under what it had: the same correlation, the same control id, the same place in its lane, so a
partner that has it already takes it as repeated.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from connector.errors import ConfigurationError, Erased, MessageError, MovedOn
from connector.fhir import json as fjson
from connector.fhir import validate
from connector.hl7v2.charset import decode
from connector.hl7v2.tree import Message
from connector.pipeline.conflicts import HELD
from connector.pipeline.entries import Trail, about_whom, whom
from connector.pipeline.ports import Clock, Entry
from connector.pipeline.reconcile import Side
from connector.store import About, Clash, Direction, Filter, Listed, Made, Paused, Store
from connector.store.committing import Said
from connector.store.finding import normal

Kind = Literal["message", "delivery"]  # a received message, or one that was made of it
BECAUSE: Final = 200  # characters of a reason
_AT_ONCE: Final = 100


class Operator:
    """One person with one reason. ``because`` goes into the audit trail: no patient's words belong there.

    ``known_by``: what else is known of the person (client, certificate, address), for the audit trail; a user
    of the machine, where it does not say whose name it is.

    Raises ``ConfigurationError`` where no reason is given. Every act raises ``MovedOn`` where what it
    is about is not there or not in a state for it, and ``StoreUnavailable`` and ``AuditRefused``: then
    nothing was done.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        name: str,
        because: str,
        known_by: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._store, self._clock = store, clock
        self.name, self.because, self._known_by = name, because_of(because), known_by

    # --- put back -------------------------------------------------------------------------------------

    async def replay(self, one: Listed | Made) -> None:
        """Translate a received message again, or send a made one again (dead, refused or delivered)."""
        entries = [self._entry("operator:message:replayed", one)]
        if isinstance(one, Made):
            await self._store.replay_delivery(one.id, entries)
        else:
            await self._store.replay_translation(one.id, entries)

    async def replay_all(self, by: Filter, most: int | None = None) -> int:
        """Put back all that a filter names, or the first ``most``, the oldest first; how many there were.

        ``by.state``: received messages; ``by.delivery``: made ones. One that has moved on meanwhile stays.
        """
        count = 0
        async for one in found(self._store, by):
            if count == most:
                break
            count += await self._replayed(one)
        return count

    async def replay_dead(self, link: str, direction: Direction, most: int | None = None) -> int:
        """Put every dead letter of a link and direction back, or the first ``most``; how many there were."""
        count, gone = 0, 1
        while gone and (letters := await self._letters(link, direction)):
            some = letters if most is None else letters[: most - count]
            gone = sum([await self._replayed(one) for one in some])
            count += gone
        return count

    async def _replayed(self, one: Listed | Made) -> bool:
        """Put it back, unless it has moved on."""
        try:
            await self.replay(one)
        except (MovedOn, Erased):
            return False
        return True

    async def _letters(self, link: str, direction: Direction) -> list[Listed | Made]:
        """A message one of whose deliveries is dead is put back by that delivery."""
        received, made = await self._store.dead_letters(link, direction, _AT_ONCE)
        parked = [await self._store.made(one.id) for one in made]
        of = {one.inbox_id for one in parked if one}
        return [*(one for one in received if one.id not in of), *(one for one in parked if one)]

    # --- decide ---------------------------------------------------------------------------------------

    async def skip(self, one: Made) -> None:
        """A refused message, which stops its lanes, becomes a dead letter, and they go on."""
        await self._store.skip(one.id, [self._entry("operator:message:skipped", one)])

    async def correct(self, one: Listed | Made, payload: bytes, charset: str | None = None) -> int:
        """Put a corrected copy in the place of a dead letter or a refused message; the original stays.

        ``charset``: of v2 whose MSH-18 is silent. A copy of what goes to v2 has a control id of its own:
        under the old one the partner would take it for a repetition. The number of the copy (of a received
        message) or of the kept original (of a made one). Raises ``MessageError``, ``InvalidJson`` and
        ``InvalidResource`` for a copy that is none.
        """
        identity = await asyncio.to_thread(check, one, payload, charset)  # it may be large
        entries = [self._entry("operator:message:edited", one, size=len(payload))]
        if isinstance(one, Made):
            meta = one.meta | ({"control_id": identity} if identity else {})
            return await self._store.revise_delivery(one.id, payload, entries, meta)
        return await self._store.revise(one.id, payload, self._clock(), entries)

    async def decide(self, one: Clash, winner: Side) -> None:
        """Say whose change stands where both sides changed a field; the message it held is to be replayed."""
        what = {"element": one.path, "winner": winner}
        entry = await self._of("conflict:decided", one, what)
        await self._store.settle_clash(one.id, winner, [entry], of=HELD)

    async def sides(self, one: Clash) -> bytes:
        """What both sides say, as JSON, after the audit trail knows who asked for it."""
        await self._store.record([await self._of("operator:content:viewed", one, {"kind": "conflict"})])
        return one.value

    # --- hold back ------------------------------------------------------------------------------------

    async def pause(self, link: str, direction: Direction | None, *, intake: bool = False) -> None:
        """Let nothing go out of a link or a direction; ``intake``: let nothing come in."""
        paused = Paused(link, direction, self.name, self.because, self._clock(), intake)
        await self._store.pause(paused, [self._about("operator:link:paused", link, direction, intake)])

    async def resume(self, link: str, direction: Direction | None, *, intake: bool = False) -> bool:
        """Take a pause away; whether there was this very one."""
        entries = [self._about("operator:link:resumed", link, direction, intake)]
        return await self._store.resume(link, direction, entries, intake=intake)

    # --- look -----------------------------------------------------------------------------------------

    async def content(self, one: Listed | Made) -> bytes:
        """What a message says, after the audit trail knows who asked for it."""
        await self._store.record([self._entry("operator:content:viewed", one)])
        if isinstance(one, Made):
            return await self._store.made_payload(one.id)
        return await self._store.payload(one.id)

    async def compare(self, one: Listed | Made) -> list[Said]:
        """The entries that commit to what a message said, after the audit trail knows who asked for it."""
        entries = [self._entry("audit:compared", one)]
        return await self._store.compared(one.id, entries, made=isinstance(one, Made))

    async def search(
        self, asked: Iterable[About], after: int = 0, limit: int = _AT_ONCE
    ) -> tuple[list[Listed], list[Made]]:
        """Messages about somebody or something, after the audit trail knows who asked, by a pseudonym."""
        wanted = sorted(asked)
        kind, value = wanted[0].kind, normal(wanted[0].value)
        what = {"kind": str(kind), "pseudonym": self._store.pseudonym(kind, value), **self._why()}
        what |= whom(self._store.patients(wanted))
        entry = Trail(self._clock, "(all)", "both").did(
            "operator:content:searched", actor=self._actor(), **what
        )
        return await self._store.about(wanted, [entry], after, limit)

    def _entry(self, tag: str, one: Listed | Made, **what: Any) -> Entry:
        kind: Kind = "delivery" if isinstance(one, Made) else "message"
        trail = Trail(self._clock, one.link, one.direction)
        what |= {"kind": kind, "number": one.id, **about_whom(one.meta), **self._why()}
        return trail.did(tag, str(one.meta.get("correlation") or one.uid), actor=self._actor(), **what)

    async def _of(self, tag: str, one: Clash, what: dict[str, Any]) -> Entry:
        """With the patient and the correlation of the message in which it came up, if that is kept still."""
        meta = await self._store.of_source(one.source)
        what = {**what, "number": one.id, **about_whom(meta), **self._why()}
        trail = Trail(self._clock, one.link, "both")
        return trail.did(tag, str(meta.get("correlation", "")), actor=self._actor(), **what)

    def _about(self, tag: str, link: str, direction: Direction | None, intake: bool) -> Entry:
        what = "intake" if intake else str(direction or "both")
        return Trail(self._clock, link, what).did(tag, actor=self._actor(), **self._why())

    @property
    def actor(self) -> dict[str, Any]:
        """The person, as entries name who acts."""
        return self._actor()

    def _actor(self) -> dict[str, Any]:
        return {"role": "operator", "name": self.name, "realm": "machine", **self._known_by}

    def _why(self) -> dict[str, str]:
        return {"because": self.because}


def because_of(because: str) -> str:
    """A reason that is one. Raises ``ConfigurationError``."""
    if not because.strip():
        raise ConfigurationError("no reason is given", fix="say why; the audit trail keeps it")
    if len(because) > BECAUSE:
        raise ConfigurationError(f"the reason is longer than {BECAUSE} characters", fix="say it shorter")
    return because.strip()


async def found(store: Store, by: Filter) -> AsyncIterator[Listed | Made]:
    """All that a filter names, the oldest first, read piece by piece."""
    after = by.after
    while True:
        asked = dataclasses.replace(by, after=after)
        some: list[Listed] | list[Made] = (
            await store.find_made(asked, _AT_ONCE) if by.delivery else await store.find(asked, _AT_ONCE)
        )
        for one in some:
            yield one
        if len(some) < _AT_ONCE:
            return
        after = some[-1].id


def check(one: Listed | Made, payload: bytes, charset: str | None) -> str:
    """Whether a corrected copy is v2, or valid FHIR, as what it stands for; the control id of v2.

    Raises ``MessageError``, ``InvalidJson``, ``InvalidResource``.
    """
    if (one.direction is Direction.TO_FHIR) == isinstance(one, Made):
        faults = validate.fast(fjson.loads(payload))
        if faults:
            raise faults[0]
        return ""
    message = Message.parse(decode(payload, profile_charset=charset).text)
    if isinstance(one, Made) and message.control_id in ("", one.meta.get("control_id")):
        raise MessageError(
            "the copy has no control id of its own",
            fix="give MSH-10 a new one: under the old one the partner takes it for a repetition",
            location="MSH-10",
        )
    return message.control_id
