"""What the operators' API looks at and acts on, and one request to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from connector.edges.operator_entrance import Asking
from connector.errors import NothingThere
from connector.pipeline import asking
from connector.pipeline.emergency import Glass, Who
from connector.pipeline.exporting import Exports
from connector.pipeline.operate import Operator
from connector.pipeline.ports import Clock
from connector.profile import Profile
from connector.profile.people import BreakGlass
from connector.store import Clash, Listed, Made, Store

Json = dict[str, Any]
Found = TypeVar("Found")
Known = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Desk:
    """What operators look at. ``parts``, ``conditions``: of the running service, by the name of the lane."""

    store: Store
    profiles: Sequence[Profile]
    clock: Clock
    parts: Known
    conditions: Known
    break_glass: BreakGlass | None = None
    exports: Exports | None = None  # of the audit log, where one is sealed here

    @property
    def glass(self) -> Glass:
        """That people break in an emergency."""
        return Glass(self.store, self.clock, self.break_glass)

    def ways(self, link: str | None, target: str | None) -> list[asking.Way]:
        """The links and directions that are meant. Raises ``NothingThere`` where there are none."""
        found = asking.ways(self.profiles, link, target)
        if not found:
            names = ", ".join(profile.name for profile in self.profiles)
            raise NothingThere("there is no such link or direction", fix=f"the links: {names}")
        return found

    def links(self, link: str | None) -> list[str]:
        """The links that are meant. Raises ``NothingThere``."""
        return list(dict.fromkeys(name for name, _ in self.ways(link, None)))

    def charset(self, link: str) -> str | None:
        """Of v2 whose MSH-18 is silent. Raises ``NothingThere`` for a link that is configured no more."""
        for profile in self.profiles:
            if profile.name == link:
                return profile.v2.charset or None
        raise NothingThere("the link of the message is configured no more", fix="add its profile")

    async def message(self, number: int) -> Listed:
        """A received message. Raises ``NothingThere``."""
        return _there(await self.store.taken(number), "message")

    async def delivery(self, number: int) -> Made:
        """A made message. Raises ``NothingThere``."""
        return _there(await self.store.made(number), "delivery")

    async def conflict(self, number: int) -> Clash:
        """A conflict. Raises ``NothingThere``."""
        return _there(await self.store.one_clash(number), "conflict")


class Asked(NamedTuple):
    """One request of somebody who may: the number in the address (or 0), what is asked, and who acts."""

    number: int
    what: Any  # of the form that the route takes
    by: Callable[[str], Operator]  # with a reason
    asking: Asking
    who: Who


def _there(found: Found | None, kind: str) -> Found:
    if found is None:
        raise NothingThere(f"there is no {kind} of this number", fix="list them first", location="http.url")
    return found
