"""An audit record repository that takes FHIR AuditEvents (IHE ITI-20, ATX: FHIR Feed option).

Each event is created on the condition that there is none yet with its tag, which is made of the hash of its
entry: so an event that goes again, because nobody knows what became of it, makes no second one. R4 gives an
AuditEvent no identifier to ask for; ``_tag`` is a search parameter of every resource. Or it is updated under
an id made of the same hash, which also holds where a server does two requests at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from connector.edges.fhir_client import FhirClient
from connector.errors import DeliveryError, EntryNotSendable, PartnerRefusedMessage, PartnerUnreachable
from connector.pipeline.feeding import Taken
from connector.pipeline.ports import Json, Written
from connector.store import Logged

SYSTEM: Final = "urn:x-audit:event"
Way = Literal["create", "update"]
_SEVERAL: Final = 412  # there are several already; https://hl7.org/fhir/R4/http.html#ccreate

Events = Callable[[Logged], Sequence[Json]]


class FhirRepository:
    """``events``: an entry as AuditEvents, each with an id that is made of its content; ``client``: delivers
    bundles, ``single`` one by one; ``way``: how an event is written."""

    def __init__(self, client: FhirClient, single: FhirClient, events: Events, way: Way = "create") -> None:
        self._client, self._single, self._events, self._way = client, single, events, way

    async def hand(self, entries: Sequence[Logged]) -> Taken:
        """Write the events, in order, up to the first that was not taken."""
        asked, wrong = await asyncio.to_thread(self._asked, entries)
        if not asked:
            return Taken(0, 0, wrong)
        sent = [one for events in asked for one in events]
        try:
            written = await self._client.send(_bundle(sent))
        except PartnerRefusedMessage:  # because of one of them: alone, each answers for itself
            written = await self._single.send(_bundle(sent))
        known, error = _known(entries, asked, written)
        return Taken(known, known, error or wrong)

    async def settle(self) -> None:
        """Nothing is open: what was written was answered."""

    def check(self) -> None:
        """Nothing is open."""

    async def drop(self) -> None:
        """The client keeps no connection that is of no use."""

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._single.close()

    def _asked(self, entries: Sequence[Logged]) -> tuple[list[list[Json]], DeliveryError | None]:
        """What is asked for each entry, up to the first that cannot be said, and what is wrong with that."""
        found: list[list[Json]] = []
        for one in entries:
            try:
                found.append([self._request(event) for event in self._events(one)])
            except Exception as error:
                what = f"an entry cannot be said as an AuditEvent ({type(error).__name__})"
                return found, EntryNotSendable(what, location=f"entry {one.seq}")
        return found, None

    def _request(self, event: Json) -> Json:
        """The event as an entry of a bundle, which has no more effect the second time."""
        code = event["id"]
        if self._way == "update":
            return {"resource": event, "request": {"method": "PUT", "url": f"AuditEvent/{code}"}}
        meta: dict[str, Any] = dict(event.get("meta", {}))
        meta["tag"] = [*meta.get("tag", ()), {"system": SYSTEM, "code": code}]
        resource = {name: value for name, value in event.items() if name != "id"} | {"meta": meta}
        request = {"method": "POST", "url": "AuditEvent", "ifNoneExist": f"_tag={SYSTEM}%7C{code}"}
        return {"resource": resource, "request": request}


def _bundle(sent: list[Json]) -> Json:
    return {"resourceType": "Bundle", "type": "batch", "entry": sent}


def _known(
    entries: Sequence[Logged], asked: Sequence[Sequence[Json]], written: Sequence[Written]
) -> tuple[int, DeliveryError | None]:
    """The last entry before which nothing is missing, and what was wrong with the next."""
    known, done = entries[0].seq - 1, iter(written)
    for one, requests in zip(entries, asked):
        for _ in requests:
            outcome = next(done, None)
            if outcome is None:  # one by one, what comes behind one that failed is not sent
                return known, PartnerUnreachable("the repository did not answer for everything")
            if outcome.error is not None and outcome.error.status != _SEVERAL:
                return known, outcome.error
        known = one.seq
    return known, None
