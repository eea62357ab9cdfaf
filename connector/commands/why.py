"""``connector queue why``: what was found beside the running service, and what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from connector.commands.operating import Desk, at_desk

if TYPE_CHECKING:
    from connector.pipeline.findings import Finding


def told(config: Path, link: str | None, target: str | None) -> list[Finding]:
    """What was found for the links and directions that are meant; at least one finding."""
    from connector import wiring
    from connector.commands.health import facts
    from connector.pipeline.findings import look

    async def looked(desk: Desk) -> list[Finding]:
        known = facts(desk.configuration.settings)
        return await look(desk.store, desk.ways(link, target), known, wiring.now())

    return at_desk(config, looked, read_only=True)


def plain(one: Finding) -> str:
    """What keeps messages back, and below it what helps."""
    return f"{one.text}\n  {one.helps}" if one.helps else one.text
