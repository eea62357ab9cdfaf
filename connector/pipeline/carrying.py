"""One message's resources on their way to the FHIR side: addressed, sent, and made again where they must be.

An attempt goes in rounds. Each sends what can be sent: everything at once in a transaction, else what refers
to nothing whose id is not known yet. What somebody else changed there meanwhile is read, the message is made
again over it, and it goes into the next round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.errors import DeliveryError, PartnerBusy, PartnerChangedIt, PartnerRefusedMessage
from connector.fhir import bundle as bundles
from connector.pipeline import names, versions
from connector.pipeline.addressing import ONCE, Addresses
from connector.pipeline.learning import Part, base_of, lessons, recall
from connector.pipeline.links import Link
from connector.pipeline.ports import FhirSender, Written
from connector.pipeline.revising import Revising
from connector.pipeline.sending import Sending, Turn
from connector.store import JournalEntry, OutboxItem, Saw, Store

Json = dict[str, Any]
Settled = dict[int, DeliveryError | None]
"""Entries of a message that need no further attempt, by their place: None was written, else why never."""

_PRECONDITION: Final = 412


class Carrying:
    """One attempt to deliver one message."""

    def __init__(
        self,
        sender: FhirSender,
        store: Store,
        link: Link,
        sending: Sending,
        revising: Revising,
        item: OutboxItem,
        turn: Turn,
    ) -> None:
        self._sender, self._store, self._link, self._sending = sender, store, link, sending
        self._revising, self._item, self._turn = revising, item, turn
        self._settled: Settled = {}
        self._parts: list[Part] = []
        self._entries: Sequence[Json] = ()
        self._waiting: list[Part] = []
        self._at = Addresses(link, [], {}, together=True)
        self._revisions = 0
        self._failed: list[DeliveryError] = []

    async def run(self, bundle: Json, settled: Settled) -> None:
        """Raises ``DeliveryError`` where anything was not written; ``settled``: what need not go again."""
        self._settled = settled
        await self._begin(bundle)
        self._waiting = [part for part in self._parts if part.number not in settled]
        stale = [part for part in self._waiting if part.stale]
        if self._sending.read_first or self._again:
            stale += await self._first_sight()
        if stale:
            await recall(self._store, self._link.name, stale, self._at.names)
            await self._revise(stale)
        try:
            await self._rounds()
        except DeliveryError as error:
            if error.answer.retry != "never" or not await self._whole():
                raise

    @property
    def _again(self) -> bool:
        """Whether an attempt before may have written what others have changed since."""
        return self._sending.if_match and (self._item.unsure or self._item.attempts > 0)

    @property
    def facts(self) -> dict[str, Any]:
        """For the audit trail."""
        return {
            "resources": len(self.written),
            **({"revisions": self._revisions} if self._revisions else {}),
        }

    @property
    def written(self) -> dict[str, str]:
        """The versions of what was written, by the FHIR side's keys."""
        return {self._at.key(part.here): part.version for part in self._parts if part.done}

    async def journal(self, saw: Saw) -> list[JournalEntry]:
        """What was learned, for the journal; ``saw``: takes down what of it was read for that."""
        done = [part for part in self._parts if part.done and part.kind not in ONCE]
        for part in done:
            if part.resource is not None:
                part.content = self._at.resource(part, final=True)
        kept = self._sending.if_match
        return await lessons(self._store, self._link.name, done, self._at.names, self._item, saw, seen=kept)

    # --- what there is to send

    async def _begin(self, bundle: Json) -> None:
        self._bundle = {name: value for name, value in bundle.items() if name != "entry"}
        self._entries, self._parts = bundles.entries(bundle), []
        there: Mapping[str, str] = self._item.meta.get("there") or {}
        here = {name: key for key, name in there.items()}
        over = self._item.meta.get("over")
        aside: dict[str, Json] = {}
        for number, entry in enumerate(bundles.entries(bundle)):
            part = Part.of(number, entry, here, over)
            if part.kind not in self._sending.omit:
                self._parts.append(part)
            elif part.resource is not None:
                aside[part.here] = part.resource
        self._at = Addresses(self._link, self._parts, there, together=self._sending.delivery == "transaction")
        await self._at.learn(self._store, aside, seen=self._sending.if_match)

    # --- rounds

    async def _rounds(self) -> None:
        while self._waiting and not self._stopped():
            await self._round(self._ready())
        failed = [*self._failed, *(error for error in self._settled.values() if error is not None)]
        if failed:
            raise min(failed, key=lambda error: _GRAVITY.index(str(error.answer.retry)))

    def _ready(self) -> list[Part]:
        """What can go in one round. In a circle of references, one goes without them first."""
        if self._sending.delivery == "transaction":
            return list(self._waiting)
        new = {part.here for part in self._waiting if self._at.missing(part)}
        ready = [part for part in self._waiting if not part.needs(new)]
        if not ready:
            ready = self._waiting[:1]
            ready[0].bare = True
        return ready

    async def _round(self, parts: list[Part]) -> None:
        sent = {**self._bundle, "entry": [self._at.entry(part) for part in parts]}
        try:
            outcomes = await self._sender.send(sent)
        except PartnerChangedIt as error:
            await self._read_again(self._meant(error, parts), error)
            return
        except DeliveryError as error:
            self._meant(error, parts)
            raise
        again: list[Part] = []
        for part, outcome in zip(parts, outcomes):
            if outcome.error is None:
                again += await self._took(part, outcome)
        if again:
            await self._revise(again)
        for part, outcome in zip(parts, outcomes):
            if outcome.error is not None:
                await self._mishap(part, outcome.error)

    async def _whole(self) -> bool:
        """Send what was left out because the FHIR side had it and may have no more, and then the rest again.

        Whether there was any. Raises ``DeliveryError`` as the first attempt did.
        """
        if not self._item.meta.get("aside") or self._revisions > self._sending.revisions:
            return False
        there = {part.here for part in self._parts}
        fresh = await self._revising.again(self._item, {}, {})
        missing: list[Json] = [
            {"request": {"method": "PUT", "url": key}, "resource": one}
            for key, one in fresh.items()
            if key not in there
        ]
        self._failed = []
        for number in [number for number, error in self._settled.items() if error is not None]:
            del self._settled[number]
        count = len(self._entries)
        await self._begin({**self._bundle, "entry": [*self._entries, *missing]})
        waiting = [part for part in self._parts if part.number not in self._settled]
        self._waiting = [part for part in waiting if part.number >= count]
        await self._rounds()
        self._waiting = [part for part in waiting if part.number < count]
        await self._rounds()
        return bool(missing)

    async def _mishap(self, part: Part, error: DeliveryError) -> None:
        """One entry was not written: it goes into the next round if somebody was faster, else it fails."""
        error.location = part.location
        try:
            if not isinstance(error, PartnerChangedIt):
                raise error
            await self._read_again([part], error)
        except DeliveryError as failure:
            failure.location = part.location
            self._fail(part, failure)

    def _meant(self, error: DeliveryError, parts: list[Part]) -> list[Part]:
        """The entries that an error is about, which it then names as the message has them."""
        meant = [part for number, part in enumerate(parts) if error.location == f"Bundle.entry[{number}]"]
        error.location = meant[0].location if meant else ""
        return meant or parts

    async def _took(self, part: Part, outcome: Written) -> list[Part]:
        """One entry was written, or found; in the second case it goes into the next round, over that."""
        if self._at.missing(part):
            self._at.name(part, outcome.key or await self._found(part))
        if outcome.found and part.kind not in ONCE:
            return [part] if await self._differs(part) else self._settle(part)
        part.version = outcome.version
        if part.bare:
            part.saw(versions.seen(self._at.resource(part), outcome.version), fresh=True)
            part.bare = False
            return []
        part.done = True
        return self._settle(part)

    def _settle(self, part: Part) -> list[Part]:
        self._settled[part.number] = None
        self._waiting.remove(part)
        return []

    def _fail(self, part: Part, error: DeliveryError) -> None:
        """Of a batch the other entries go on; what can never be taken is said when all are settled."""
        self._waiting.remove(part)
        if error.answer.retry == "never":
            self._settled[part.number] = error
            if self._sending.delivery == "each":
                self._failed.append(error)
        else:
            self._failed.append(error)

    def _stopped(self) -> bool:
        return bool(self._failed) and self._sending.delivery == "each"

    # --- what stands there

    async def _first_sight(self) -> list[Part]:
        """What was never seen there and may be there all the same, with more than the message says."""
        found: list[Part] = []
        for part in list(self._waiting):
            if part.seen is not None or part.resource is None or part.kind in ONCE:
                continue
            if self._at.missing(part):
                key = await self._found(part, certain=False) if self._writes_over else ""
                if not key:
                    continue
                self._at.name(part, key)
            if not await self._differs(part):
                self._settle(part)
            elif part.seen is not None:
                found.append(part)
        return found

    @property
    def _writes_over(self) -> bool:
        """Whether the first request about a resource writes over what it finds."""
        return self._sending.read_first or self._link.identity.ids == "conditional"

    async def _found(self, part: Part, *, certain: bool = True) -> str:
        """The key there, by a search; "" where nothing is found. Raises ``DeliveryError``."""
        listed = await self._sender.find(part.kind, self._at.query(part))
        if len(listed) > 1:
            raise PartnerRefusedMessage(
                "several resources there have its identifier", fix="merge them there", location=part.location
            )
        if not listed and certain:
            raise PartnerBusy("what was written is not found there yet", location=part.location)
        return f"{part.kind}/{listed[0]['id']}" if listed else ""

    async def _differs(self, part: Part) -> bool:
        """Reads a resource; whether the message says anything else than it, or it is not there."""
        await self._read(part)
        return not self._stands(part)

    async def _read(self, part: Part) -> Json | None:
        read = await self._sender.read(self._at.key(part.here))
        part.saw(versions.seen(read) if read is not None else None, fresh=True)
        return read

    def _stands(self, part: Part) -> bool:
        """Whether what was read is what the message says: then there is nothing to write."""
        if part.seen is None or part.resource is None:
            return False
        if part.seen.digest != versions.digest(self._at.resource(part)):
            return False
        part.version, part.done = part.seen.version, True
        return True

    async def _read_again(self, parts: Sequence[Part], error: PartnerChangedIt) -> None:
        """Somebody else was faster: what stands there is read, and the message made again over it."""
        asked = [part for part in parts if part.seen is not None and part.seen.version]
        if not asked and error.status == _PRECONDITION:
            raise _instead(PartnerRefusedMessage(error.what, fix="see what the partner finds"), error)
        await self._turn.take()
        before = {part.here: part.seen for part in asked}
        for part in asked:
            last, read = part.seen, await self._read(part)
            key = self._at.key(part.here)
            part.base = part.base or await base_of(self._store, self._link.name, key, last, read)
            part.met = part.seen.version if part.base and part.seen else part.met
        if all(part.seen and part.seen.version == _version(before[part.here]) for part in asked):
            raise _instead(PartnerBusy(error.what), error)
        self._revisions += 1
        if self._revisions > self._sending.revisions:
            raise _instead(PartnerRefusedMessage("it is changed again and again", fix="replay it"), error)
        await self._revise(asked)
        for part in asked:  # what another message of ours has brought there need not be fought over
            if self._stands(part):
                self._settle(part)

    async def _revise(self, parts: Sequence[Part]) -> None:
        here = self._at.here
        prior: dict[str, Json] = {}
        for part in self._parts:
            if part.seen is not None:
                read = part.seen.resource
                prior |= names.renamed({f"{part.kind}/{read['id']}": read}, here)
        bases = {
            part.here: {**names.with_references(base.resource, here), "id": part.here.partition("/")[2]}
            for part in parts
            if (base := part.base) is not None
        }
        fresh = await self._revising.again(self._item, prior, bases)
        for part in parts:
            made = fresh.get(part.here)
            if made is not None and part.resource is not None:
                part.resource, part.revised = made, True


_GRAVITY: Final = ("hold", "stop", "later", "never")


def _instead(error: DeliveryError, of: DeliveryError) -> DeliveryError:
    """One error for another, about the same answer."""
    error.location, error.status, error.issue = of.location, of.status, of.issue
    return error


def _version(seen: versions.Seen | None) -> str:
    return seen.version if seen else ""
