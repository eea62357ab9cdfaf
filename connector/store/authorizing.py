"""The store's door for the token endpoint."""

from __future__ import annotations

import datetime as dt

from connector.store.door import Door, Drafts
from connector.store.spent import SpentRows


class Authorizing(Door):
    """What must be on the disk before an access token is given out."""

    async def spend(
        self, client: str, jti: str, ends_at: dt.datetime, now: dt.datetime, entries: Drafts
    ) -> None:
        """Use a client's assertion, once and for all. Raises ``AssertionReplayed``: nothing is recorded."""
        spent = SpentRows(self._keys)
        await self._step(entries, lambda unit: spent.spend(unit, client, jti, ends_at, now))
