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
def command(file: Path, against: Path | None, signer: tuple[str, ...], witness: tuple[str, ...]) -> None:
    """Check an export of an audit log, by the same program that goes with each export as verify.py, and print
    its report. Nothing of this connector is needed, asked or believed.

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
    raise SystemExit(verify_export.main([str(file), *options], "connector audit verify"))
