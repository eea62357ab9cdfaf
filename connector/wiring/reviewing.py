"""The audit log of a service, read from its table in one pass, and held against what is signed of it.

Each entry must follow the one before by its hash; and the last entry of each shard under a checkpoint must be
the one that the tiles have. So whoever reads on from here knows what the signatures say of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, Self

from audit import stamps
from audit.directory import DirectoryRefused, Shard
from audit.following import Row, Table, chained
from audit.notes import Key, parse_key
from audit.refusals import ChainBroken, SealingRefused
from audit.review import Seal
from audit.review.heads import seal
from audit.review.reading import Unreadable, read
from audit.tip import Tip, sealed, tip_of
from connector.errors import AuditRefused, StoreUnavailable
from connector.settings import Settings
from connector.wiring.auditing import Kept

_AT_ONCE: Final = 1_000  # rows
_FSCK: Final = 'see "connector audit fsck"'


class _End(NamedTuple):
    """Where a shard ends that is sealed; ``fault``: why it cannot be told, then without ``tip``."""

    shard: Shard
    tip: Tip | None
    fault: str = ""


class AuditReader:
    """Reads the log of a store. ``witnesses``: whose cosignatures count, by their keys."""

    def __init__(self, kept: Kept, witnesses: Sequence[Key] = ()) -> None:
        """Raises ``StoreUnavailable``."""
        self._kept, self._witnesses = kept, witnesses
        try:
            self._ends = [_end_of(shard) for shard in sealed(kept.directory)]
        except (OSError, DirectoryRefused) as error:
            raise StoreUnavailable(
                f"the audit log cannot be read ({type(error).__name__})", fix=_FSCK
            ) from None
        self._read: dict[int, bytes] = {end.tip.last: b"" for end in self._ends if end.tip}

    @classmethod
    def of(cls, chosen: Settings) -> Self:
        """Of a service. Raises ``StoreUnavailable``."""
        asked = chosen.audit.witness.ask if chosen.audit.witness else ()
        return cls(Kept.of(chosen), [parse_key(key) for one in asked for key in one.keys])

    def entries(self, year: int = 0) -> Iterator[dict[str, Any]]:
        """All entries of that year and later ones, and maybe some before, in their order.

        Raises ``AuditRefused`` at the first that is not as it was written, ``StoreUnavailable``.
        """
        table = self._open()
        try:
            for row, _ in chained(_rows(table, self._start(year)), None):
                if row.seq in self._read:
                    self._read[row.seq] = row.hash
                yield read(row.entry, f"entry {row.seq}")
        except (ChainBroken, Unreadable) as error:
            raise AuditRefused(f"the audit log is not as it was written: {error}", fix=_FSCK) from None
        except sqlite3.Error as error:
            raise _unavailable(error) from None
        finally:
            table.close()

    def _open(self) -> Table:
        try:
            return Table(self._kept.store)
        except sqlite3.Error as error:
            raise _unavailable(error) from None

    def _start(self, year: int) -> int:
        """A shard has no entry of a later year than its own, so those before can be left out."""
        later = [end.tip.first for end in self._ends if end.tip and end.shard.year >= year]
        return later[0] if later and not any(end.fault for end in self._ends) else 1

    def seals(self) -> tuple[Seal, ...]:
        """How far it is sealed, once its entries are read to the end."""
        return tuple(map(self._seal, self._ends))

    def _seal(self, end: _End) -> Seal:
        if end.tip is None:
            return Seal(f"{end.shard.year}", 0, 0, "", f"NOT GOOD: {end.fault}")
        tip = end.tip
        found = seal(
            tip.head.origin, tip.first, end.shard.keys(), tip.signed, end.shard.cosigned(), self._witnesses
        )
        found = found._replace(stamped=_stamped(end.shard))
        if self._read[tip.last] not in (b"", tip.leaf):  # b"": of a year that was not read
            return found._replace(signature=f"NOT GOOD: entry {tip.last} is another than what was signed")
        return found


def _end_of(shard: Shard) -> _End:
    try:
        return _End(shard, tip_of(shard))
    except (SealingRefused, DirectoryRefused, OSError) as error:
        named = str(error) if isinstance(error, SealingRefused) else type(error).__name__
        return _End(shard, None, named)


def _stamped(shard: Shard) -> int:
    """Entries below the newest time-stamp; the service has checked each when it came."""
    named = (path.stem for path in (shard.root / stamps.FOLDER).glob(f"*{stamps.SUFFIX}"))
    return max((int(name) for name in named if name.isascii() and name.isdigit()), default=0)


def _rows(table: Table, seq: int) -> Iterator[Row]:
    """In pieces, so that who appends does not wait."""
    while some := table.since(seq, _AT_ONCE):
        yield from some
        seq = some[-1].seq + 1


def _unavailable(error: sqlite3.Error) -> StoreUnavailable:
    return StoreUnavailable(f"the audit log cannot be read ({error.sqlite_errorname})")
