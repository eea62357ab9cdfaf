"""What the commands for operators share: who asks and why, the store, and finding what a number means."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

import click

from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from connector.commands.admitting import Person
    from connector.pipeline.operate import Operator
    from connector.pipeline.ports import Entry
    from connector.profile import Profile
    from connector.settings import Configuration
    from connector.store import Direction, Listed, Made, Store

Kind = Literal["message", "delivery"]
Found = TypeVar("Found")

CONFIG: Final = click.option(
    "--config",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The service's settings, connector.toml.",
)
LINK: Final = click.option("--link", help="The link, by the name in its profile.")
TO: Final = click.option(
    "--to",
    "target",
    type=click.Choice(["fhir", "v2", "answer"]),
    help="Its direction; answer: what v2 senders are told after processing.",
)
BECAUSE: Final = click.option(
    "--because", required=True, help="Why, for the audit trail; nothing of a patient belongs there."
)
OPERATOR: Final = click.option(
    "--as", "operator", help="Who does it, for the audit trail; the user's name if left out."
)
TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


class Desk(NamedTuple):
    """The store of a service and its configuration, open for one command of one person."""

    store: Store
    configuration: Configuration
    person: Person

    def ways(self, link: str | None, target: str | None) -> list[tuple[str, Direction]]:
        """The links and directions that are meant; all of them where none is named."""
        from connector.pipeline import asking

        names = [profile.name for profile in self.configuration.profiles]
        if link is not None and link not in names:
            raise ConfigurationError("there is no such link", fix=f"one of {', '.join(names)}")
        return asking.ways(self.configuration.profiles, link, target)

    def direction(self, link: str, target: str | None) -> Direction | None:
        """The one direction of a link that is meant; None: all of the link."""
        ways = self.ways(link, target)
        return ways[0][1] if target else None

    def profile(self, link: str) -> Profile:
        """The profile of a link."""
        for profile in self.configuration.profiles:
            if profile.name == link:
                return profile
        raise ConfigurationError("the link of the message is configured no more", fix="add its profile")

    async def one(self, kind: Kind, number: int) -> Listed | Made:
        """The message of a number. Raises ``ConfigurationError`` where there is none."""
        store = self.store
        found = await (store.taken(number) if kind == "message" else store.made(number))
        if found is None:
            raise ConfigurationError(f"there is no {kind} {number}", fix='see "connector queue find"')
        return found

    def by(self, because: str) -> Operator:
        """The person, who acts."""
        from connector import wiring
        from connector.pipeline.operate import Operator

        return Operator(self.store, wiring.now, self.person.name, because, self.person.known_by)


def at_desk(
    config: Path,
    work: Callable[[Desk], Awaitable[Found]],
    *,
    operator: str | None = None,
    option: str = "",
    read_only: bool = False,
) -> Found:
    """Do ``work`` beside the running service, which takes up what changed within seconds.

    ``operator``: what ``--as`` says; ``option``: the one of the command that asks for more than it does
    without. Raises ``Forbidden`` where the person may not.
    """
    from connector import settings, wiring
    from connector.commands.admitting import admit

    configuration = settings.load(config)
    person = admit(configuration.settings, operator, option)

    async def worked() -> Found:
        store = wiring.open_store(configuration.settings, read_only=read_only)
        try:
            return await work(Desk(store, configuration, person))
        finally:
            await store.close()

    return asyncio.run(worked())


def drafting(person: Person, because: str) -> Callable[[str, dict[str, Any]], Entry]:
    """Makes audit entries of what a person does to the store as a whole, out of tag and object.

    ``because``: "" where no reason is asked for. Raises ``ConfigurationError`` for one that is too long.
    """
    from connector import wiring
    from connector.pipeline.entries import instant
    from connector.pipeline.operate import because_of
    from connector.pipeline.ports import Entry

    why = {"because": because_of(because)} if because else {}
    return lambda tag, what: Entry(
        instant(wiring.now()), tag, person.actor, {**what, **why}, "success", "", ""
    )


def table(head: list[str], rows: list[list[Any]]) -> str:
    """Columns with spaces between them."""
    cells = [head, *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def utc(at: dt.datetime | None) -> dt.datetime | None:
    """What was given without a zone is meant in UTC, as everything is shown."""
    return at.replace(tzinfo=dt.UTC) if at is not None else None
