"""What was accepted is translated, in order, one lane for each link and direction.

Outbox row, journal, audit entry and the list of what could not be said are committed in one transaction
with the mark on the inbox row: a crash repeats the translation or it does not, never half of it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from typing import Any, Final

import structlog

from connector.errors import ConnectorError, MessageError, MovedOn, ResourceError, Retry
from connector.fhir import json as fjson
from connector.fhir import validate
from connector.fhir.references import referred
from connector.hl7v2 import charset
from connector.hl7v2.tree import Message
from connector.mapping.translator import Envelope
from connector.pipeline import about, changes, echoes, names, picture, staleness
from connector.pipeline.entries import Trail, about_whom, dtm, listed, reason, whom
from connector.pipeline.incoming import Incoming
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock, Translation
from connector.pipeline.standing import Standing, standing
from connector.pipeline.underway import UnderWay
from connector.store import About, Direction, InboxItem, JournalEntry, Outgoing, Saw, Store

_log: Final = structlog.get_logger(__name__)

BATCH: Final = 64
AHEAD: Final = 16  # how many are translated ahead of what is on the disk
NOBODY: Final = "nobody"  # the lane of messages about no patient, where each patient has one
_CONTROL_ID: Final = 20  # MSH-10 has 20 characters in v2.1 to v2.6

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Worked:
    """One inbox item in the other side's words."""

    outgoing: list[Outgoing]
    lost: list[str]
    journal: list[JournalEntry]
    verb: str = "translated"
    facts: Mapping[str, Any] = field(default_factory=dict)  # for the audit trail
    saw: Saw = field(default_factory=dict)  # what of the journal was read for it
    about: frozenset[About] = frozenset()  # by what the message is found, where that is not known yet


class Translating:
    """One lane of translation."""

    def __init__(self, link: Link, direction: Direction, store: Store, clock: Clock) -> None:
        self.link, self.direction = link, direction
        self._store, self._clock = store, clock
        self._trail = Trail(clock, link.name, direction)
        self._incoming = Incoming(link, store, clock)
        self.ending = False  # take up nothing more
        self._under_way = UnderWay(AHEAD if direction is Direction.TO_FHIR else 0)
        self._tag = "message:v2" if direction is Direction.TO_FHIR else "message:fhir"

    async def step(self) -> int:
        """Translate what is pending, at most ``BATCH`` items; how many there were.

        Raises what is no fault of a message (``StoreUnavailable``): the items stay pending.
        """
        items = await self._store.pending(self.link.name, self.direction, BATCH)
        try:
            await self._each(items)
        except MovedOn:  # what it stands behind is not done yet, or a person has taken it up: look again
            return BATCH
        return len(items)

    async def _each(self, items: Sequence[InboxItem]) -> None:
        try:
            for before, item in zip([None, *items], items):
                if self.ending:
                    break
                await self._one(item, before.id if before else None)
                await asyncio.sleep(0)
        finally:
            await self._under_way.end()

    async def _one(self, item: InboxItem, behind: int | None) -> None:
        correlation = item.uid
        try:
            worked = await self._work(item, correlation)
        except ConnectorError as error:
            if error.answer.retry not in (Retry.NEVER, Retry.STOP):
                raise
            await self._under_way.end()
            patients = about_whom(item.meta)
            entry = self._trail.failed(f"{self._tag}:untranslatable", error, correlation, **patients)
            await self._store.untranslatable(item.id, reason(error), [entry])
            return
        entry = self._trail.did(
            f"{self._tag}:{worked.verb}",
            correlation,
            made=len(worked.outgoing),
            **listed(worked.lost),
            **worked.facts,
            **_of_all(worked.outgoing, item),
        )
        commit = self._store.translated(
            item.id,
            worked.outgoing,
            worked.lost,
            worked.journal,
            [entry],
            worked.about,
            behind=behind,
            saw=worked.saw,
        )
        await self._under_way.begin(commit, frozenset(entry.resource for entry in worked.journal))

    async def _work(self, item: InboxItem, correlation: str) -> Worked:
        try:
            if self.direction is Direction.TO_FHIR:
                return await self._to_fhir(item, correlation)
            return await self._to_v2(item, correlation)
        except (ConnectorError, asyncio.CancelledError):
            raise
        except Exception as error:  # a fault of the maps must not stop what comes behind it in the lane
            fault = type(error).__name__
            _log.error("translation failed", link=self.link.name, correlation=correlation, **place_of(error))
        kind = MessageError if self.direction is Direction.TO_FHIR else ResourceError
        raise kind(f"the translation failed ({fault})", fix="report this as a fault of the maps")

    async def _to_fhir(self, item: InboxItem, correlation: str) -> Worked:
        text = charset.decode(item.payload, profile_charset=self.link.charset).text
        message = Message.parse(text)
        made, stands = await self._merged(message)
        if self.link.models:
            await judged(made.bundle)
        whole, lost = picture.with_names(made.bundle, stands.there), made.lost
        resources = picture.by_key(whole)
        if stands.prior is not None and echoes.of_our_message(
            message, stands.prior.decode(), self.link.sends_as
        ):
            return Worked([], lost, [], "unchanged")
        told = staleness.told_at(message, self.link.zone)
        stale = staleness.check(told, stands.told, refuse=self.link.stale == "refuse")
        aside = stands.unchanged(picture.by_key(made.bundle)) if self.link.leaves_out else frozenset()
        bundle, count = picture.without(whole, aside), len(resources) - len(aside)
        meta = {"correlation": correlation, "kind": item.meta.get("kind", ""), "resources": count}
        meta |= {"over": stands.over, **({"there": stands.there} if stands.there else {})}
        meta |= {"aside": len(aside)} if aside else {}
        known = about.in_v2(message, self.link.authorities) if item.revised else frozenset()
        meta |= whom(self._store.patients(known)) if item.revised else about_whom(item.meta)
        lanes = lanes_of(self.link, resources, stands.there)
        outgoing = [Outgoing(fjson.dumps(bundle), meta, lanes)] if count else []
        journal = picture.remembered(self.link.name, resources, text, message.message_code, told, aside)
        facts = {"stale": True} if stale else {}
        return Worked(outgoing, lost, journal, facts=facts, about=known, saw=stands.saw)

    async def _merged(self, message: Message) -> tuple[Translation, Standing]:
        """The message over what the FHIR side has, and what that is."""
        translator = self.link.translator
        heard = translator.heard(message)
        made = translator.to_fhir(heard)
        stands = await self._stands(list(picture.by_key(made.bundle)), message.message_code)
        if stands.before:
            made = translator.to_fhir(heard, prior=list(stands.before.values()))
        return made, stands

    async def _stands(self, keys: Sequence[str], family: str) -> Standing:
        """What the FHIR side has under these keys, once nothing about that is on its way to the journal."""
        ask = partial(standing, self._store, self.link.name, keys, family, prior=bool(self.link.sends_as))
        if not self._under_way.keys.isdisjoint(keys):
            await self._under_way.end()
        under_way = self._under_way.keys
        stands = await ask()
        if under_way.isdisjoint(stands.there.values()):
            return stands
        await self._under_way.end()
        return await ask()

    async def _to_v2(self, item: InboxItem, correlation: str) -> Worked:
        content = fjson.loads(item.payload)
        verb, key = str(item.meta.get("verb", "")), str(item.meta.get("key", ""))
        told = changes.read(content, verb, key, correlation)
        saw: Saw = {}
        before, asked, rows = await self._incoming.taken(told, item.uid, saw)
        event = changes.message_event(content, self.link.rules)
        planned = changes.plan(asked, before, self.link.rules, event)
        if not planned:
            return Worked([], [], rows, "unchanged", saw=saw)
        worked = await self._messages(item, planned, asked, correlation, saw)
        worked.journal.extend(rows)
        return worked

    async def _messages(
        self,
        item: InboxItem,
        planned: Sequence[changes.Planned],
        asked: Sequence[changes.Change],
        correlation: str,
        saw: Saw,
    ) -> Worked:
        worked = Worked([], [], [], saw=saw)
        for number, one in enumerate(planned, start=1):
            if not one.event:
                continue
            identity = control_id(correlation, number)
            message, lost, journal, lanes = await self._message(one, item, identity, saw)
            payload = charset.encode(message, charset_of(message, self.link))
            said = about.in_v2(Message.parse(message), self.link.authorities)
            meta = {"correlation": correlation, "kind": one.event, "control_id": identity}
            meta |= whom(self._store.patients(said))
            worked.outgoing.append(Outgoing(payload, meta, lanes, said))
            worked.lost.extend(lost)
            worked.journal.extend(journal)
        worked.journal.extend(self._rest(worked.journal, asked))
        return worked

    async def _message(
        self, planned: changes.Planned, item: InboxItem, identity: str, saw: Saw
    ) -> tuple[str, list[str], list[JournalEntry], tuple[str, ...]]:
        link = self.link
        prior = await picture.prior_message(self._store, link.name, planned)
        resources = await picture.around(self._store, link, planned, prior, saw)
        here = await names.ours(self._store, link.name, resources)
        envelope = Envelope(event=planned.event, control_id=identity, at=dtm(item.received_at))
        plain = {key: link.identity.without_own(one) for key, one in resources.items()}
        bundle = picture.bundle_of(link, names.renamed(plain, here))
        made = link.translator.to_v2(bundle, prior, envelope=envelope)
        learned = names.learn(
            picture.by_key(link.translator.to_fhir(made.message).bundle), picture.by_key(bundle)
        )
        journal = picture.remembered(link.name, resources, made.message, planned.family)
        spoken = {change.key: change.resource or {} for change in planned.changes} | resources
        rows = [*journal, *names.entries(link.name, learned)]
        return made.message, made.lost, rows, lanes_of(link, spoken, {})

    def _rest(self, journal: Sequence[JournalEntry], asked: Sequence[changes.Change]) -> list[JournalEntry]:
        """What was changed without standing in a message: remembered, or forgotten after a delete."""
        said = {entry.resource for entry in journal}
        return [
            JournalEntry(
                link=self.link.name,
                resource=change.key,
                content=fjson.dumps(change.resource) if change.resource is not None else None,
                message=None,
                family="",
            )
            for change in asked
            if change.key not in said or change.resource is None
        ]


def _of_all(outgoing: Sequence[Outgoing], item: InboxItem) -> dict[str, Any]:
    """The patients of a message and of what was made of it, which may name them where it does not."""
    if len(outgoing) == 1 and not item.meta.get("patients"):
        return about_whom(outgoing[0].meta) or about_whom(item.meta)
    metas = [item.meta, *(one.meta for one in outgoing)]
    most = max(int(meta.get("patients", 0)) for meta in metas)
    found = whom(sorted({one for meta in metas for one in meta.get("patient", ())}))
    return {**found, "patients": most} if most else found


async def judged(content: Json) -> None:
    """Raises the first of what fhir.resources finds wrong; beside the event loop, since it takes its time."""
    found = await asyncio.to_thread(validate.models, content)
    if found:
        raise found[0]


def place_of(error: BaseException) -> dict[str, str]:
    """The type of a foreign exception and where in the code it was raised; never its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return {"error": type(error).__name__, "path": where}


def control_id(correlation: str, number: int) -> str:
    """MSH-10 of the ``number``-th message made of one submission: the same again after a crash."""
    digest = hashlib.sha256(f"{correlation}/{number}".encode()).digest()
    return base64.b32encode(digest).decode("ascii")[:_CONTROL_ID]


def lanes_of(link: Link, resources: Mapping[str, Json], there: Mapping[str, str]) -> tuple[str, ...]:
    """In which lanes a message stands that speaks of these resources; (): in the one of its link.

    ``there``: which of our keys have another name at the FHIR side. What was queued before that name was
    known stands under ours, so a message stands under both.
    """
    if link.lane == "link":
        return ()
    here = {name: key for key, name in there.items()}
    patients = {key for key in resources if key.startswith("Patient/")}
    if not patients:
        keys = (key for one in resources.values() for key in referred(one))
        patients = {key for key in keys if key.startswith("Patient/")}
    return tuple(sorted(patients | {here[key] for key in patients if key in here})) or (NOBODY,)


def charset_of(message: str, link: Link) -> str:
    """What MSH-18 names; a message without one goes out in the character set of the profile."""
    named = Message.parse(message).msh.value(18)
    return named or link.charset or link.sends_charset
