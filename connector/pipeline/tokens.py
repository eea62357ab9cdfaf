"""Whose access tokens were accepted, told to the audit trail once for each token and certificate."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from connector.pipeline.ports import Entry

KNOWN: Final = 10_000  # tokens; one beyond is told of anew
SHORT: Final = 64  # characters of a token's id that is told as it is
_OPAQUE: Final = "without an id"  # of a token that only its issuer can read


class Shown(Protocol):
    """A token that was accepted."""

    @property
    def client_id(self) -> str:
        """The OAuth client."""
        ...

    @property
    def token(self) -> str:
        """The token's id (jti); "": it has none."""
        ...


class Tokens:
    """Remembers which tokens are on record. ``record``: puts an entry there."""

    def __init__(self, record: Callable[[list[Entry]], Awaitable[None]]) -> None:
        self._record = record
        self._known: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    async def accepted(self, shown: Shown, fingerprint: str, draft: Callable[[str], Entry]) -> None:
        """A token came that counts. ``draft``: makes the entry out of what names the token.

        On record when this returns; raises ``StoreUnavailable`` and ``AuditRefused``: then nothing may be
        done with it.
        """
        key = (shown.client_id, fingerprint, shown.token)
        if key in self._known:
            return
        await self._record([draft(named(shown.token))])
        self._known[key] = None
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)


def named(token: str) -> str:
    """What names a token: its id, or a digest of one that is long or holds more than printable ASCII."""
    if not token:
        return _OPAQUE
    if len(token) <= SHORT and token.isascii() and token.isprintable():
        return token
    return f"sha256:{hashlib.sha256(token.encode('utf-8', 'surrogatepass')).hexdigest()}"
