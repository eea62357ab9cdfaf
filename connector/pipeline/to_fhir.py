"""Sends what a message became to the FHIR side, and what its answers teach goes into the journal.

How that is done for one message is ``Carrying``; here is what outlives an attempt: which entries are settled.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from typing import Any, Final

from connector.errors import DeliveryError
from connector.fhir import bundle as bundles
from connector.fhir import json as fjson
from connector.pipeline.carrying import Carrying, Settled
from connector.pipeline.deliver import Told
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock, FhirSender
from connector.pipeline.revising import Revising
from connector.pipeline.sending import SENDING, Sending, Turn
from connector.store import OutboxItem, Store

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
            learned = await carrying.journal()
            if learned:
                await self._store.remember(learned, item.inbox_id)
            if error.answer.retry == "never":
                self._settled.pop(item.uid, None)
            raise
        finally:
            turn.give()
        self._settled.pop(item.uid, None)
        return Told(carrying.facts, carrying.written, await carrying.journal())

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
