"""The audit log by itself: written with its tree and signed heads, and verified again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Final

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from audit import AuditLog, Draft, Tag, merkle, proofs, tiles
from audit.checkpoint import Checkpoint
from audit.merkle import Frontier
from audit.notes import Kind
from audit.primitives import check, signer
from audit.proofs import TlogProof
from audit.signing import Signer, Trust, opened, sign
from audit.tiles import TileNodes
from audit.verify import verify
from benchmarks.report import Row, Say

BATCH: Final = 100
QUICK: Final = 5_000  # entries
APPEND: Final = 20_000  # entries a second, with tree and checkpoint
VERIFY: Final = 50_000
ORIGIN: Final = "bench.example/2026"
_SINCE: Final = "SELECT entry, hash FROM audit_entry WHERE seq > ? ORDER BY seq"


def run(say: Say, *, quick: bool = False) -> list[Row]:
    """The rows of this part."""
    say("audit: the log, its tree and its proofs")
    count = QUICK if quick else 50_000
    rows = []
    for named, kinds in (("Ed25519", (Kind.ED25519,)), ("and ML-DSA-44", (Kind.ED25519, Kind.ML_DSA_44))):
        with tempfile.TemporaryDirectory(prefix="connector-bench-") as folder:
            log = _Log(Path(folder), [signer(ORIGIN, kind, bytes([kind] * 32)) for kind in kinds])
            taken = _timed(lambda log=log: log.fill(count))  # type: ignore[misc]
            what = f"entries appended, {BATCH} a commit, with tiles and checkpoint ({named})"
            rows.append(_rate(what, count, taken, APPEND))
            rows += [] if len(kinds) > 1 else _verifying(log, count)
    return rows


class _Log:
    """A log in an SQLite file; tiles and bundles in memory, since their files belong to whoever seals."""

    def __init__(self, folder: Path, signers: list[Signer]) -> None:
        self.path, self.signers, self.log = folder / "log.db", signers, AuditLog()
        self.tree, self.files, self.head = Frontier(), dict[str, bytes](), b""

    def fill(self, count: int) -> None:
        """Append ``count`` entries, each batch in a transaction, sealed behind it."""
        engine = create_engine(f"sqlite:///{self.path}", isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.exec_driver_sql("PRAGMA synchronous=FULL")
            self.log.install(connection)
            for start in range(0, count, BATCH):
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                self.log.append(connection, [draft(n) for n in range(start, start + BATCH)])
                connection.exec_driver_sql("COMMIT")
                self._seal(connection)

    def _seal(self, connection: Connection) -> None:
        size = self.tree.size
        new = connection.exec_driver_sql(_SINCE, (size,)).all()
        leaves = [bytes(row[1]) for row in new]
        for tile, content in tiles.grown(size, leaves, self.files.get):
            self.files[tile.path] = content
        for tile, content in tiles.bundled(size, [str(row[0]).encode() for row in new], self.files.get):
            self.files[tile.path] = content
        self.tree.extend(leaves)
        self.head = sign(Checkpoint(ORIGIN, self.tree.size, self.tree.root()), self.signers, 1_795_000_000)


def _verifying(log: _Log, count: int) -> list[Row]:
    trust = Trust(ORIGIN, tuple(one.key for one in log.signers))
    nodes = TileNodes(count, log.files.get)
    entries = [
        entry for tile in tiles.tiles_of(count, None) for entry in tiles.read_entries(tile, log.files.get)
    ]
    made: list[bytes] = []

    def make() -> None:
        for index in range(count):
            path = merkle.inclusion(index, count, nodes)
            made.append(TlogProof(index, tuple(path), log.head).written())

    def whole() -> None:
        head = opened(log.head, trust, check).checkpoint
        leaves = [
            leaf
            for tile in tiles.tiles_of(head.size, None)
            for leaf in map(merkle.leaf_hash, tiles.read_entries(tile, log.files.get))
        ]
        assert merkle.root_of(leaves) == head.root

    def chain() -> None:
        report = verify(log.path)
        assert report.good
        assert report.entries == count

    def single() -> None:
        head = opened(log.head, trust, check).checkpoint
        for proof, entry in zip(made, entries):
            proofs.included(proofs.parse(proof), entry, head)

    return [
        _rate("entries verified: a whole range against its checkpoint", count, _timed(whole), VERIFY),
        _rate(
            "entries verified: each of a store (chain and form)",
            count,
            _timed(chain),
            VERIFY,
        ),
        _rate("proofs of single entries made, as files", count, _timed(make)),
        _rate("proofs of single entries checked, one checkpoint", count, _timed(single)),
    ]


def _timed(act: Callable[[], object]) -> float:
    start = perf_counter()
    act()
    return perf_counter() - start


def _rate(what: str, count: int, taken: float, target: int = 0) -> Row:
    rate = count / taken
    asked = f"{target:,} /s" if target else ""
    return Row("audit", what, f"{rate:,.0f} /s", "", asked, rate >= target if target else None)


def draft(number: int) -> Draft:
    """A message that was taken."""
    target = {
        "link": "bench",
        "direction": "to_fhir",
        "message": "ADT^A01",
        "size": number,
        "patient": ["9f3c51d2a8e04b76"],
        "content": "5a" * 32,
    }
    return Draft(
        "2026-11-23T10:00:00.000Z",
        Tag.MESSAGE_V2_RECEIVED,
        {
            "role": "partner",
            "certificate": f"sha256:{'ab' * 32}",
            "subject": "CN=ward",
            "address": "10.0.0.5:41022",
        },
        target,
        correlation=f"c{number}",
    )
