"""One message's resources on their way to the FHIR side: addressed, sent, and made again where they must be.

An attempt goes in rounds. Each sends what can be sent: everything at once in a transaction, else what refers
to nothing whose id is not known yet. What somebody else changed there meanwhile is read, the message is made
again over it, and it goes into the next round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from connector.errors import DeliveryError, PartnerBusy, PartnerChangedIt, PartnerRefusedMessage
from connector.fhir import bundle as bundles
from connector.fhir import json as fjson
from connector.pipeline import identity, names, versions
from connector.pipeline.identity import Known, pointed, referred, temporary
from connector.pipeline.learning import Part, base_of, lessons, recall
from connector.pipeline.links import Link
from connector.pipeline.ports import FhirSender, Written
from connector.pipeline.revising import Revising
from connector.profile.fhir import Fhir
from connector.store import JournalEntry, OutboxItem, Store

Json = dict[str, Any]
Settled = dict[int, DeliveryError | None]
"""Entries of a message that need no further attempt, by their place: None was written, else why never."""

_ONCE: Final = frozenset({"MessageHeader", "Provenance"})  # of one message: nobody else changes them
_PRECONDITION: Final = 412


@dataclass(frozen=True, slots=True)
class Sending:
    """How the resources of one link are sent.

    ``omit``: types that are not, while references to them stay. ``if_match``: updates name the version they
    were made over. ``read_first``: what was never seen there is read before it is written. ``revisions``: how
    often one message is made again because somebody else was faster.
    """

    delivery: Literal["transaction", "batch", "each", "message"] = "transaction"
    omit: frozenset[str] = frozenset()
    if_match: bool = True
    read_first: bool = False
    revisions: int = 5

    @classmethod
    def of(cls, fhir: Fhir) -> Sending:
        """As the profile says."""
        return cls(
            delivery=fhir.delivery,
            omit=frozenset(fhir.omit),
            if_match=fhir.updates.if_match,
            read_first=fhir.updates.read_before_update == "first",
            revisions=fhir.updates.revisions,
        )


SENDING: Final = Sending()


class Turn:
    """One of our messages at a time is made again, so that lanes do not fight over what they share."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock, self.mine = lock, False

    async def take(self) -> None:
        """Wait until nobody else has it."""
        await self._lock.acquire()
        self.mine = True

    def give(self) -> None:
        """Let the next one have it."""
        if self.mine:
            self.mine = False
            self._lock.release()


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
        self._identity = link.identity
        self._bundle: Json = {}
        self._settled: Settled = {}
        self._parts: list[Part] = []
        self._waiting: list[Part] = []
        self._names: dict[str, str] = {}  # ours to the FHIR side's
        self._known: dict[str, Known] = {}  # by our keys: of what has no name there
        self._revisions = 0
        self._failed: list[DeliveryError] = []

    async def run(self, bundle: Json, settled: Settled) -> None:
        """Raises ``DeliveryError`` where anything was not written; ``settled``: what need not go again."""
        self._settled = settled
        await self._begin(bundle)
        self._waiting = [part for part in self._parts if part.number not in settled]
        stale = [part for part in self._waiting if part.stale]
        if self._sending.read_first:
            stale += await self._first_sight()
        if stale:
            await recall(self._store, self._link.name, stale, self._names)
            await self._revise(stale)
        while self._waiting and not self._stopped():
            await self._round(self._ready())
        failed = [*self._failed, *(error for error in settled.values() if error is not None)]
        if failed:
            raise min(failed, key=lambda error: _GRAVITY.index(str(error.answer.retry)))

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
        return {self._names.get(part.here, part.here): part.version for part in self._parts if part.done}

    async def journal(self) -> list[JournalEntry]:
        """What was learned, for the journal."""
        done = [part for part in self._parts if part.done and part.kind not in _ONCE]
        for part in done:
            if part.resource is not None:
                part.content = self._addressed(part, final=True)
        kept = self._sending.if_match
        return await lessons(self._store, self._link.name, done, self._names, self._item, seen=kept)

    # --- what there is to send

    async def _begin(self, bundle: Json) -> None:
        self._bundle = bundle
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
        ours = [part.here for part in self._parts]
        wanted = dict.fromkeys(ours)
        wanted |= dict.fromkeys(key for part in self._parts for key in referred(part.resource or {}))
        found = await self._store.resources(
            self._link.name, [*names.asking_theirs(wanted), *versions.asking(ours)]
        )
        self._names = {**there, **names.told(found)}
        seen = versions.told(found)
        moved = [self._names[part.here] for part in self._parts if part.here in self._names]
        if moved:
            seen |= versions.told(await self._store.resources(self._link.name, versions.asking(moved)))
        for part in self._parts:
            part.saw(seen.get(self._names.get(part.here, part.here)) if self._sending.if_match else None)
        if self._identity.ids != "client":
            await self._identify(aside, wanted)

    async def _identify(self, aside: dict[str, Json], wanted: Iterable[str]) -> None:
        """What everything is found by that has no name at the FHIR side, or is only referred to."""
        resources = aside | {part.here: part.resource for part in self._parts if part.resource is not None}
        outside = [key for key in wanted if key not in resources and key not in self._names]
        for key, content in (await self._store.resources(self._link.name, outside)).items():
            resources[key] = fjson.loads(content)
        self._known = self._identity.known(resources)

    # --- rounds

    def _ready(self) -> list[Part]:
        """What can go in one round. In a circle of references, one goes without them first."""
        if self._sending.delivery == "transaction" or self._identity.ids == "client":
            return list(self._waiting)
        new = {part.here for part in self._waiting if part.here not in self._names}
        ready = [part for part in self._waiting if not part.needs(new)]
        if not ready:
            ready = self._waiting[:1]
            ready[0].bare = True
        return ready

    async def _round(self, parts: list[Part]) -> None:
        sent = {**self._bundle, "entry": [self._entry(part) for part in parts]}
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
            failure = outcome.error
            if failure is None:
                again += await self._took(part, outcome)
                continue
            failure.location = part.location
            if isinstance(failure, PartnerChangedIt):
                await self._read_again([part], failure)
            else:
                self._fail(part, failure)
        if again:
            await self._revise(again)

    def _meant(self, error: DeliveryError, parts: list[Part]) -> list[Part]:
        """The entries that an error is about, which it then names as the message has them."""
        meant = [part for number, part in enumerate(parts) if error.location == f"Bundle.entry[{number}]"]
        error.location = meant[0].location if meant else ""
        return meant or parts

    async def _took(self, part: Part, outcome: Written) -> list[Part]:
        """One entry was written, or found; in the second case it goes into the next round, over that."""
        if part.resource is not None and part.here not in self._names and self._identity.ids != "client":
            self._name(part, outcome.key or await self._found(part))
        if outcome.found and part.kind not in _ONCE:
            return [part] if await self._differs(part) else self._settle(part)
        part.version = outcome.version
        if part.bare:
            part.saw(versions.seen(self._addressed(part), outcome.version), fresh=True)
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
        """What was never seen there and may be there all the same."""
        found = []
        for part in self._waiting:
            if part.seen is not None or part.resource is None or part.kind in _ONCE:
                continue
            if part.here not in self._names and self._identity.ids != "client":
                key = await self._found(part, certain=False)
                if not key:
                    continue
                self._name(part, key)
            if await self._differs(part):
                found.append(part)
        return found

    async def _found(self, part: Part, *, certain: bool = True) -> str:
        """The key there, by a search; "" where nothing is found. Raises ``DeliveryError``."""
        listed = await self._sender.find(part.kind, self._known[part.here].query)
        if len(listed) > 1:
            raise PartnerRefusedMessage(
                "several resources there have its identifier", fix="merge them there", location=part.location
            )
        if not listed and certain:
            raise PartnerBusy("what was written is not found there yet", location=part.location)
        return f"{part.kind}/{listed[0]['id']}" if listed else ""

    def _name(self, part: Part, key: str) -> None:
        part.learned = True
        self._names[part.here] = key

    async def _differs(self, part: Part) -> bool:
        """Reads a resource; whether the message says anything else than it."""
        read = await self._sender.read(self._names.get(part.here, part.here))
        part.saw(versions.seen(read) if read is not None else None, fresh=True)
        if part.seen is None:
            return False
        part.version = part.seen.version
        same = part.seen.digest == versions.digest(self._addressed(part))
        part.done = part.done or same
        return not same

    async def _read_again(self, parts: Sequence[Part], error: PartnerChangedIt) -> None:
        """Somebody else was faster: what stands there is read, and the message made again over it."""
        asked = [part for part in parts if part.seen is not None and part.seen.version]
        if not asked and error.status == _PRECONDITION:
            raise _instead(PartnerRefusedMessage(error.what, fix="see what the partner finds"), error)
        if not self._turn.mine:
            await self._turn.take()
        before = {part.here: part.seen for part in asked}
        for part in asked:
            key = self._names.get(part.here, part.here)
            read = await self._sender.read(key)
            part.base = part.base or await base_of(self._store, self._link.name, key, part.seen, read)
            part.saw(versions.seen(read) if read is not None else None, fresh=True)
            part.met = part.seen.version if part.base and part.seen else part.met
        if all(part.seen and part.seen.version == _version(before[part.here]) for part in asked):
            raise _instead(PartnerBusy(error.what), error)
        self._revisions += 1
        if self._revisions > self._sending.revisions:
            raise _instead(PartnerRefusedMessage("it is changed again and again", fix="replay it"), error)
        await self._revise(asked)
        for part in asked:  # what another message of ours has brought there need not be fought over
            if part.seen and part.seen.digest == versions.digest(self._addressed(part)):
                part.version, part.done = part.seen.version, True
                self._settle(part)

    async def _revise(self, parts: Sequence[Part]) -> None:
        here = {name: key for key, name in self._names.items()}
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
            if (made := fresh.get(part.here)) is not None:
                part.resource, part.revised = made, True

    # --- as the FHIR side knows it

    def _entry(self, part: Part) -> Json:
        if part.resource is None:
            key = self._names.get(part.here, part.here)
            return {"request": {**part.entry["request"], "url": key}}
        resource = self._addressed(part)
        if self._identity.ids != "client" and part.here not in self._names:
            return self._identity.first(part.here, resource, self._known[part.here])
        key = self._names.get(part.here, part.here)
        return identity.update(self._link.base, key, resource, part.seen.version if part.seen else "")

    def _addressed(self, part: Part, *, final: bool = False) -> Json:
        """The resource with the names that it and others have there."""
        new = {one.here for one in self._parts}

        def where(reference: str) -> Json | None:
            if reference in self._names:
                return {"reference": self._names[reference]}
            if reference not in self._known:
                return None
            if reference in new and self._sending.delivery == "transaction" and not final:
                return {"reference": temporary(reference)}
            return identity.by_search(
                reference, self._known[reference], searches=self._identity.searches and not part.bare
            )

        resource: Json = pointed(part.resource, where)
        if part.here in self._known and part.kind not in _ONCE:
            resource = self._identity.named(resource, self._known[part.here])
        key = self._names.get(part.here, part.here)
        return {**resource, "id": key.partition("/")[2]}


_GRAVITY: Final = ("hold", "stop", "later", "never")


def _instead(error: DeliveryError, of: DeliveryError) -> DeliveryError:
    """One error for another, about the same answer."""
    error.location, error.status, error.issue = of.location, of.status, of.issue
    return error


def _version(seen: versions.Seen | None) -> str:
    return seen.version if seen else ""
