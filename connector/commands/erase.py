"""``connector erase``: destroy the keys of what must not be kept any longer."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.commands.operating import CONFIG, OPERATOR, Desk, at_desk, drafting
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.pipeline.ports import Entry
    from connector.store.erasing import Gone


@click.command(short_help="Destroy the keys of a record, a patient, or a partner's day.")
@CONFIG
@click.option("--patient", help="Messages of this patient: ID^^^AUTHORITY; - reads it from standard input.")
@click.option("--record", type=int, help="A received message by its number, with what was made of it.")
@click.option("--partner", help="A link, with --day: all that came from it on that day.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day, in UTC.")
@click.option("--even-waiting", is_flag=True, help="Also what is still to be delivered: it never will be.")
@click.option("--reason", required=True, help="Why, for the audit trail; nothing of a patient belongs there.")
@OPERATOR
def command(
    config: Path,
    patient: str | None,
    record: int | None,
    partner: str | None,
    day: dt.datetime | None,
    even_waiting: bool,
    reason: str,
    operator: str | None,
) -> None:
    """Destroy the data keys of messages, so that nobody can read them again; there is no way back.

    Numbers, times and states stay, and the audit log with them. Backups from before have the keys still:
    let them run out. What could not be read when it came (quarantine) is erased by its day only.
    """
    if [patient is not None, record is not None, partner is not None].count(True) != 1:
        raise ConfigurationError(
            "not one thing is named", fix="name --patient, --record, or --partner and --day"
        )
    if (partner is None) != (day is None):
        raise ConfigurationError("--partner and --day go together", fix="name both")
    if not reason.strip():
        raise ConfigurationError("no reason is given", fix="say why; the audit trail keeps it")
    more = {"even_waiting": even_waiting}

    async def erased(desk: Desk) -> Gone:
        draft = drafting(desk.person, reason.strip())
        if record is not None:
            return await desk.store.erase_record(record, draft, **more)
        if partner is not None and day is not None:
            desk.profile(partner)
            return await desk.store.erase_day(partner, day.date(), draft, **more)
        return await _patient(desk, patient or "", draft, even_waiting)

    gone = at_desk(config, erased, operator=operator)
    keys = f" and {gone.keys} keys of the day" if gone.keys else ""
    click.echo(f"{gone.records} messages{keys} erased")
    if not gone.log:
        click.echo("others read the store: its log holds traces until they end", err=True)


async def _patient(
    desk: Desk, patient: str, draft: Callable[[str, dict[str, Any]], Entry], even_waiting: bool
) -> Gone:
    from connector.pipeline import about
    from connector.pipeline.entries import whom
    from connector.store import Kind
    from connector.store.finding import normal

    text = sys.stdin.readline().strip() if patient == "-" else patient
    profiles = desk.configuration.profiles
    wanted = about.asked(Kind.MRN, text, [profile.mapping.authorities for profile in profiles])
    if not all(one.authority and one.value.strip() for one in wanted):
        fix = "write ID^^^AUTHORITY: others may have the same number"
        raise ConfigurationError("the authority of the number is not named", fix=fix)
    pseudonym = desk.store.pseudonym(Kind.MRN, normal(next(iter(wanted)).value))
    what = {"scope": "patient", "pseudonym": pseudonym, **whom(desk.store.patients(wanted))}
    return await desk.store.erase_about(wanted, draft, what, even_waiting=even_waiting)
