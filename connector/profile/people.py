"""Who the people are that operate the service: the tables ``[people]`` and ``[break_glass]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from connector.profile.roles import Role
from connector.profile.section import Form, Found, Section, Table, faults

UserName = Annotated[str, Form(r"[!-~]{1,100}", "the name of a user of this machine")]


def _may_something(users: Table[str, tuple[Role, ...]]) -> Table[str, tuple[Role, ...]]:
    idle = [user for user, roles in users.items() if not roles]
    if idle:
        raise faults(Found("this user may do nothing", "give a role, or leave out", (one,)) for one in idle)
    return users


People = Annotated[Table[UserName, tuple[Role, ...]], AfterValidator(_may_something)]


class BreakGlass(Section):
    """Who may break the glass in an emergency: see content, act and edit, though the role does not grant it,
    for a time and a reason. Without this table nobody may."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    """The roles whose people may, of `[people]` as of `[login]`."""
    minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 60
    """How long it lasts at most."""
