"""``connector audit fsck``: the whole sealed log derived again, beside the running service."""

from __future__ import annotations

from pathlib import Path

import click

from connector.commands.operating import BECAUSE, CONFIG, OPERATOR, Desk, at_desk, drafting


@click.command(short_help="Derive everything again: table, bundles, tiles, checkpoints.")
@CONFIG
@BECAUSE
@OPERATOR
def command(config: Path, because: str, operator: str | None) -> None:
    """Compute every hash, link, bundle, tile and root of the audit log again, check every signature, and name
    the first bad place.

    That somebody looked is an entry too, written before anything is read. The exit code is 1 if something is
    not as it was signed. "python -m audit fsck STORE DIRECTORY" does the same for who trusts nothing here.
    """
    from audit.fsck import Found, Unreadable, fsck
    from connector.errors import StoreUnavailable
    from connector.wiring.auditing import Kept

    async def looked(desk: Desk) -> Found:
        draft = drafting(desk.person, because)
        await desk.store.record([draft("audit:viewed", {"what": "fsck"})])
        kept = Kept.of(desk.configuration.settings)
        try:
            found = fsck(kept.store, kept.directory)
        except Unreadable as error:
            raise StoreUnavailable(f"the audit log cannot be read: {error}") from None
        told = drafting(desk.person, "")("audit:verified", {"entries": found.entries})
        await desk.store.record([told._replace(outcome="success" if found.good else "failure")])
        return found

    found = at_desk(config, looked, operator=operator)
    click.echo(str(found))
    if not found.good:
        raise SystemExit(1)
