"""How far the audit log is vouched for, as it lies on the disk: for whoever looks beside the service."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from audit import cosigning, directory, stamps
from audit.checkpoint import CheckpointRefused
from audit.cosigning import Standing
from audit.directory import Shard
from audit.notes import NoteRefused
from connector.profile.audit import Audit
from connector.profile.audit_stamp import AuditStamp
from connector.profile.audit_witness import AuditWitness
from connector.wiring.vouching import keys_of


def standing(chosen: Audit, folder: Path, now: dt.datetime) -> dict[str, Any]:
    """``witnesses`` and ``stamps``: of the newest shard, each None where the settings name none.

    ``behind``: entries that are under no checkpoint with enough cosignatures, or with a stamp; ``late``: and
    that for too long. Raises ``DirectoryRefused``, ``ConfigurationError``, ``OSError``.
    """
    found = [shard for shard in directory.shards(folder) if shard.checkpoint()]
    newest = found[-1] if found else None
    return {
        "witnesses": _witnesses(chosen.witness, newest, now) if chosen.witness else None,
        "stamps": _stamps(chosen.stamp, newest, now) if chosen.stamp else None,
    }


def _witnesses(chosen: AuditWitness, shard: Shard | None, now: dt.datetime) -> dict[str, Any]:
    size, times, cosigned = 0, dict[str, int](), shard.cosigned() if shard else None
    if shard and cosigned:
        trusted = {one.name: keys_of(one) for one in chosen.ask}
        try:
            times = cosigning.heard(cosigned, shard.origin, shard.keys(), trusted)
            size = Standing.of(cosigned).head.size
        except (NoteRefused, CheckpointRefused):
            times = {}
    enough = sorted(times.values(), reverse=True)[: chosen.required]
    at = enough[-1] if len(enough) == chosen.required else None
    by = {one.name: _instant(times.get(one.name)) for one in chosen.ask}
    return {**_since(shard, size if at else 0, at, now, chosen.silent_after_seconds), "by": by}


def _stamps(chosen: AuditStamp, shard: Shard | None, now: dt.datetime) -> dict[str, Any]:
    """Those that the service has checked when they came; here only how new they are."""
    made = list((shard.root / stamps.FOLDER).glob(f"[0-9]*{stamps.SUFFIX}")) if shard else []
    newest = max(made, key=lambda path: int(path.stem), default=None)
    if newest is None:
        return _since(shard, 0, None, now, chosen.silent_after_seconds)
    at = int(newest.stat().st_mtime)
    return _since(shard, int(newest.stem), at, now, chosen.silent_after_seconds)


def _since(
    shard: Shard | None, size: int, at: int | None, now: dt.datetime, patience: float
) -> dict[str, Any]:
    raw = shard.checkpoint() if shard else None
    behind = Standing.of(raw).head.size - size if raw else 0
    seconds = None if at is None else max(round(now.timestamp() - at), 0)
    late = behind > 0 and (seconds is None or seconds > patience)
    return {"entries": size, "at": _instant(at), "seconds": seconds, "behind": behind, "late": late}


def _instant(at: int | None) -> str:
    return f"{dt.datetime.fromtimestamp(at, dt.UTC):%Y-%m-%dT%H:%M:%SZ}" if at else ""
