"""What somebody wants to take out of the audit log, and for which patient."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from connector.errors import ConfigurationError
from connector.pipeline import about
from connector.store import Kind, Store
from connector.store.finding import normal


class Wanted(NamedTuple):
    """An export. ``actor``: who, as in an entry; ``patients``: the pseudonyms of one patient."""

    actor: Mapping[str, Any]
    because: str
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    partner: str | None = None
    patients: tuple[str, ...] = ()
    tag: str | None = None


class Exports(Protocol):
    """Makes exports of the sealed log."""

    async def stream(self, wanted: Wanted) -> AsyncIterator[bytes]:
        """The export's pieces, after the log knows of it. Raises a ``ConnectorError`` before the first."""
        ...


def pseudonyms(store: Store, text: str, authorities: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    """What stands in the log for a patient, given as ``ID^^^AUTHORITY``, or as ``ID`` where messages name no
    authority. Raises ``ConfigurationError``."""
    wanted = about.asked(Kind.MRN, text, authorities)
    if not wanted or not all(normal(one.value) for one in wanted):
        raise ConfigurationError("no patient is named", fix="give the medical record number: ID^^^AUTHORITY")
    return tuple(store.patients(wanted))
