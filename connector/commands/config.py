"""``connector config``: what the service is configured with, and where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.commands.operating import CONFIG

if TYPE_CHECKING:
    from pydantic import BaseModel

    from connector.profile.shown import Shown


@click.group(short_help="Show the settings and profiles with the line that each value comes from.")
def command() -> None:
    """The configuration of the service."""


@command.command()
@CONFIG
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(config: Path, as_json: bool) -> None:
    """Print every key of the settings and of their profiles with its value and its origin.

    The origin is file:line, or "default". Keys and certificates are files: their paths are printed, and none
    of them is opened. Faults of the configuration are told as connector serve tells them.
    """
    import json

    found = list(_documents(config))
    if as_json:
        said = [{"file": str(path), "keys": [_row(path, one) for one in keys]} for path, keys in found]
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    for path, keys in found:
        click.echo(f"# {path}")
        width = max(len(one.key) for one in keys)
        for one in keys:
            value = json.dumps(one.value, ensure_ascii=False)
            click.echo(f"{one.key:{width}} = {value}  # {_origin(path, one)}")
        click.echo()


def _documents(config: Path) -> Iterator[tuple[Path, list[Shown]]]:
    from connector import settings
    from connector.commands.admitting import admit
    from connector.errors import ConfigurationError
    from connector.profile.reading import Document
    from connector.profile.shown import shown

    chosen = settings.load(config)
    admit(chosen.settings, None)
    models: list[tuple[Path, BaseModel]] = [
        (chosen.settings.path, chosen.settings),
        *((one.path, one) for one in chosen.profiles),
    ]
    for path, model in models:
        yield path, list(shown(Document.open(path, ConfigurationError), model))


def _row(path: Path, one: Shown) -> dict[str, Any]:
    return {"key": one.key, "value": one.value, "origin": _origin(path, one)}


def _origin(path: Path, one: Shown) -> str:
    return f"{path}:{one.line}" if one.line else "default"
