"""The files of a throw-away site: keys, certificates, tokens, ``connector.toml`` and the profile.

The folder is made anew each time. A folder that this module did not make is never touched: the file
``site.json``, which holds the ports, marks its own.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from connector.demo import tokens
from connector.demo.certificates import Authority, fingerprint, write_private
from connector.demo.configuration import write_configuration
from connector.errors import ConfigurationError

SERVERS: Final = ("connector", "hospital", "fhir")
_MARK: Final = "site.json"


@dataclass(frozen=True, slots=True)
class Ports:
    """The TCP ports of one site on localhost."""

    mllp: int = 2575  # the connector receives HL7 v2
    https: int = 8443  # the connector's API
    hospital: int = 2576  # the hospital system receives HL7 v2
    sandbox: int = 8444  # the FHIR sandbox


@dataclass(frozen=True, slots=True)
class Site:
    """A made site: where its files are and which ports it uses."""

    folder: Path
    ports: Ports

    @classmethod
    def open(cls, folder: Path) -> Site:
        """The site in ``folder``; ``ConfigurationError`` where none was made."""
        try:
            ports = Ports(**json.loads((folder / _MARK).read_text()))
        except FileNotFoundError:
            raise ConfigurationError(
                f"there is no demo site in {folder}", fix="make_site makes one"
            ) from None
        return cls(folder, ports)

    @property
    def config(self) -> Path:
        """What ``connector serve --config`` takes."""
        return self.folder / "connector.toml"

    @property
    def profile(self) -> Path:
        """The profile of the one link."""
        return self.folder / "profiles" / "demo" / "profile.toml"

    @property
    def store(self) -> Path:
        """The connector's database."""
        return self.folder / "store.db"

    @property
    def log(self) -> Path:
        """The folder of the logs of the three processes."""
        return self.folder / "log"

    @property
    def spool(self) -> Path:
        """The folder from which the hospital system sends: drop a ``.hl7`` file there."""
        return self.folder / "hospital" / "out"

    @property
    def sent(self) -> Path:
        """What the hospital sent and which acknowledgment it got, JSON lines."""
        return self.folder / "hospital" / "sent.jsonl"

    @property
    def received(self) -> Path:
        """What the hospital received, in order, JSON lines."""
        return self.folder / "hospital" / "received.jsonl"

    @property
    def resources(self) -> Path:
        """Every write the FHIR sandbox took, JSON lines."""
        return self.folder / "sandbox.jsonl"

    @property
    def sandbox_url(self) -> str:
        """Where the FHIR sandbox listens."""
        return f"https://localhost:{self.ports.sandbox}"

    @property
    def connector_url(self) -> str:
        """Where the connector's API listens."""
        return f"https://localhost:{self.ports.https}"


def make_site(folder: Path, ports: Ports | None = None) -> Site:
    """A fresh site in ``folder``, in place of the one that this function made there before.

    Raises ``ConfigurationError`` if the folder holds anything else.
    """
    folder = folder.resolve()
    site = Site(folder, ports or Ports())
    _clear(folder)
    _make_folders(site)
    (folder / _MARK).write_text(json.dumps(asdict(site.ports)) + "\n")
    _make_certificates(folder)
    write_private(folder / "kek.key", base64.b64encode(os.urandom(32)) + b"\n")
    for name in ("issuer", "client", "sandbox"):
        tokens.write_key(folder, name)
    write_configuration(folder, **asdict(site.ports))
    return site


def peer(site: Site, name: str) -> str:
    """The fingerprint by which a profile names ``<name>.pem``."""
    return fingerprint((site.folder / f"{name}.pem").read_bytes())


def _clear(folder: Path) -> None:
    if not folder.exists():
        return
    if any(folder.iterdir()) and not (folder / _MARK).is_file():
        raise ConfigurationError(f"{folder} is not empty and no demo site", fix="name another folder")
    shutil.rmtree(folder)


def _make_folders(site: Site) -> None:
    site.folder.mkdir(parents=True)
    for folder in (site.folder, site.log, site.spool.parent, site.spool, site.profile.parent):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)


def _make_certificates(folder: Path) -> None:
    authority = Authority(folder, dt.datetime.now(dt.UTC))
    for name in SERVERS:
        authority.issue(name)
    authority.issue("analyst", client_only=True)
    authority.publish_revocations([authority.issue("revoked", client_only=True)])
