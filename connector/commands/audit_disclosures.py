"""``connector audit disclosures``: to whom what about one patient went, when and why (45 CFR 164.528)."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from connector.commands.audit_review import SINCE, UNTIL, after, asked_for, out, put
from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, Desk, at_desk, utc
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from audit.review import Report
    from connector.wiring.reviewing import AuditReader


@click.command(short_help="To whom what about one patient went, when and why; and who looked.")
@CONFIG
@click.option(
    "--patient",
    default="-",
    help="The medical record number, as ID or ID^^^AUTHORITY. Left out, or -: asked for on a terminal, where "
    "it is not shown, else read from standard input, so that no list of commands keeps it.",
)
@click.option("--assigner", help="Who gave the number, as in CX-4 or as the URI that FHIR has for it.")
@click.option("--no-assigner", is_flag=True, help="Entries in which the number has no assigner.")
@SINCE
@UNTIL
@out(".html", ".txt", ".csv")
@BECAUSE
@OPERATOR
def command(
    config: Path,
    patient: str,
    assigner: str | None,
    no_assigner: bool,
    since: dt.datetime | None,
    until: dt.datetime | None,
    out: tuple[Path, ...],
    because: str,
    operator: str | None,
) -> None:
    """List the deliveries about one patient: when, to whom, what, and for what purpose; and, apart, who
    looked at the patient inside. The page says what is counted and what is not.

    The patient stands in it as in the audit log, by a pseudonym. That somebody asked is an entry too, written
    before anything is shown. The purpose is what the profile of a link says.
    """
    number = _number(patient)

    async def looked(desk: Desk) -> Report:
        whom = _whom(desk, number, assigner, no_assigner)
        what = {"patient": sorted(whom.pseudonyms), **asked_for(since, until)}
        purposes, places = _purposes(desk), _places(desk)

        def told(reader: AuditReader, facts: tuple[tuple[str, str], ...]) -> Report:
            from audit.review.disclosures import Accounting, Patient
            from audit.review.period import BEGINNING, END

            asked = Patient(
                whom.pseudonyms,
                whom.searched,
                utc(since) or BEGINNING,
                utc(until) or END,
                purposes=purposes,
                places=places,
                bare=whom.bare,
                facts=facts,
            )
            accounting = Accounting(asked)
            for entry in reader.entries():
                accounting.see(entry)
            return accounting.report(reader.seals())

        return await after(desk, "audit:disclosures:listed", what, because, told)

    put(at_desk(config, looked, operator=operator), out)


class _Whom(NamedTuple):
    """The pseudonyms of a patient: by number and assigner, as it is searched for, and by the number alone."""

    pseudonyms: frozenset[str]
    searched: frozenset[str]
    bare: frozenset[str]


def _number(said: str) -> str:
    if said != "-":
        return said.strip()
    if _on_a_terminal():
        return str(click.prompt("Patient", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip()


def _on_a_terminal() -> bool:
    return sys.stdin.isatty()


def _whom(desk: Desk, number: str, assigner: str | None, no_assigner: bool) -> _Whom:
    from connector.pipeline import about
    from connector.store import Kind
    from connector.store.finding import normal

    text = f"{number.partition('^')[0]}^^^{assigner}" if assigner else number
    authorities = [profile.mapping.authorities for profile in desk.configuration.profiles]
    wanted = about.asked(Kind.MRN, text, authorities)
    named = all(one.authority for one in wanted)
    if not all(one.value.strip() for one in wanted):
        raise ConfigurationError("no patient is named", fix="give the medical record number")
    if named == no_assigner:
        fix = "name --assigner, or --no-assigner for entries without one: others may have the same number"
        raise ConfigurationError("it is not clear who gave the number", fix=fix)
    alone = desk.store.pseudonym(Kind.MRN, normal(next(iter(wanted)).value))
    pseudonyms = frozenset(desk.store.patients(wanted))
    return _Whom(pseudonyms, frozenset({alone}), frozenset({alone}) - pseudonyms)


def _purposes(desk: Desk) -> Mapping[str, str]:
    return {one.name: one.purpose for one in desk.configuration.profiles if one.purpose}


def _places(desk: Desk) -> Mapping[tuple[str, str], str]:
    places = {}
    for one in desk.configuration.profiles:
        if one.fhir.base:
            places[one.name, "fhir"] = one.fhir.base
        if one.v2.receiver is not None:
            places[one.name, "v2"] = f"{one.v2.receiver.host}:{one.v2.receiver.port}"
    return places
