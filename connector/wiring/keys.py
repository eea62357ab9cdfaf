"""Who keeps the key-encryption keys, as the settings say it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from connector.errors import ConfigurationError
from connector.profile.keys import AwsKeys, FileKeys, Pkcs11Keys, SystemdKeys, VaultKeys
from connector.settings import Settings
from connector.store import FileKeyProvider, KeyProvider
from connector.store.keyholders import Keyholders
from connector.store.keys import CredentialKeyProvider


def key_provider(chosen: Settings) -> KeyProvider:
    """The provider of the settings. Raises ``KeyUnavailable``, ``KeysOutOfReach``, ``ConfigurationError``."""
    file = [FileKeyProvider(chosen.kek)] if chosen.kek is not None else []
    if chosen.keys is None:
        return file[0]
    said = {name: getattr(chosen.keys, name) for name in _MAKE}
    made = {name: _MAKE[name](table) for name, table in said.items() if table is not None}
    first = made.pop(chosen.keys.wrap)
    others = [*made.values(), *file]
    return Keyholders(first, *others) if others else first


def _file(said: FileKeys) -> KeyProvider:
    return FileKeyProvider(said.path)


def _systemd(said: SystemdKeys) -> KeyProvider:
    return CredentialKeyProvider(said.credential)


def _vault(said: VaultKeys) -> KeyProvider:
    from connector.edges.keys_vault import VaultKeyProvider

    return VaultKeyProvider(
        said.url,
        said.ca,
        said.token,
        key=said.key,
        mount=said.mount,
        namespace=said.namespace,
        seconds=said.seconds,
    )


def _aws(said: AwsKeys) -> KeyProvider:
    make = _extra("aws").AwsKeyProvider
    provider: KeyProvider = make(said.key, said.region, endpoint=said.endpoint, seconds=said.seconds)
    return provider


def _pkcs11(said: Pkcs11Keys) -> KeyProvider:
    provider: KeyProvider = _extra("pkcs11").Pkcs11KeyProvider(said.module, said.token, said.label, said.pin)
    return provider


def _extra(name: str) -> Any:
    try:
        return import_module(f"connector.edges.keys_{name}")
    except ModuleNotFoundError:
        fix = f'pip install "connector[{name}]"'
        raise ConfigurationError("a package that this provider needs is not installed", fix=fix) from None


_MAKE: dict[str, Callable[[Any], KeyProvider]] = {
    "file": _file,
    "systemd": _systemd,
    "vault": _vault,
    "aws": _aws,
    "pkcs11": _pkcs11,
}
