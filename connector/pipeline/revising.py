"""A message is made again over what stands at the FHIR side now, after somebody else wrote there.

The v2 message is taken from the inbox as it came and translated over what was read, so that what v2 cannot
say, and what the FHIR side has said since, stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.errors import ConnectorError, MessageError
from connector.hl7v2 import charset
from connector.hl7v2.tree import Message
from connector.pipeline import picture, staleness
from connector.pipeline.conflicts import Conflicts, newer
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock
from connector.store import Direction, OutboxItem, Store

Json = dict[str, Any]
Resources = dict[str, Json]


class Revising:
    """Makes the messages of one link again."""

    def __init__(self, link: Link, store: Store, clock: Clock) -> None:
        self._link, self._store = link, store
        self._conflicts = Conflicts(link, Direction.TO_FHIR, store, clock)

    async def again(
        self, item: OutboxItem, prior: Mapping[str, Json], bases: Mapping[str, Json]
    ) -> Resources:
        """The resources that the message makes over ``prior``; both by our keys and with our names.

        ``bases``: those of which it is known what both sides had when the message was made. What both have
        changed since goes by the profile's authorities. Raises ``BothChanged`` where a person decides.
        """
        payload = await self._store.payload(item.inbox_id)
        message = Message.parse(charset.decode(payload, profile_charset=self._link.charset).text)
        fresh = self._over(message, prior)
        told = staleness.told_at(message, self._link.zone)
        for key, base in bases.items():
            if key in fresh and key in prior:
                fresh[key] = await self._conflicts.settle(
                    item.uid, key, base, fresh[key], prior[key], newer=newer(told, prior[key])
                )
        return fresh

    def _over(self, message: Message, prior: Mapping[str, Json]) -> Resources:
        try:
            made = self._link.translator.to_fhir(message, prior=list(prior.values()))
        except ConnectorError:
            raise
        except Exception as error:  # what stands there is somebody else's, and may be what no map foresees
            fault = type(error).__name__
            raise MessageError(f"the translation failed ({fault})", fix="report this as a fault") from None
        return picture.by_key(made.bundle)
