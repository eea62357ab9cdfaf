"""The configuration file of a witness (TOML): who it is, where it listens, which logs it knows.

    name = "witness.example/w1"        # under which it cosigns
    key = "witness.key"                # private keys; only their owner may read it
    state = "state"                    # folder for what it has seen
    host = "0.0.0.0"
    port = 8447
    prefix = ""                        # of the address: <prefix>/add-checkpoint

    [tls]                              # without this table it listens on loopback alone
    certificate = "witness.pem"
    key = "witness-tls.key"
    trust = "authority.pem"            # who may vouch for those that ask
    crl = "authority.crl"              # may be left out

    [limits]                           # as below where left out
    connections = 64

    [[log]]
    origin = "ward.example/*"          # a site's logs of every year; or one log's own name
    keys = ["ward.example/2026+...+..."]

Paths are relative to the file. A key that is not known here is a fault.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from audit.notes import Key, Kind, NoteRefused, named, parse_key
from audit.witness import EVERY_YEAR, Log

LONGEST_NAME: Final = 200  # of the file that keeps what was seen of a log
_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*")


class SettingsRefused(ValueError):
    """The configuration file of a witness cannot be used as it is."""


class Tls(NamedTuple):
    """Files of mutual TLS, all PEM. ``crl``: revocation lists of all authorities under ``trust``."""

    certificate: Path
    key: Path
    trust: Path
    crl: Path | None


class Limits(NamedTuple):
    """``connections``: open at once; ``request_bytes``: of one body; the rest are seconds: for a handshake,
    from the first byte of a request to its last and for its answer to be read, and between two requests."""

    connections: int = 64
    request_bytes: int = 64 * 1024
    handshake_seconds: float = 5.0
    request_seconds: float = 10.0
    idle_seconds: float = 60.0


class Settings(NamedTuple):
    """What the file says."""

    name: str
    key: Path
    state: Path
    host: str
    port: int
    prefix: str
    tls: Tls | None
    limits: Limits
    logs: tuple[Log, ...]


_MOST: Final = Limits(10_000, 1024 * 1024, 60.0, 300.0, 3600.0)


def load(path: Path) -> Settings:
    """The settings in a file. Raises ``SettingsRefused``."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsRefused(f"it cannot be read ({type(error).__name__})") from None
    except ValueError as error:
        raise SettingsRefused(f"it is no TOML: {error}") from None
    folder = path.parent
    table = _Table("", said, {"name", "key", "state", "host", "port", "prefix", "tls", "limits", "log"})
    chosen = Settings(
        _name(table.text("name")),
        folder / table.text("key"),
        folder / table.text("state"),
        table.text("host", "127.0.0.1"),
        int(table.number("port", 8447, 65535)),
        table.text("prefix", ""),
        _tls(said["tls"], folder) if "tls" in said else None,
        _limits(said.get("limits", {})),
        tuple(_log(one, number) for number, one in enumerate(table.tables("log"), start=1)),
    )
    _coherent(chosen)
    return chosen


def _coherent(chosen: Settings) -> None:
    if chosen.tls is None and not _is_loopback(chosen.host):
        raise SettingsRefused("without [tls] it listens on a loopback address alone")
    if not _PREFIX.fullmatch(chosen.prefix):
        raise SettingsRefused("prefix: a path that begins with a slash and does not end in one")
    origins = [log.origin for log in chosen.logs]
    if not origins or len(set(origins)) < len(origins):
        raise SettingsRefused("name each log once, in a table [[log]] of its own")
    if chosen.name in {key.name for log in chosen.logs for key in log.keys}:
        raise SettingsRefused("a log cannot be its own witness")


class _Table:
    """One table of the file, whose keys are all known."""

    def __init__(self, where: str, said: object, known: set[str]) -> None:
        if not isinstance(said, dict):
            raise SettingsRefused(f"{where}: this is a table")
        if strange := sorted(said.keys() - known):
            raise SettingsRefused(f"{where}{strange[0]}: there is no such key")
        self._where, self._said = where, said

    def text(self, key: str, default: str | None = None) -> str:
        found = self._said.get(key, default)
        if not isinstance(found, str) or "\0" in found or (default is None and not found):
            raise SettingsRefused(f"{self._where}{key}: a text is needed")
        return found

    def number(self, key: str, default: float, most: float) -> float:
        found = self._said.get(key, default)
        whole = isinstance(default, int)
        if isinstance(found, bool) or not isinstance(found, int if whole else (int, float)):
            raise SettingsRefused(f"{self._where}{key}: a number is needed")
        if not 0 < found <= most:
            raise SettingsRefused(f"{self._where}{key}: more than 0 and {most:g} at most")
        return found

    def texts(self, key: str) -> list[str]:
        found = self._said.get(key)
        if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
            raise SettingsRefused(f"{self._where}{key}: a list of texts is needed")
        return found

    def tables(self, key: str) -> list[object]:
        found = self._said.get(key)
        if not isinstance(found, list):
            raise SettingsRefused(f"{self._where}{key}: at least one table [[{key}]] is needed")
        return found


def _tls(said: object, folder: Path) -> Tls:
    table = _Table("tls.", said, {*Tls._fields})
    crl = table.text("crl", "")
    certificate, key, trust = (folder / table.text(name) for name in ("certificate", "key", "trust"))
    return Tls(certificate, key, trust, folder / crl if crl else None)


def _limits(said: object) -> Limits:
    table = _Table("limits.", said, {*Limits._fields})
    most: Mapping[str, Any] = _MOST._asdict()
    found: dict[str, Any] = {
        name: table.number(name, default, most[name]) for name, default in Limits()._asdict().items()
    }
    return Limits(**found)


def _log(said: object, number: int) -> Log:
    where = f"log {number}, "
    table = _Table(where, said, {"origin", "keys"})
    origin = table.text("origin")
    if len(quote(origin, safe="")) > LONGEST_NAME or any(one < " " for one in origin):
        raise SettingsRefused(f"{where}origin: too long, or with a control character")
    if "*" in origin.removesuffix(EVERY_YEAR) or origin == EVERY_YEAR:
        raise SettingsRefused(f"{where}origin: a name, or <site>/* for the logs of every year of a site")
    return Log(origin, tuple(_key(where, one, origin) for one in table.texts("keys")))


def _key(where: str, written: str, origin: str) -> Key:
    try:
        key = parse_key(written)
    except NoteRefused as error:
        raise SettingsRefused(f"{where}keys: {error}") from None
    if key.kind is Kind.COSIGNATURE:
        raise SettingsRefused(f"{where}keys: this is the key of a witness, not of a log")
    if not (log := Log(origin, (key,))).yearly or log.keys_of(key.name):
        return key
    raise SettingsRefused(f"{where}keys: the name of a key is the origin of one of the years")


def _name(name: str) -> str:
    try:
        return named(name)
    except NoteRefused as error:
        raise SettingsRefused(f"name: {error}") from None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
