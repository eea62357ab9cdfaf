"""Where a resource that was rearranged for v2 stood in what was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Aside:
    """``inside``: the resource it stood in, empty for one of its own; ``path``: where in that.

    ``elements``: those it had there, and their names there; empty: all, under their own. ``silent``: those
    that are said elsewhere. ``lost``: those that were left out, since they would keep it from being said.
    """

    inside: str = ""
    path: str = ""
    elements: Mapping[str, str] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()
    lost: tuple[str, ...] = ()
