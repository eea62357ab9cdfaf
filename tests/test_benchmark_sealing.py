"""The measuring of the sealing runs, and what it measures is all under a checkpoint."""

from __future__ import annotations

from benchmarks import sealing
from benchmarks.auditing import BATCH, draft


def test_the_sealing_is_measured() -> None:
    drafts = [draft(n) for n in range(BATCH)]
    with sealing._log() as log:
        row = sealing._beside(log, drafts, 5 * BATCH, "Ed25519")
        assert log.sealer.last == 5 * BATCH
    assert (row.target, row.met is None) == ("20,000 /s", False)
    with sealing._log() as log:
        each, _ = sealing._each(log, drafts, 3 * BATCH)
    assert each.ratio.startswith("3 checkpoints")
    assert sealing._cost(drafts) > 0
