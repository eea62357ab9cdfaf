"""Vault's transit engine as the keeper of the key-encryption key: a recorded contract over real TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit import AuditLog
from connector.edges.keys_vault import VaultKeyProvider
from connector.errors import ConfigurationError, KeysOutOfReach, KeyUnavailable, Tampered
from connector.store import Store
from tests.edges.vault_server import Vault
from tests.pki import Authority, SiteFiles, write_private
from tests.store.site import take
from tests.store.test_rotating import told

KEY = bytearray(b"k" * 32)


@pytest.fixture
def files(tmp_path: Path) -> SiteFiles:
    return Authority().write(tmp_path, "vault", sans=["localhost"])


@pytest.fixture
def vault(files: SiteFiles, tmp_path: Path) -> Iterator[Vault]:
    write_private(tmp_path / "token", b"hvs.good\n")
    server = Vault(files)
    yield server
    server.close()


@pytest.fixture
def keys(vault: Vault, files: SiteFiles, tmp_path: Path) -> VaultKeyProvider:
    return provider(vault, files.trust, tmp_path)


def provider(vault: Vault, trust: Path, folder: Path, **more: Any) -> VaultKeyProvider:
    return VaultKeyProvider(vault.url, trust, folder / "token", key="connector", **more)


def test_what_is_wrapped_opens_in_its_context_only(keys: VaultKeyProvider, vault: Vault) -> None:
    wrapped = keys.wrap(KEY, b"here")
    assert (wrapped.provider, wrapped.key_id) == ("vault", "transit/connector:v1")
    assert keys.unwrap(wrapped, b"here") == KEY
    with pytest.raises(Tampered):
        keys.unwrap(wrapped, b"there")
    with pytest.raises(Tampered):
        keys.unwrap(wrapped._replace(blob=wrapped.blob[:-8] + b"AAAAAAAA"), b"here")
    with pytest.raises(Tampered):
        keys.unwrap(wrapped._replace(blob=b"vault:v1:../../sys/seal"), b"here")


def test_a_vault_that_passes_over_associated_data_is_not_trusted_with_the_context(
    keys: VaultKeyProvider, vault: Vault
) -> None:
    vault.ignores_associated_data = True
    wrapped = keys.wrap(KEY, b"here")
    assert keys.unwrap(wrapped, b"here") == KEY
    with pytest.raises(Tampered):
        keys.unwrap(wrapped, b"there")


def test_a_rotation_makes_another_version_and_the_one_before_still_opens(keys: VaultKeyProvider) -> None:
    before = keys.wrap(KEY, b"")
    assert keys.rotate() == keys.current() == keys.wrap(KEY, b"").key_id == "transit/connector:v2"
    assert keys.unwrap(before, b"") == KEY
    with pytest.raises(Tampered):
        keys.unwrap(before._replace(key_id="transit/connector:v2"), b"")
    with pytest.raises(ConfigurationError):
        keys.forget(before.key_id)


def test_the_token_is_read_each_time_and_renewed(
    keys: VaultKeyProvider, vault: Vault, tmp_path: Path
) -> None:
    keys.wrap(KEY, b"")
    keys.wrap(KEY, b"")
    assert vault.asked.count("POST /v1/auth/token/renew-self") == 1
    vault.token = "hvs.new"
    with pytest.raises(KeyUnavailable, match="token") as refused:
        keys.wrap(KEY, b"")
    assert "hvs" not in str(refused.value)
    write_private(tmp_path / "token", b"hvs.new\n")
    keys.wrap(KEY, b"")
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        keys.wrap(KEY, b"")


def test_a_sealed_vault_and_one_that_is_silent_or_gone_are_out_of_reach(
    vault: Vault, files: SiteFiles, tmp_path: Path
) -> None:
    keys = provider(vault, files.trust, tmp_path, seconds=0.3)
    wrapped = keys.wrap(KEY, b"")
    vault.sealed = True
    for asked in (lambda: keys.wrap(KEY, b""), lambda: keys.unwrap(wrapped, b""), keys.current, keys.rotate):
        with pytest.raises(KeysOutOfReach, match="sealed"):
            asked()
    vault.sealed, vault.token = False, "silent"
    with pytest.raises(KeysOutOfReach, match="does not answer"):
        keys.wrap(KEY, b"")
    vault.close()
    with pytest.raises(KeysOutOfReach, match="does not answer"):
        keys.wrap(KEY, b"")


def test_a_key_that_there_is_not_is_named_as_such(vault: Vault, files: SiteFiles, tmp_path: Path) -> None:
    keys = VaultKeyProvider(vault.url, files.trust, tmp_path / "token", key="other")
    with pytest.raises(KeyUnavailable, match="no such transit key"):
        keys.wrap(KEY, b"")


def test_a_vault_of_another_authority_is_not_spoken_to(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(Authority("Other CA").pem)
    keys = provider(vault, tmp_path / "other.pem", tmp_path)
    with pytest.raises(KeysOutOfReach):
        keys.wrap(KEY, b"")
    assert vault.asked == []
    with pytest.raises(ConfigurationError):
        provider(vault, tmp_path / "none.pem", tmp_path)


async def test_a_store_lives_on_vault_and_does_not_open_without_it(
    keys: VaultKeyProvider, vault: Vault, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    store = Store.open(path, keys, AuditLog())
    for number in range(20):
        await take(store, str(number))
    encrypted = [one for one in vault.asked if "encrypt" in one]
    assert len(encrypted) == 2  # the root, and one key for the partner's day
    await store.rotate_keys(told)
    assert await store.rewrap(told) == 2
    vault.sealed = True
    assert await store.payload(1) == b"MSH|payload"  # its key is in memory
    await store.close()
    with pytest.raises(KeysOutOfReach):
        Store.open(path, keys, AuditLog())
    vault.sealed = False
    store = Store.open(path, keys, AuditLog())
    assert (await take(store, "3")).duplicate
    await store.close()
