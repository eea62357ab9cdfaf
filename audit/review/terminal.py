"""A report as plain text, for terminals and for mail."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from audit.review.plain import shown
from audit.review.report import Cell, Report, Section, Table

WIDTH: Final = 100  # of what is prose; tables are as wide as they must be


def text(report: Report) -> str:
    """The whole report."""
    return "\n".join(_report(report)) + "\n"


def _report(report: Report) -> Iterator[str]:
    yield from (shown(report.title), "=" * len(shown(report.title)), "")
    for name, value in report.facts:
        yield from _wrapped(f"{shown(name)}: {shown(value)}")
    if report.findings:
        yield from ("", "To be looked at", "")
        yield from (f"  {shown(one.what)}: {one.number:,}" for one in report.findings)
    for section in report.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield from ("", "", shown(section.title), "-" * len(shown(section.title)))
    for paragraph in section.lead:
        yield from _wrapped(paragraph)
    for table in section.tables:
        yield from ("", *_table(table))


def _table(table: Table) -> Iterator[str]:
    yield f"{shown(table.caption)}:{'' if table.rows else ' none'}"
    if table.rows:
        heads = [*table.columns, "Entries"] if table.entries else [*table.columns]
        lines = [[*row.cells, str(row.refs)] if table.entries else [*row.cells] for row in table.rows]
        yield from _aligned(heads, lines)
    if table.left_out:
        yield f"  {table.left_out:,} further lines have no room here."
    if table.note:
        yield from (f"  {one}" for one in _wrapped(table.note))


def _aligned(heads: list[str], lines: list[list[Cell]]) -> Iterator[str]:
    written = [[_written(one) for one in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(heads, *written)]
    numbers = [all(isinstance(line[at], int) for line in lines) for at in range(len(heads))]
    for line in (heads, ["-" * width for width in widths], *written):
        padded = (
            one.rjust(width) if number else one.ljust(width)
            for one, width, number in zip(line, widths, numbers)
        )
        yield f"  {'  '.join(padded)}".rstrip()


def _written(value: Cell) -> str:
    return f"{value:,}" if isinstance(value, int) else shown(value)


def _wrapped(prose: str) -> list[str]:
    return textwrap.wrap(prose, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
