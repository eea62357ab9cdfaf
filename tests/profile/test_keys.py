"""The section ``[keys]``: who keeps the key-encryption keys, and what is refused to the line."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

import pytest

from connector import settings
from connector.errors import ConfigurationError, KeyUnavailable
from connector.store.keyholders import Keyholders
from connector.store.keys import FileKeyProvider, Wrapped
from connector.wiring.keys import key_provider
from tests.pki import Authority, write_private
from tests.profile.planted import DEMO

REST = f"""
store = "store.db"
profiles = ["{DEMO}"]
[tls]
certificate = "c.pem"
key = "k.pem"
trust = "ca.pem"
"""


def load(folder: Path, keys: str = "", kek: str = "") -> settings.Settings:
    path = folder / "connector.toml"
    path.write_text(f"{kek}\n{REST}{keys}")
    return settings.load(path).settings


def key_file(path: Path) -> None:
    write_private(path, base64.b64encode(os.urandom(32)) + b"\n")


def test_a_key_in_a_file_is_said_shortly_or_in_a_table(tmp_path: Path) -> None:
    key_file(tmp_path / "kek.key")
    short = key_provider(load(tmp_path, kek='kek = "kek.key"'))
    table = key_provider(load(tmp_path, '[keys]\nwrap = "file"\n[keys.file]\npath = "kek.key"\n'))
    assert isinstance(short, FileKeyProvider)
    assert isinstance(table, FileKeyProvider)
    assert short.key_id == table.key_id


@pytest.mark.parametrize(
    ("keys", "kek", "said"),
    [
        ("", "", 'add kek = "kek.key"'),
        ('[keys]\nwrap = "vault"\n', "", r"add the table \[keys.vault\]"),
        ('[keys]\nwrap = "sheet"\n', "", "connector.toml:10"),
        ('[keys]\nwrap = "file"\n[keys.file]\npath = "a"\n', 'kek = "b"', "two key files"),
        (
            '[keys]\nwrap = "vault"\n[keys.vault]\nurl = "http://v"\nca = "a"\ntoken = "t"\nkey = "k"\n',
            "",
            "https",
        ),
        (
            '[keys]\nwrap = "aws"\n[keys.aws]\nkey = "k"\nregion = "r"\nendpoint = "http://a"\n',
            "",
            "https",
        ),
    ],
)
def test_what_names_no_key_or_two_is_refused(tmp_path: Path, keys: str, kek: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(tmp_path, keys, kek)


def test_one_provider_wraps_and_the_others_unwrap_what_is_theirs(tmp_path: Path) -> None:
    key_file(tmp_path / "kek.key")
    write_private(tmp_path / "token", b"hvs.x\n")
    (tmp_path / "vault.pem").write_bytes(Authority().pem)
    vault = '[keys]\nwrap = "vault"\n[keys.vault]\nurl = "https://127.0.0.1:1"\nca = "vault.pem"\n'
    both = key_provider(load(tmp_path, vault + 'token = "token"\nkey = "connector"\n', 'kek = "kek.key"'))
    assert isinstance(both, Keyholders)
    assert both.name == "vault"
    file = FileKeyProvider(tmp_path / "kek.key")
    key = bytearray(b"k" * 32)
    assert both.unwrap(file.wrap(key, b"c"), b"c") == key
    with pytest.raises(KeyUnavailable, match=r"keep the table \[keys.aws\]"):
        both.unwrap(Wrapped("aws", "x", b""), b"")
    alone = Keyholders(file)
    assert alone.wrap(key, b"").key_id == alone.current() == file.key_id
    assert alone.rotate() == file.key_id


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("aws", 'key = "k"\nregion = "eu-central-1"\n'),
        ("pkcs11", 'module = "/m.so"\ntoken = "t"\nlabel = "l"\npin = "p"\n'),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, table: str
) -> None:
    chosen = load(tmp_path, f'[keys]\nwrap = "{name}"\n[keys.{name}]\n{table}')
    monkeypatch.setitem(sys.modules, {"aws": "boto3", "pkcs11": "pkcs11"}[name], None)
    monkeypatch.delitem(sys.modules, f"connector.edges.keys_{name}", raising=False)
    with pytest.raises(ConfigurationError, match=rf"connector\[{name}\]"):
        key_provider(chosen)


def test_systemd_is_asked_for_its_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file(tmp_path / "connector-kek")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    chosen = load(tmp_path, '[keys]\nwrap = "systemd"\n[keys.systemd]\ncredential = "connector-kek"\n')
    assert key_provider(chosen).name == "systemd"
