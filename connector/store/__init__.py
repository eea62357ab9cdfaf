"""What was taken stays: inbox, outbox and journal of every link, encrypted, in one SQLite database."""

from connector.store.keys import FileKeyProvider, KeyProvider
from connector.store.records import (
    Accepted,
    AuditPort,
    Counts,
    Direction,
    InboxItem,
    InboxKey,
    JournalEntry,
    Listed,
    OutboxItem,
    Outgoing,
    Received,
    State,
)
from connector.store.store import Store

__all__ = [
    "Accepted",
    "AuditPort",
    "Counts",
    "Direction",
    "FileKeyProvider",
    "InboxItem",
    "InboxKey",
    "JournalEntry",
    "KeyProvider",
    "Listed",
    "OutboxItem",
    "Outgoing",
    "Received",
    "State",
    "Store",
]
