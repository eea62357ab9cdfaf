"""An append-only log of what was done: chained, verifiable offline, and ignorant of who writes it."""

from audit.entry import Draft, Outcome, Tag
from audit.log import AuditLog
from audit.verify import Report, verify

__all__ = ["AuditLog", "Draft", "Outcome", "Report", "Tag", "verify"]
