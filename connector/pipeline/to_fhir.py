"""Sends what a message became to the FHIR side, and what its answers teach goes into the journal.

How that is done for one message is ``Carrying``; here is what outlives an attempt: which entries are settled.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from typing import Any, Final

from connector.errors import DeliveryError, JournalMoved
from connector.fhir import bundle as bundles
from connector.fhir import json as fjson
from connector.pipeline.carrying import Carrying, Settled
from connector.pipeline.deliver import Told
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock, FhirSender
from connector.pipeline.revising import Revising
from connector.pipeline.sending import SENDING, Sending, Turn
from connector.store import OutboxItem, Saw, Store

Json = dict[str, Any]

_REMEMBERED: Final = 4096  # messages whose entries are partly settled; forgetting one means sending it whole


class ToFhir:
    """Delivers the bundles of one link. Several may be under way at once, each about its own resources."""

    def __init__(
        self, sender: FhirSender, store: Store, link: Link, clock: Clock, sending: Sending = SENDING
    ) -> None:
        self._sender, self._store, self._link, self._sending = sender, store, link, sending
        self._revising = Revising(link, store, clock)
        self._settled: OrderedDict[str, Settled] = OrderedDict()
        self._lock = asyncio.Lock()

    async def send(self, item: OutboxItem) -> Told:
        """Raises ``DeliveryError``; what was written until then is remembered, and not sent again."""
        bundle = fjson.loads(item.payload)
        if self._sending.delivery == "message":
            return await self._message(item, bundle)
        settled = self._settled.setdefault(item.uid, {})
        if len(self._settled) > _REMEMBERED:
            self._settled.popitem(last=False)
        turn = Turn(self._lock)
        carrying = Carrying(self._sender, self._store, self._link, self._sending, self._revising, item, turn)
        try:
            await carrying.run(bundle, settled)
        except DeliveryError as error:
            await self._remember(carrying, item)
            if error.answer.retry == "never":
                self._settled.pop(item.uid, None)
            raise
        finally:
            turn.give()
        self._settled.pop(item.uid, None)
        return await self._told(carrying)

    async def _told(self, carrying: Carrying) -> Told:
        saw: Saw = {}
        journal = await carrying.journal(saw)
        again = partial(self._told, carrying)
        return Told(carrying.facts, carrying.written, journal, saw=saw, again=again)

    async def _remember(self, carrying: Carrying, item: OutboxItem) -> None:
        """What an attempt that failed has taught all the same."""
        while True:
            saw: Saw = {}
            learned = await carrying.journal(saw)
            with suppress(JournalMoved):
                if learned:
                    await self._store.remember(learned, item.inbox_id, saw)
                return

    async def _message(self, item: OutboxItem, bundle: Json) -> Told:
        """As a message (https://hl7.org/fhir/R4/messaging.html), of the same id at each attempt."""
        omit = self._sending.omit
        entries = [
            entry for entry in bundles.entries(bundle) if entry["resource"]["resourceType"] not in omit
        ]
        entries.sort(key=lambda entry: entry["resource"]["resourceType"] != "MessageHeader")
        told = [{name: value for name, value in entry.items() if name != "request"} for entry in entries]
        identity = str(uuid.uuid5(uuid.NAMESPACE_OID, item.uid))
        await self._sender.send({**bundle, "id": identity, "type": "message", "entry": told})
        return Told({"resources": len(told)}, {})
