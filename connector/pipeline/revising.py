"""A message is made again over what stands at the FHIR side now, after somebody else wrote there.

The v2 message is taken from the inbox as it came and translated over what was read, so that what v2 cannot
say, and what the FHIR side has said since, stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connector.errors import ConnectorError, MessageError
from connector.hl7v2 import charset
from connector.hl7v2.tree import Message
from connector.pipeline import picture
from connector.pipeline.links import Link
from connector.store import Store

Json = dict[str, Any]
Reconcile = Callable[[Json | None, Json, Json], Json]


def reconcile(base: Json | None, read: Json, ours: Json) -> Json:
    """What is to stand at the FHIR side, out of three contents of one resource under our name.

    ``base``: as last seen there before; None: never. ``read``: as it stands there now. ``ours``: the
    message over ``read``. Where both sides changed the same, the message wins.
    """
    return ours


class Revising:
    """Makes the messages of one link again."""

    def __init__(self, link: Link, store: Store, reconcile: Reconcile = reconcile) -> None:
        self._link, self._store = link, store
        self.reconcile = reconcile

    async def again(self, inbox_id: int, prior: Mapping[str, Json]) -> dict[str, Json]:
        """The resources that the message makes over ``prior``; both by our keys and with our names."""
        payload = await self._store.payload(inbox_id)
        text = charset.decode(payload, profile_charset=self._link.charset).text
        try:
            made = self._link.translator.to_fhir(Message.parse(text), prior=list(prior.values()))
        except ConnectorError:
            raise
        except Exception as error:  # what stands there is somebody else's, and may be what no map foresees
            fault = type(error).__name__
            raise MessageError(f"the translation failed ({fault})", fix="report this as a fault") from None
        return picture.by_key(made.bundle)
