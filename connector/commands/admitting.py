"""Who runs a command, and whether that person may: the table ``[people]`` of the settings.

The person is the user of the operating system. Under sudo that is who called it: ``SUDO_UID`` is believed of
root and of the account that owns the store, which could read everything without us, and of nobody else.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import pwd
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from connector.errors import ConfigurationError, ConnectorError, Forbidden
from connector.profile.roles import EMERGENCY, Permission, Role, granted, who_has

if TYPE_CHECKING:
    from connector.pipeline.emergency import Who
    from connector.settings import Settings

# Every command that touches the store or shows the configuration; an option that asks for more, behind it.
PERMISSIONS: Final[Mapping[str, Permission]] = MappingProxyType(
    {
        "take": "operator:edit",
        "config show": "configuration:read",
        "status": "operator:read",
        "queue list": "operator:read",
        "queue why": "operator:read",
        "queue show": "operator:read",
        "queue show --content": "operator:content",
        "queue find": "operator:read",
        "queue find --mrn": "operator:content",
        "queue find --account": "operator:content",
        "queue find --accession": "operator:content",
        "queue find --control-id": "operator:content",
        "replay": "operator:act",
        "edit": "operator:edit",
        "skip": "operator:act",
        "break-glass": "operator:read",
        "conflicts list": "operator:read",
        "conflicts show": "operator:content",
        "conflicts take": "operator:act",
        "keys status": "keys:manage",
        "keys rotate": "keys:manage",
        "keys rewrap": "keys:manage",
        "keys verify": "keys:manage",
        "erase": "keys:manage",
        "pause": "operator:act",
        "resume": "operator:act",
        "drain": "operator:act",
        "backup": "store:backup",
        "audit status": "audit:read",
        "audit dispose": "keys:manage",
        "audit fsck": "audit:read",
        "audit compare": "audit:read",
        "audit review": "audit:read",
        "audit disclosures": "audit:read",
        "audit export": "audit:export",
        "restore": "store:backup",
        "authorization keys": "access:read",
        "tls refused": "operator:read",
        "tls check": "operator:read",
        "tls probe": "operator:read",
        "authorization rotate": "keys:manage",
    }
)
NAME: Final = 200  # characters of a name; it stands in the audit trail
UNASKED: Final = frozenset({"serve", "health"})  # the system runs them; they show nothing of a message


class Person(NamedTuple):
    """Who runs a command; ``emergency``: may do so only since the glass is broken."""

    name: str
    roles: tuple[Role, ...] = ()
    emergency: bool = False

    @property
    def known_by(self) -> dict[str, Any]:
        """What else the audit trail is told."""
        return {"realm": "machine", **({"emergency": True} if self.emergency else {})}

    @property
    def actor(self) -> dict[str, Any]:
        """For the audit trail."""
        return {"role": "operator", "name": self.name, **self.known_by}

    @property
    def who(self) -> Who:
        """Of this machine."""
        from connector.pipeline.emergency import Who

        return Who("machine", self.name, self.roles, self.known_by)


def admit(chosen: Settings, operator: str | None, option: str = "") -> Person:
    """Who runs this command, with ``option`` where that asks for more; ``operator``: what ``--as`` says.

    Where nobody is named in the settings, everybody may, under any name. Raises ``Forbidden`` after the audit
    log, as far as there is one to be written, heard of it.
    """
    if operator is not None and not (operator.strip() and operator.isprintable() and len(operator) <= NAME):
        raise ConfigurationError("--as is no name", fix=f"write one of at most {NAME} characters")
    if chosen.people is None:
        return Person(operator or getpass.getuser())
    command, name = " ".join(filter(None, (_running(), option))), ""
    try:
        name = user(chosen.store)
        return _admitted(chosen, Person(name, chosen.people.get(name, ())), operator, command)
    except Forbidden as error:
        refusal = error
    _tell(chosen, name, command, refusal)
    raise refusal


def _admitted(chosen: Settings, person: Person, operator: str | None, command: str) -> Person:
    if operator not in (None, person.name):
        raise Forbidden("--as names somebody else", fix="leave it out: the user is known")
    needs = PERMISSIONS.get(command)
    if needs is None:
        raise Forbidden("it is not known who may use this command", fix="it needs a row in PERMISSIONS")
    if needs in granted(person.roles):
        return person
    if needs in EMERGENCY and _in_emergency(chosen, person):
        return person._replace(emergency=True)
    raise Forbidden(f"this needs {needs}", fix=f"ask for one of the roles {', '.join(who_has(needs))}")


def _in_emergency(chosen: Settings, person: Person) -> bool:
    from connector import wiring
    from connector.pipeline.emergency import Glass

    async def looked() -> bool:
        store = wiring.open_store(chosen, read_only=True)
        try:
            return await Glass(store, wiring.now, chosen.break_glass).lasts(person.who) is not None
        finally:
            await store.close()

    if chosen.break_glass is None or not chosen.store.is_file():
        return False
    with suppress(ConnectorError):  # where nobody can say that it lasts, it does not
        return asyncio.run(looked())
    return False


def _running() -> str:
    """``queue show``: the command as it was called."""
    context, names = click.get_current_context(silent=True), []
    while context is not None and context.parent is not None:
        names.append(str(context.info_name))
        context = context.parent
    return " ".join(reversed(names))


def user(store: Path) -> str:
    """The name of the user. Raises ``Forbidden`` for one that this machine does not know."""
    uid, said = os.getuid(), os.environ.get("SUDO_UID")
    if said is not None and uid in (0, _owner(store)):
        if not re.fullmatch(r"[0-9]{1,10}", said, re.ASCII):
            raise Forbidden("SUDO_UID is no number of a user", fix="call the command with sudo")
        uid = int(said)
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        raise Forbidden("the user has no name on this machine", fix="use an account that has one") from None


def _owner(store: Path) -> int:
    try:
        return (store if store.exists() else store.parent).stat().st_uid
    except OSError:
        return 0


def _tell(chosen: Settings, name: str, command: str, error: Forbidden) -> None:
    from connector import wiring
    from connector.pipeline.entries import instant, reason
    from connector.pipeline.ports import Entry

    what = {"operation": f"connector {command}"}
    at = instant(wiring.now())
    entry = Entry(at, "operator:request:refused", Person(name).actor, what, "refused", reason(error), "")

    async def told() -> None:
        store = wiring.open_store(chosen)
        try:
            await store.record([entry])
        finally:
            await store.close()

    if chosen.store.is_file():
        with suppress(ConnectorError):  # it is refused all the same
            asyncio.run(told())
