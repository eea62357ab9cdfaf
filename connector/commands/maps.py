"""``connector maps``: the ledger of what each field becomes and what comes back, and the accounting."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from connector.mapping.ledger import Arrow, Line

Form = Literal["markdown", "csv", "conceptmap"]
ROWS: Final = Path(__file__).resolve().parents[2] / "compliance" / "ig-rows.csv"
_FATES: Final = ("done", "done otherwise", "not done")
_HEAD: Final = "<!-- written by connector maps --out compliance/maps -->\n"


@click.command(short_help="Print what each v2 field becomes in FHIR, and what comes back.")
@click.option(
    "--profile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A partner profile: what it adds and drops is marked.",
)
@click.option(
    "--format", "form", type=click.Choice(["markdown", "csv", "conceptmap"]), default="markdown",
    show_default=True, help="conceptmap: FHIR ConceptMap resources, one a line.",
)  # fmt: skip
@click.option("--segment", "segments", multiple=True, metavar="NAME", help="Only this segment, such as PID.")
@click.option("--table", "tables", multiple=True, metavar="NAME", help="This code table, such as HL70001.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="A folder: one file a segment or table."
)
@click.option("--coverage", is_flag=True, help="The accounting: the guide's rows by fate, fields by segment.")
def command(
    profile: Path | None,
    form: Form,
    segments: tuple[str, ...],
    tables: tuple[str, ...],
    out: Path | None,
    coverage: bool,
) -> None:
    """Print the ledger: for each field of each segment the FHIR elements it becomes, by which codec or code
    table, and by what the way back knows them. It is read off the rows that translate.

    With --coverage the accounting: the rows of the HL7 v2-to-FHIR guide by fate, and for each segment which
    fields are mapped, which are said by their place, and which only the prior message keeps.
    """
    whole = Ledger.of(profile)
    if coverage:
        click.echo(accounting(whole.lines, segments), nl=False)
        return
    wanted = whole.chosen(segments, tables, with_tables=form == "conceptmap" and out is not None)
    told = list(pages(form, wanted))
    if out is None:
        for _, text in told:
            click.echo(text, nl=False)
        return
    out.mkdir(parents=True, exist_ok=True)
    if form == "markdown":
        told = [("README.md", index(wanted)), *((name, _HEAD + text) for name, text in told)]
    for name, text in told:
        (out / name).write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The lines of all segments and code tables; ``own``: the tables that a profile changed."""

    lines: Sequence[Line]
    tables: Mapping[str, Sequence[Arrow]]
    own: tuple[str, ...] = ()

    @classmethod
    def of(cls, profile: Path | None) -> Ledger:
        """The ledger of a profile over the shipped one, or the shipped one."""
        from connector.mapping import codes, ledger
        from connector.mapping.messages.registry import MESSAGE_MAPS
        from connector.mapping.partner import Partner

        shipped = Partner()
        lines = ledger.lines(MESSAGE_MAPS, shipped)
        if profile is None:
            tables = {name: list(ledger.arrows(shipped.table(name))) for name in codes.names()}
            return cls(lines, tables)
        from connector.mapping.changing import change_of
        from connector.profile import load
        from connector.profile.translator import Translator, verbs_of

        partner = Translator.load(profile).atlas.partner
        own = ledger.lines(MESSAGE_MAPS, partner, change_of(verbs_of(load(profile))))
        tables = {
            name: ledger.compared_table(partner.table(name), shipped.table(name)) for name in codes.names()
        }
        return cls(ledger.compared(own, lines), tables, tuple(partner.tables))

    def chosen(self, segments: Sequence[str], tables: Sequence[str], with_tables: bool) -> Ledger:
        """The segments and tables that are named; else all segments, and the tables a profile changed."""
        there = {line.segment for line in self.lines}
        for name in segments:
            if name not in there:
                fix = f"one of {', '.join(sorted(there))}"
                raise ConfigurationError(f"no map has a segment {name}", fix=fix)
        for name in tables:
            if name not in self.tables:
                raise ConfigurationError(f"there is no code table {name}", fix="see connector/mapping/tables")
        if not segments and not tables:
            kept = self.tables if with_tables else {name: self.tables[name] for name in self.own}
            return Ledger(self.lines, kept, self.own)
        lines = [line for line in self.lines if line.segment in segments]
        return Ledger(lines, {name: self.tables[name] for name in tables}, self.own)


def pages(form: Form, wanted: Ledger) -> Iterator[tuple[str, str]]:
    """Each page with the name of its file; of CSV there is one."""
    from connector.fhir import json
    from connector.mapping import ledger_pages as made

    segments = made.segments_of(wanted.lines)
    if form == "markdown":
        yield from ((f"{name}.md", made.markdown(name, mine)) for name, mine in segments.items())
        yield from ((f"{name}.md", made.table_markdown(name, mine)) for name, mine in wanted.tables.items())
    elif form == "csv":
        yield "ledger.csv", made.as_csv(wanted.lines)
    else:
        maps = [made.concept_map(name, mine) for name, mine in segments.items()]
        maps += [made.table_concept_map(name, mine) for name, mine in wanted.tables.items()]
        yield from ((f"{one['id']}.json", json.dumps(one).decode() + "\n") for one in maps)


def index(wanted: Ledger) -> str:
    """The first of the written pages: a link to each segment, and the accounting."""
    from connector.mapping.ledger_pages import segments_of

    links = ", ".join(f"[{name}]({name}.md)" for name in segments_of(wanted.lines))
    return f"""{_HEAD}# What becomes of each field

For each segment the FHIR elements that its fields become, by which codec or code table, and by what the way
back knows them. Read off the rows that translate: `connector maps` prints the same, with `--profile` for a
partner. The numbers before an element are the components (and sub-components) of the field. The code tables
are the text files in [connector/mapping/tables](../../connector/mapping/tables/README.md).

{links}

{accounting(wanted.lines, ())}"""


# --- the accounting ----------------------------------------------------------------------------------------


def accounting(lines: Sequence[Line], segments: Sequence[str]) -> str:
    """The guide's rows by fate, and the fields by segment, as markdown."""
    from connector.mapping import ledger_coverage

    found = ledger_coverage.counted(lines, segments)
    if segments:
        return ledger_coverage.table(found)
    told = ledger_coverage.table(one for one in found if one.carried)
    missing = ", ".join(one.segment for one in found if not one.carried)
    return (
        f"## The rows of the guide\n\n{fates()}\n## Fields by segment\n\n{told}\n"
        f"No map has, and only the prior message keeps: {missing}.\n"
    )


def fates() -> str:
    """The rows of the HL7 v2-to-FHIR guide by kind and fate."""
    if not ROWS.is_file():
        return "The accounting of the guide's rows stands in the source tree (compliance/ig-rows.csv).\n"
    with ROWS.open(encoding="utf-8", newline="") as file:
        counts = Counter((row["kind"], row["fate"]) for row in csv.DictReader(file))
    told = ["| Rows | Done | Done otherwise | Not done |", "| --- | ---: | ---: | ---: |"]
    for kind in ("message", "segment", "datatype", "code"):
        mine = [counts[kind, fate] for fate in _FATES]
        told.append(f"| {kind} | {' | '.join(f'{count:,}' for count in mine)} |")
    return "\n".join(told) + "\n"
