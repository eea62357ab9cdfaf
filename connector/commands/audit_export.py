"""``connector audit export``: part of the audit log, for somebody who is to check it without us."""

from __future__ import annotations

import datetime as dt
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, TIME, Desk, at_desk, utc

if TYPE_CHECKING:
    from audit.saving import Saved


@click.command(short_help="Take part of the log away, in one file that others can check.")
@CONFIG
@click.option("--from", "since", type=TIME, help="From when on, UTC; left out: from the beginning.")
@click.option("--to", "until", type=TIME, help="Until before when, UTC; left out: until now.")
@click.option("--partner", help="A filter: one link, by the name in its profile.")
@click.option(
    "--patient",
    help="A filter: what is about one patient, as ID^^^AUTHORITY, and all that hangs together with it. -: "
    "read from standard input, so that no list of commands keeps it.",
)
@click.option("--tag", help="A filter: a tag, or its first parts, such as delivery:fhir.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A new file, FILE.zip."
)
@BECAUSE
@OPERATOR
def command(
    config: Path,
    since: dt.datetime | None,
    until: dt.datetime | None,
    partner: str | None,
    patient: str | None,
    tag: str | None,
    out: Path,
    because: str,
    operator: str | None,
) -> None:
    """Write the entries of a time to FILE.zip, with all that is needed to check them elsewhere: the signed
    heads of the log, a proof for each entry, and verify.py, which needs Python alone.

    Without a filter the file proves that nothing of that time is missing. With --partner, --patient or --tag
    it proves each entry that it has, and cannot prove that it has all. The log knows of it before a byte is
    written. Works beside the running service.
    """
    number = sys.stdin.readline().strip() if patient == "-" else patient

    async def exported(desk: Desk) -> Saved:
        from connector.pipeline.exporting import Wanted, pseudonyms
        from connector.pipeline.operate import because_of
        from connector.wiring import now
        from connector.wiring.auditing import Kept
        from connector.wiring.exporting import ExportsOf
        from connector.wiring.vouching import shown

        authorities = [profile.mapping.authorities for profile in desk.configuration.profiles]
        patients = pseudonyms(desk.store, number, authorities) if number is not None else ()
        why = because_of(because)
        wanted = Wanted(desk.person.actor, why, utc(since), utc(until), partner, patients, tag)
        cosigned = partial(shown, desk.configuration, desk.store, now)
        exports = ExportsOf(desk.store, Kept.of(desk.configuration.settings), now, cosigned)
        return await exports.save(wanted, out)

    saved = at_desk(config, exported, operator=operator)
    click.echo(f"{out}: {saved.size} bytes, SHA-256 {saved.sha256}")
