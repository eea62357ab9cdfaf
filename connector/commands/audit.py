"""``connector audit``: the sealed audit log. Each subcommand is a module, imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import MutableMapping
from typing import Final

import click

SUBCOMMANDS: Final = {
    "status": "Show the shards, their checkpoints, and what no checkpoint covers yet.",
    "dispose": "Take away the years that are past their retention.",
    "export": "Take part of the log away, in one file that others can check.",
    "verify": "Check an export: nothing of this connector is needed or believed.",
    "fsck": "Derive everything again: table, bundles, tiles, checkpoints.",
    "compare": "See whether a message is the one that the log committed to.",
    "review": "What happened in a period, who saw what, and what is unusual.",
    "disclosures": "To whom what about one patient went, when and why; and who looked.",
}


class LazyAudit(click.Group):
    """Knows its subcommands by name: ``status`` is ``connector.commands.audit_status``."""

    def list_commands(self, context: click.Context) -> list[str]:
        """In the order of use."""
        return list(SUBCOMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The subcommand, imported; None for a name that there is not."""
        return _imported(name) if name in SUBCOMMANDS else None

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The listing of ``--help``, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))

    @property
    def commands(self) -> MutableMapping[str, click.Command]:
        """All of them, imported."""
        return {name: _imported(name) for name in SUBCOMMANDS}

    @commands.setter
    def commands(self, _: MutableMapping[str, click.Command]) -> None:
        """``click.Group`` starts with an empty table of its own."""


def _imported(name: str) -> click.Command:
    module = importlib.import_module(f"connector.commands.audit_{name.replace('-', '_')}")
    found: click.Command = module.command
    return found


@click.group(cls=LazyAudit, short_help="See, check and take away the sealed audit log.")
def command() -> None:
    """See, check and take away the sealed audit log: a log that a stranger can verify."""
