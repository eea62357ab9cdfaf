"""What was changed about the connector itself, and who read or took away the audit log."""

from __future__ import annotations

from typing import Final

from audit.review.plain import Entry, because, partner, said, shown, who
from audit.review.report import Row, Section, Table, table
from audit.review.tally import Counted, Tally

_IN_FORCE: Final = frozenset({"profile:loaded", "profile:changed", "settings:loaded", "settings:changed"})
_CHANGES: Final = (
    "keys:", "profile:", "configuration:", "settings:", "store:erased", "store:backup:", "store:pruned",
    "tls:reloaded", "tls:file:",
)  # fmt: skip
_LEAD: Final = (
    "Keys, settings, profiles, certificates, backups, and what was erased. A profile is known by the SHA-256 "
    "of its file; where another one was loaded than before, both stand here.",
)
_COLUMNS: Final = ("What", "Link", "By", "Details", "Reason given", "Times", "First", "Last")
_AUDIT_LEAD: Final = (
    "Who reviewed the audit log, took some of it away or listed disclosures, and why; and which of its "
    "years began, or were disposed of.",
)


class Changes:
    """Alike changes by the same person for the same reason are put together."""

    def __init__(self) -> None:
        self.found = Tally(keeps=1)
        self._loaded: dict[str, str] = {}
        self._changed: list[Row] = []

    def wants(self, tag: str) -> bool:
        """Keys, configuration and profiles."""
        return tag.startswith(_CHANGES)

    def before(self, entry: Entry) -> None:
        """An entry from before the period: what was in force."""
        if entry["tag"] in _IN_FORCE:
            self._loaded[_kind(entry)] = shown(entry["object"].get("sha256", ""))

    def see(self, entry: Entry) -> None:
        """One entry of the period."""
        tag, link = entry["tag"], partner(entry)
        if tag in _IN_FORCE:
            self._in_force(entry)
        leaves = ("before", "most") if tag == "store:pruned" else ()
        self.found.add((tag, link, who(entry), said(entry, *leaves), because(entry)), entry)

    def _in_force(self, entry: Entry) -> None:
        what, now = _kind(entry), shown(entry["object"].get("sha256", ""))
        before = self._loaded.get(what)
        if before is None and entry["object"].get("before"):
            before = shown(entry["object"]["before"])
        self._loaded[what] = now
        if before not in (None, now):
            one = Counted()
            one.add(entry)
            self._changed.append(Row((what, str(before), now, one.lasted[0]), one.refs))

    def section(self) -> Section:
        """The profiles apart, since only two entries together tell of the change."""
        columns = ("What", "SHA-256 before", "SHA-256 since", "When")
        tables = (
            table("Settings and profiles that are others than before", columns, self._changed),
            table("Changes", _COLUMNS, self.found.rows(), self.found.note),
        )
        return Section("changes", "Keys, configuration and profiles", _LEAD, tables)


def _kind(entry: Entry) -> str:
    """``profile lab``, ``settings``: what a hash is of."""
    return f"{entry['tag'].partition(':')[0]} {partner(entry)}".rstrip()


class Audited:
    """Reading of the audit log itself, and its years: every tag of ``audit`` that is no trouble of its
    making."""

    TROUBLE: Final = ("audit:sealing:", "audit:witness:", "audit:feed:", "audit:stamp:")

    def __init__(self) -> None:
        self.found = Tally(keeps=1)

    def wants(self, tag: str) -> bool:
        """Exports, reviews, lists of disclosures, verifications; years that begin and are disposed of."""
        return tag.startswith("audit:") and not tag.startswith(self.TROUBLE)

    def see(self, entry: Entry) -> None:
        """One entry of the period."""
        self.found.add((entry["tag"], who(entry), said(entry), because(entry)), entry)

    def section(self) -> Section:
        """In the order in which they began."""
        columns = ("What", "By", "What range", "Reason given", "Times", "First", "Last")
        tables: tuple[Table, ...] = (
            table("Readings, exports and years", columns, self.found.rows(), self.found.note),
        )
        return Section("audited", "Exports and reviews of the audit log", _AUDIT_LEAD, tables)
