"""``connector audit verify``: an export that somebody was handed."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Check an export: nothing of this connector is needed or believed.")
@click.argument("file", metavar="FILE.zip", type=FILE)
@click.option("--against", type=FILE, metavar="EARLIER.zip", help="An earlier export of the same log.")
@click.option(
    "--log-key", "signer", multiple=True, metavar="VKEY", help="The log's public key, from elsewhere."
)
@click.option("--witness", multiple=True, metavar="VKEY", help="A witness that must have signed; several.")
@click.option("--events", is_flag=True, help="Make its AuditEvents and ATNA messages again, and compare.")
def command(
    file: Path, against: Path | None, signer: tuple[str, ...], witness: tuple[str, ...], events: bool
) -> None:
    """Check an export of an audit log, by the same program that goes with each export as verify.py, and print
    its report. Nothing of this connector is needed, asked or believed. With --events the connector also makes
    the FHIR AuditEvents and ATNA messages of the export again, compares them, and holds the AuditEvents
    against the profiles of IHE BALP.

    The exit code is 0 if everything holds, 1 if something does not, 2 if it could not be checked.
    """
    from audit import verify_export

    options = [*(["--against", str(against)] if against else [])]
    options += [
        word
        for name, keys in (("--log-key", signer), ("--witness", witness))
        for one in keys
        for word in (name, one)
    ]
    code = verify_export.main([str(file), *options], "connector audit verify")
    codes = {code, _events(file)} if events else {code}
    raise SystemExit(1 if 1 in codes else max(codes))


def _events(file: Path) -> int:
    from audit import verify_forms

    try:
        found = verify_forms.check(file)
    except verify_forms.Unreadable as error:
        click.echo(f"\nThe events could not be checked: {error}", err=True)
        return 2
    click.echo(f"\nThe events\n\n{found}")
    return int(not found.good)
