"""A running service whose authority a test holds, so that it can revoke, renew and break what it likes."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx2

from connector import settings
from connector.app import Service
from connector.demo import tls
from connector.demo.configuration import write_configuration
from connector.demo.site import Ports, Site, make_site
from connector.wiring import open_store
from tests.pki import Authority, serial_of, write_private
from tests.ports import free_ports
from tests.store.site import rows

HOLDERS = ("connector", "hospital", "fhir", "analyst")


@dataclass
class Home:
    """The site, its service, and the authority of everybody there."""

    site: Site
    authority: Authority
    service: Service

    @property
    def folder(self) -> Path:
        return self.site.folder

    def revoke(self, *names: str) -> None:
        """A new list that names these, renamed into its place."""
        serials = [serial_of((self.folder / f"{name}.pem").read_bytes()) for name in names]
        self.put("lists.pem", self.authority.crl(serials))

    def put(self, name: str, content: bytes) -> None:
        """A file in the place of another, at once."""
        write_private(self.folder / f"{name}.new", content)
        os.replace(self.folder / f"{name}.new", self.folder / name)

    def change(self, old: str, new: str) -> None:
        """Other words in the profile."""
        text = self.site.profile.read_text()
        assert old in text
        self.site.profile.write_text(text.replace(old, new))

    def tls_warnings(self) -> dict[str, str]:
        return dict(self.service._renewing.warnings())

    def audited(self, tag: str) -> list[dict[str, Any]]:
        entries = [
            json.loads(one) for (one,) in rows(self.folder, "SELECT entry FROM audit_entry ORDER BY seq")
        ]
        return [one for one in entries if one["tag"] == tag]

    def client(self, holder: str = "analyst") -> httpx2.AsyncClient:
        context = tls.client_context(self.folder, holder)
        return httpx2.AsyncClient(verify=context, base_url=self.site.connector_url, timeout=5)

    def shown(self) -> bytes:
        """The certificate that the MLLP listener shows now (blocking)."""
        return ssl.get_server_certificate(("127.0.0.1", self.site.ports.mllp)).encode()

    async def eventually(self, condition: Callable[[], Any], seconds: float = 5.0) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := condition()):  # noqa: ASYNC110 - the condition is not ours to signal
                await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def at_home(
    folder: Path, warn_days: int = 5, more: Callable[[Path, Authority], str] = lambda folder, authority: ""
) -> AsyncIterator[Home]:
    """A service that runs. ``more``: makes what else belongs to the site, and says so in its settings."""
    site = make_site(folder / "site", Ports(*free_ports(4)))
    authority = Authority()
    for name in HOLDERS:
        authority.write(site.folder, name)
    for name in ("crl", "lists"):  # of the partners, and of the service
        (site.folder / f"{name}.pem").write_bytes(authority.crl())
    write_configuration(site.folder, **asdict(site.ports))
    text = site.config.read_text().replace("crl.pem", "lists.pem")
    site.config.write_text(text.replace("[tls]", f"[tls]\nwarn_days = {warn_days}"))
    site.config.write_text(site.config.read_text() + more(site.folder, authority))
    configuration = settings.load(site.config)
    service = Service(configuration, open_store(configuration.settings))
    await service.start()
    try:
        yield Home(site, authority, service)
    finally:
        await service.stop()
