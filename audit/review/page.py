"""A report as one HTML file: no script, nothing from elsewhere, to be read, printed and kept.

What is written is well-formed XML too, so a strict parser can check all of it. Everything that comes from a
report goes through ``_e``. The policy in the page lets a browser load nothing at all, and style only by the
hash of the one style sheet that stands here.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Final

from audit.review.plain import shown
from audit.review.report import Cell, Report, Row, Section, Table

STYLE: Final = """
:root { color-scheme: light; }
body { margin: 2rem auto; max-width: 75rem; padding: 0 1.5rem; background: #fff; color: #1a1a1a;
  font: 1rem/1.5 "Source Sans 3", "Segoe UI", system-ui, sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 1rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-bottom: .25rem; border-bottom: 2px solid #1a1a1a; }
p { max-width: 48rem; margin: .5rem 0; }
a { color: #0b4f8a; }
a:focus-visible, .wide:focus-visible { outline: 3px solid #0b4f8a; outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 1rem 0; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1.25rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { caption-side: top; text-align: left; font-size: 1rem; font-weight: 600; padding: .25rem 0; }
th, td { border: 1px solid #8a8a8a; padding: .3rem .5rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; min-width: 4rem; unicode-bidi: isolate; }
thead th { background: #e8edf2; overflow-wrap: normal; }
tbody th { font-weight: 600; }
tbody tr:nth-child(even) { background: #f6f7f8; }
.n { text-align: right; min-width: 2.5rem; }
.e { color: #404040; }
.note { font-size: .875rem; color: #404040; }
@page { size: A4 landscape; margin: 14mm 12mm 16mm;
  @bottom-right { content: counter(page) " / " counter(pages); } }
@media print {
  body { margin: 0; padding: 0; max-width: none; font-size: 9.5pt; }
  nav { display: none; }
  section { break-before: page; }
  h2, caption { break-after: avoid; }
  .wide { overflow: visible; }
  table { font-size: 8pt; }
  thead { display: table-header-group; }
  tr { break-inside: avoid; }
  a { color: inherit; text-decoration: none; }
}
"""
_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"


def html(report: Report) -> str:
    """The whole file."""
    return "\n".join(_page(report)) + "\n"


def _e(value: Cell) -> str:
    return escape(shown(value), quote=True)


def _page(report: Report) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield '<head><meta charset="utf-8"/>'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
    yield '<meta name="referrer" content="no-referrer"/><meta name="robots" content="noindex"/>'
    yield f"<title>{_e(report.title)}</title>"
    yield f"<style>{STYLE}</style></head>"
    yield f"<body><main><h1>{_e(report.title)}</h1>"
    yield from _facts(report)
    yield from _findings(report)
    yield from _contents(report)
    for section in report.sections:
        yield from _section(section)
    yield "</main></body></html>"


def _facts(report: Report) -> Iterator[str]:
    yield "<dl>"
    for name, value in report.facts:
        yield f"<dt>{_e(name)}</dt><dd>{_e(value)}</dd>"
    yield "</dl>"


def _findings(report: Report) -> Iterator[str]:
    if report.findings:
        yield '<h2 id="findings">To be looked at</h2><ul>'
        for one in report.findings:
            yield f'<li><a href="#{_e(one.section)}">{_e(one.what)}</a>: {one.number:,}</li>'
        yield "</ul>"


def _contents(report: Report) -> Iterator[str]:
    yield '<nav aria-label="Contents"><h2>Contents</h2><ol>'
    for section in report.sections:
        yield f'<li><a href="#{_e(section.key)}">{_e(section.title)}</a></li>'
    yield "</ol></nav>"


def _section(section: Section) -> Iterator[str]:
    yield f'<section id="{_e(section.key)}" aria-labelledby="{_e(section.key)}-title">'
    yield f'<h2 id="{_e(section.key)}-title">{_e(section.title)}</h2>'
    for paragraph in section.lead:
        yield f"<p>{escape(paragraph)}</p>"
    for number, table in enumerate(section.tables, 1):
        yield from _table(table, f"{_e(section.key)}-{number}")
    yield "</section>"


def _table(table: Table, key: str) -> Iterator[str]:
    """What scrolls sideways can be reached by the keyboard, and so has a name."""
    if table.rows:
        yield f'<div class="wide" tabindex="0" role="region" aria-labelledby="{key}">'
        yield f'<table><caption id="{key}">{_e(table.caption)}</caption><thead><tr>'
        yield "".join(f'<th scope="col">{_e(column)}</th>' for column in _columns(table))
        yield "</tr></thead><tbody>"
        for row in table.rows:
            yield f"<tr>{_cells(row, table.entries)}</tr>"
        yield "</tbody></table></div>"
    else:
        yield f'<p><strong id="{key}">{_e(table.caption)}:</strong> none.</p>'
    if table.left_out:
        yield f'<p class="note">{table.left_out:,} further lines have no room here.</p>'
    if table.note:
        yield f'<p class="note">{escape(table.note)}</p>'


def _columns(table: Table) -> tuple[str, ...]:
    return (*table.columns, "Entries") if table.entries else table.columns


def _cells(row: Row, entries: bool) -> str:
    head, *rest = row.cells
    cells = [f'<th scope="row">{_written(head)}</th>']
    cells += [
        f'<td class="n">{_written(one)}</td>' if isinstance(one, int) else f"<td>{_written(one)}</td>"
        for one in rest
    ]
    return "".join([*cells, f'<td class="e">{row.refs}</td>'] if entries else cells)


def _written(value: Cell) -> str:
    return f"{value:,}" if isinstance(value, int) else _e(value)
