"""Secrets come from files or a key provider: no key of a configuration and no option takes one itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import click
import pytest

from connector.cli import COMMANDS, main
from connector.profile.schema import schema, schema_of
from connector.settings import Settings

SECRET: Final = re.compile(r"(?:^|_)(?:key|kek|secret|password|passphrase|pin|token|credential)s?\Z")
NAMES: Final = {  # of something that is kept elsewhere, or open to all
    "keys.systemd.credential": "the name that systemd knows it by",
    "keys.vault.key": "the name of a transit key",
    "keys.aws.key": "the id of a key of KMS",
    "keys.pkcs11.token": "the label of a token",
    "audit.witness.ask.keys": "public keys",
}
_URL: Final = re.compile(r"(?:^|_)(?:url|base|endpoint|issuer)\Z")


def keys(root: dict[str, Any], node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of a schema that holds a value, by its way."""
    for name, one in node.get("properties", {}).items():
        here = f"{path}.{name}".lstrip(".")
        refs = [part["$ref"] for part in (one, one.get("items", {}), *one.get("anyOf", [])) if "$ref" in part]
        for ref in refs:
            yield from keys(root, root["$defs"][ref.rpartition("/")[2]], here)
        if not refs:
            yield here, one


ALL: Final = [*keys(schema_of(Settings), schema_of(Settings)), *keys(schema(), schema())]


def test_what_is_secret_is_named_by_its_file() -> None:
    secret = [(key, one) for key, one in ALL if SECRET.search(key.rpartition(".")[2])]
    inline = {key for key, one in secret if one.get("format") != "path"}
    assert inline == set(NAMES)
    assert len(secret) - len(inline) >= 6


@pytest.mark.parametrize("url", ["https://user:word@h.example/fhir", "https://h.example/fhir?token=x"])
def test_an_address_holds_no_secret(url: str) -> None:
    from connector.errors import ProfileError
    from connector.profile.load import parse

    with pytest.raises(ProfileError) as refused:
        parse(f'name = "x"\n[fhir]\nbase = "{url}"\n')
    assert "word" not in str(refused.value)


def _options() -> Iterator[tuple[str, click.Parameter]]:
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        inner = command.commands.values() if isinstance(command, click.Group) else [command]
        for one in inner:
            yield from ((f"{name} {parameter.name}", parameter) for parameter in one.params)


def test_no_option_takes_a_secret() -> None:
    found = {where: one for where, one in _options() if SECRET.search(one.name or "")}
    assert {where for where, one in found.items() if not isinstance(one.type, click.Path)} == set()
    assert "send key" in found
