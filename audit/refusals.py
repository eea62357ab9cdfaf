"""Why a log is not sealed, or not opened. Every text says where, and holds nothing of an entry."""

from __future__ import annotations


class SealingRefused(Exception):
    """Something is not as it was signed: nothing more is signed until a person has looked at it."""


class TableShorter(SealingRefused):
    """Entries that a checkpoint counts are not in the table: they are to be put back first."""


class Forked(SealingRefused):
    """The table says otherwise than what was signed, at an entry that both have."""


class ChainBroken(SealingRefused):
    """An entry in the table does not follow the one before it, or its hash is not its own."""


class TilesChanged(SealingRefused):
    """The tiles, bundles or the checkpoint on the disk are not those that were written."""


class KeyRefused(SealingRefused):
    """The signing key is missing, open to others, or not the one that signed so far."""


class OtherSite(SealingRefused):
    """The directory belongs to the log of another site."""


class DirectoryLost(SealingRefused):
    """The table says that it was sealed, and the directory knows nothing of that."""
