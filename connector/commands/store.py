"""``connector store``: what can be found in what the connector leaves on the disk."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from connector.demo.scan import Report

SWAPS = Path("/proc/swaps")


@click.group(short_help="See that nothing readable is left on the disk.")
def command() -> None:
    """See that nothing readable is left on the disk."""


@command.command(short_help="Send canary patients on every path of a throw-away service and search for them.")
@click.option("--paths", is_flag=True, help="List each path and how it ended.")
def scan(paths: bool) -> None:
    """Send canary patients on every path of a throw-away service, kill it, and search all that it left.

    Every path has words of its own: messages taken, repeated, refused and unreadable, requests of every wrong
    kind, partners that quote what they get, operators' commands, a backup. They are searched for as text, in
    UTF-16, base64 and hexadecimal, in the database and its log files, the service's log, the backup, names of
    files, answers, what commands print and what the process shows of itself. The exit code is 1 if one of
    them is found, or a path ends otherwise than it should.
    """
    from connector.demo.processes import free_ports
    from connector.demo.scan import scan as scanned
    from connector.demo.site import make_site

    with TemporaryDirectory(prefix="connector-scan-") as folder:
        report = scanned(make_site(Path(folder) / "site", free_ports()))
    click.echo(_told(report, paths))
    if swaps := _swaps():
        click.echo(
            f"{swaps} swap area in use: what is in memory may be written there; encrypt it, or have none"
        )
    sys.exit(0 if report.good else 1)


def _told(report: Report, paths: bool) -> str:
    lines = [f"{name}: {ended}" for name, ended in report.walked.items()] if paths else []
    lines += [f"NOT as it should be: {one}" for one in report.wrong]
    lines += [f"FOUND in {hit.where}: what was sent on the path {hit.path}" for hit in report.hits]
    lines.append(
        f"{len(report.walked)} paths, {report.files} files, {report.searched} bytes searched: "
        f"{len(report.hits) or 'nothing'} found"
    )
    return "\n".join(lines)


def _swaps() -> int:
    try:
        return len(SWAPS.read_text(encoding="ascii").splitlines()[1:])
    except OSError:
        return 0
