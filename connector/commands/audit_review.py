"""``connector audit review``: what happened in a period, for a person, and what is unusual in it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, TIME, Desk, at_desk, drafting, utc
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from audit.review import Report
    from connector.wiring.reviewing import AuditReader

SINCE: Final = click.option("--since", type=TIME, help="From this time on (UTC); all of the log if left out.")
UNTIL: Final = click.option("--until", type=TIME, help="Before this time (UTC).")


def out(*ends: str) -> Callable[[Any], Any]:
    """The option ``--out``, for files whose names end so."""

    def checked(context: click.Context, option: click.Parameter, given: tuple[Path, ...]) -> tuple[Path, ...]:
        if any(path.suffix not in ends for path in given):
            raise click.BadParameter(f"the name ends with one of {', '.join(ends)}")
        return given

    return click.option(
        "--out",
        multiple=True,
        type=click.Path(dir_okay=False, path_type=Path),
        callback=checked,
        help=f"Write it there, for its owner alone, as the name's end says: {', '.join(ends)}. May be given "
        "more than once. Left out: as text to standard output.",
    )


@click.command(short_help="What happened in a period, who saw what, and what is unusual.")
@CONFIG
@SINCE
@UNTIL
@click.option("--partner", default="", help="Entries about this link alone.")
@click.option("--hours", default="07:00-19:00", show_default=True, help="Working hours, Monday to Friday.")
@click.option("--zone", default="UTC", show_default=True, help="Their time zone, such as Europe/Vienna.")
@out(".html", ".txt")
@BECAUSE
@OPERATOR
def command(
    config: Path,
    since: dt.datetime | None,
    until: dt.datetime | None,
    partner: str,
    hours: str,
    zone: str,
    out: tuple[Path, ...],
    because: str,
    operator: str | None,
) -> None:
    """Tell what the audit log says of a period: who was not let in, who saw content and why, broken glass,
    unusual volumes, changes of keys and profiles, how the service ran, and how far all that is sealed.

    Each line names the entries behind it. The eight weeks before the period tell what is usual. That somebody
    reviews is an entry too, written before anything is shown.
    """
    from audit.review import Asked, Review, hours_of
    from audit.review.period import BEGINNING, END

    try:
        worked = hours_of(hours, zone)
    except ValueError as error:
        raise ConfigurationError(str(error), fix="see --hours and --zone") from None
    begin, end = utc(since) or BEGINNING, utc(until) or END

    def told(reader: AuditReader, facts: tuple[tuple[str, str], ...]) -> Report:
        asked = Asked(begin, end, partner, facts, worked)
        review = Review(asked)
        for entry in reader.entries(asked.history.year):
            review.see(entry)
        return review.report(reader.seals())

    async def looked(desk: Desk) -> Report:
        if partner:
            desk.ways(partner, None)
        what = {**asked_for(since, until), **({"link": partner} if partner else {})}
        return await after(desk, "audit:reviewed", what, because, told)

    put(at_desk(config, looked, operator=operator), out)


def asked_for(since: dt.datetime | None, until: dt.datetime | None) -> dict[str, str]:
    """The period, as fields of an entry."""
    from connector.pipeline.entries import instant

    named = {"since": utc(since), "until": utc(until)}
    return {name: instant(at) for name, at in named.items() if at is not None}


async def after(
    desk: Desk,
    tag: str,
    what: dict[str, Any],
    because: str,
    told: Callable[[AuditReader, tuple[tuple[str, str], ...]], Report],
) -> Report:
    """A report, once the log knows who reads it, and why. Raises ``ConfigurationError`` for no reason."""
    from connector.pipeline.operate import because_of
    from connector.wiring import now
    from connector.wiring.reviewing import AuditReader

    why = because_of(because)
    await desk.store.record([drafting(desk.person, why)(tag, what)])
    facts = (
        ("Made by", desk.person.name),
        ("Because", why),
        ("Made at", f"{now():%Y-%m-%d %H:%M:%S} UTC"),
    )
    reader = AuditReader.of(desk.configuration.settings)
    return await asyncio.to_thread(told, reader, facts)


def put(report: Report, out: tuple[Path, ...]) -> None:
    """Show a report, or write it."""
    from audit.review.command import FORMS
    from audit.review.files import write

    for path in out:
        write(path, FORMS[path.suffix](report))
        click.echo(f"{path} written")
    if not out:
        click.echo(FORMS[".txt"](report), nl=False)
