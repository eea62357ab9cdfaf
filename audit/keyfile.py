"""The private keys that sign checkpoints: one file, which only its owner may read.

Two lines, the name of an algorithm and 32 bytes in base 64 each: ``ed25519`` and ``ml-dsa-44``. Both are made
together, so that the second can be taken into use later.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from audit.notes import Kind, NoteRefused, decoded, encoded
from audit.primitives import SEED, signer
from audit.refusals import KeyRefused
from audit.signing import Signer
from audit.writing import made_folder, private, put

_KINDS: Final = {"ed25519": Kind.ED25519, "ml-dsa-44": Kind.ML_DSA_44}


class SigningKey(NamedTuple):
    """Where the keys lie, and whether ML-DSA-44 signs beside Ed25519."""

    path: Path
    ml_dsa: bool = False

    def make(self) -> None:
        """New keys, where there is no such file yet. Raises OSError."""
        if self.path.exists():
            return
        made_folder(self.path.parent)
        lines = [f"{name} {encoded(os.urandom(SEED))}\n" for name in _KINDS]
        put(self.path, "".join(lines).encode("ascii"))

    def signers(self, origin: str) -> list[Signer]:
        """Who signs the checkpoints of a shard. Raises ``KeyRefused``, also where others may read it."""
        seeds = self._seeds()
        kinds = (Kind.ED25519, Kind.ML_DSA_44) if self.ml_dsa else (Kind.ED25519,)
        try:
            return [signer(origin, kind, seeds[kind]) for kind in kinds]
        except (KeyError, ValueError):
            raise KeyRefused(f"{self.path}: it has no key for that") from None

    def _seeds(self) -> dict[Kind, bytes]:
        try:
            if not private(self.path):
                raise KeyRefused(f"{self.path}: others may read it")
            lines = self.path.read_text(encoding="ascii").splitlines()
            return {_KINDS[name]: decoded(seed) for name, seed in (line.split(" ") for line in lines)}
        except OSError as error:
            raise KeyRefused(f"{self.path}: it cannot be read ({type(error).__name__})") from None
        except (ValueError, KeyError, NoteRefused):
            raise KeyRefused(f"{self.path}: no file of signing keys") from None
