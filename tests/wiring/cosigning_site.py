"""A log on disk as the sealer leaves it, its witnesses on loopback with TLS, and who has them cosign."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

from audit import vocabulary, writing
from audit.checkpoint import Checkpoint
from audit.directory import Shard
from audit.notes import parse_key
from audit.primitives import check
from audit.signing import Opened, Signer, Trust, opened, sign
from audit.tiles import grown
from connector.edges.tls import TlsFiles, client_context
from connector.edges.witness_site import WitnessSite
from connector.pipeline.ports import Entry
from connector.profile.audit_witness import AuditWitness
from connector.wiring.cosigners import Cosigner
from connector.wiring.cosigning import Cosigning
from tests.audit import naive
from tests.audit.signers import AT, LOG, ORIGIN
from tests.audit.witness_site import LEAVES, Running
from tests.pki import SiteFiles


class Sealed:
    """A shard whose tiles and checkpoints are written anew for each size."""

    def __init__(self, folder: Path, year: int = 2026, signer: Signer = LOG) -> None:
        self.shard, self._signer = Shard(folder / f"{year}", year), signer
        self.origin = ORIGIN.replace("2026", f"{year}")
        writing.put(self.shard.root / "keys", f"{signer.key}\n".encode())

    def publish(self, size: int, leaves: Sequence[bytes] = LEAVES) -> bytes:
        for tile, content in grown(0, leaves[:size], lambda path: None):
            writing.put(self.shard.root / tile.path, content)
        signed = sign(Checkpoint(self.origin, size, naive.mth(leaves[:size])), [self._signer], AT)
        writing.put(self.shard.root / "checkpoint", signed)
        return signed

    def cosigned(self, *witnesses: Running, quorum: int) -> Opened | None:
        """What lies there, believed by somebody who asks for that many of these witnesses."""
        raw = self.shard.cosigned()
        keys = tuple(parse_key(one.vkey) for one in witnesses)
        return opened(raw, Trust(self.origin, (self._signer.key,), keys, quorum), check) if raw else None


class Asking:
    """The connector's side: ``entries`` it recorded, and its monotonic clock, ``at``."""

    def __init__(
        self,
        folder: Path,
        files: SiteFiles,
        witnesses: Sequence[Running],
        clock: dt.datetime | None = None,
        **chosen: object,
    ) -> None:
        self.at, self.entries, self.refuses = 1000.0, list[Entry](), 0
        self.wall = clock or dt.datetime.fromtimestamp(AT, dt.UTC)
        ask = [{"url": f"https://localhost:{one.port}", "keys": (one.vkey,)} for one in witnesses]
        said = {"ask": tuple(ask), "answer_seconds": 2.0, **chosen}
        self.chosen = AuditWitness.model_validate(said)
        self.cosigning = Cosigning(
            folder,
            self.chosen,
            [self._cosigner(one, files, self.chosen.answer_seconds) for one in witnesses],
            self._record,
            lambda: self.wall,
            lambda: self.at,
        )

    def tags(self) -> list[str]:
        return [one.tag for one in self.entries]

    async def settled(self) -> None:
        """A turn, and all that comes of it, and what there is to tell then."""
        await self.cosigning.turn()
        while self.cosigning.under_way:
            await self.cosigning.under_way[0]
        await self.cosigning.turn()

    async def until(self, seen: Callable[[], bool]) -> None:
        """What is on the disk tells nobody that it has changed."""
        while not seen():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def _record(self, entries: list[Entry]) -> None:
        if self.refuses:
            self.refuses -= 1
            raise OSError("the disk")
        for one in entries:
            vocabulary.check(one)
        self.entries += entries

    def _cosigner(self, one: Running, files: SiteFiles, seconds: float) -> Cosigner:
        site = self.site_of(f"https://localhost:{one.port}", files, seconds)
        return Cosigner(parse_key(one.vkey).name, (parse_key(one.vkey),), site)

    def asks_instead(self, number: int, url: str, files: SiteFiles, seconds: float = 5.0) -> None:
        """One of the witnesses is to be found elsewhere."""
        self.cosigning._witnesses[number]._site = self.site_of(url, files, seconds)

    @staticmethod
    def site_of(url: str, files: SiteFiles, seconds: float = 2.0) -> WitnessSite:
        return WitnessSite(url, client_context(TlsFiles(files.certificate, files.key, files.trust)), seconds)
