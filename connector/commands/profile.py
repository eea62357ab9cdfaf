"""``connector profile``: judge partner profiles, and print their JSON Schema for editors."""

from __future__ import annotations

from pathlib import Path

import click

from connector.errors import ProfileError


@click.group(short_help="Check partner profiles; print their JSON Schema.")
def command() -> None:
    """Partner profiles: one TOML file a link (see profiles/README.md)."""


@command.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Judge each profile; every fault with its file and line. The exit code is 1 if there is any."""
    from connector import Translator
    from connector.mapping.messages.registry import known_messages
    from connector.mapping.verbs import known_rows, known_tables
    from connector.profile.check import check as judged

    maps = {"rows": known_rows(), "tables": known_tables(), "messages": known_messages()}
    wrong = False
    for path in files:
        faults = judged(path, **maps)
        try:
            if not faults:
                Translator.load(path)
        except ProfileError as error:
            faults = [error]
        for fault in faults:
            click.echo(str(fault), err=True)
        if not faults:
            click.echo(f"{path}: good")
        wrong = wrong or bool(faults)
    if wrong:
        raise SystemExit(1)


@command.command()
def schema() -> None:
    """Print the JSON Schema of a profile: an editor completes and checks with it."""
    import json

    from connector.profile.schema import schema as of_profile

    click.echo(json.dumps(of_profile(), indent=2, ensure_ascii=False))
