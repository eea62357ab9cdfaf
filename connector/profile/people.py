"""Who the people are that operate the service: the table ``[people]`` of its settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from connector.profile.roles import Role
from connector.profile.section import Form, Found, Table, faults

UserName = Annotated[str, Form(r"[!-~]{1,100}", "the name of a user of this machine")]


def _may_something(users: Table[str, tuple[Role, ...]]) -> Table[str, tuple[Role, ...]]:
    idle = [user for user, roles in users.items() if not roles]
    if idle:
        raise faults(Found("this user may do nothing", "give a role, or leave out", (one,)) for one in idle)
    return users


People = Annotated[Table[UserName, tuple[Role, ...]], AfterValidator(_may_something)]
