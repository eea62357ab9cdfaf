"""The command line. Each command lives in ``connector.commands`` and is imported only when it is called."""

from __future__ import annotations

import gc
import importlib
import sys
import traceback
from collections.abc import Sequence
from typing import Any, Final

import click

from connector.errors import ConfigurationError, ConnectorError

FAILED: Final = 1  # what was asked for could not be done
_SELDOM: Final = (20_000, 20, 100)  # a command keeps what it imports: garbage is hardly among it
MISUSED: Final = 2  # a wrong option or configuration; click's own code for usage errors

COMMANDS: Final = {
    "demo": "Show a day at a hospital: both systems, real TLS, one command.",
    "serve": "Run the connector.",
    "translate": "Translate HL7 v2 to FHIR, or FHIR to HL7 v2.",
    "maps": "Print what each v2 field becomes in FHIR, and what comes back.",
    "send": "Send HL7 v2 over MLLP with mutual TLS and print the acknowledgments.",
    "take": "Take the HL7 v2 messages of a file, as if the partner had sent them.",
    "health": "Ask the service whether it runs; for a container's health check.",
    "config": "Show the settings and profiles with the line that each value comes from.",
    "status": "Show what was received, delivered and what waits.",
    "queue": "See what waits, what blocks it, and what to do.",
    "replay": "Put messages back into their lanes.",
    "edit": "Put a corrected copy in the place of a dead letter.",
    "skip": "Make a dead letter of what stops its lane.",
    "conflicts": "See and decide what both sides changed at once.",
    "erase": "Destroy the keys of a record, a patient, or a partner's day.",
    "break-glass": "See and do for a time, and a reason, what one's roles do not grant.",
    "keys": "See, change and check the keys of the store.",
    "pause": "Let nothing go out of a link, or nothing come in.",
    "resume": "Take a pause away.",
    "drain": "Close the intake of a link and wait until its queue is empty.",
    "backup": "Write an encrypted copy of the store, while the service runs.",
    "restore": "Restore the store from a backup, or try whether it would work.",
    "store": "See that nothing readable is left on the disk.",
    "authorization": "See and change the keys that sign our access tokens.",
    "audit": "See, check and take away the sealed audit log.",
    "profile": "Check partner profiles; print their JSON Schema.",
    "tls": "See who was not let in, what we show and trust, and what a partner shows.",
}


def module_of(name: str) -> str:
    """The module of a command."""
    return f"connector.commands.{name.replace('-', '_')}"


class LazyGroup(click.Group):
    """Knows its commands by name and imports one when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """In the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command, imported; None for a name that there is not."""
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(module_of(name)).command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The listing of ``--help``, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run; an error becomes one line on stderr and an exit code, never a traceback."""
        gc.set_threshold(*_SELDOM)
        try:
            return super().main(args, *rest, **options)
        except Exception as error:
            failure = error
        click.echo(f"connector: {told(failure)}", err=True)
        sys.exit(MISUSED if isinstance(failure, ConfigurationError) else FAILED)


def told(failure: Exception) -> str:
    """An error of ours in its words; any other by its type and place, since its text may hold values."""
    if isinstance(failure, ConnectorError):
        return str(failure)
    if isinstance(failure, OSError):
        return (
            f"{failure.strerror or type(failure).__name__}: {failure.filename or 'while reading or writing'}"
        )
    place = traceback.extract_tb(failure.__traceback__)[-1]
    return f"a fault of the connector itself: {type(failure).__name__} at {place.filename}:{place.lineno}"


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="connector", message="%(prog)s %(version)s")
def main() -> None:
    """Connects one HL7 v2 system (MLLP) and one FHIR R4 system (HTTPS), both ways.

    It never loses a message it acknowledged, never changes what was meant without saying so, and proves
    afterwards what it did. Begin with "connector demo".
    """


if __name__ == "__main__":
    main()
