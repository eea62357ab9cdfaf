"""Whose certificate a client of our token endpoint may show, where partners have authorities of their own."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import httpx2
import pytest

from connector import settings
from connector.app import Service
from connector.demo import tls
from connector.demo.configuration import write_configuration
from connector.demo.site import Ports, Site, make_site
from connector.edges.authorization_keys import Rotation
from connector.errors import ConfigurationError
from connector.wiring import open_store
from connector.wiring.secured import Secured
from tests.pki import Authority, write_private
from tests.ports import free_ports

from .tls_site import HOLDERS

SETTINGS = """
[authorization]
issuer = "https://localhost:{port}"
keys = "authorization.keys.json"

[[authorization.clients]]
id = "by-subject"
subjects = ["CN=analyst"]
scopes = ["system/*.cruds"]
audience = "https://connector.demo.invalid/fhir"

[[authorization.clients]]
id = "by-name"
names = ["DNS:analyst.example"]
scopes = ["system/*.cruds"]
audience = "https://connector.demo.invalid/fhir"
"""


def made(folder: Path) -> Site:
    """``analyst.pem`` is of the service's authority; ``forged.pem`` says the same and is of the partner's."""
    site = make_site(folder / "site", Ports(*free_ports(4)))
    ours, partners = Authority("Ours"), Authority("Partner's")
    for name in HOLDERS:
        ours.write(site.folder, name)
    (site.folder / "crl.pem").write_bytes(ours.crl())
    write_configuration(site.folder, **asdict(site.ports))
    for name, authority in (("analyst", ours), ("forged", partners)):
        certificate, key = authority.issue("analyst", sans=["analyst.example"])
        (site.folder / f"{name}.pem").write_bytes(certificate)
        write_private(site.folder / f"{name}.key", key)
    (site.folder / "partner.pem").write_bytes(partners.pem)
    profile = re.sub(r"(?s)(\[fhir\.from\].*?)certificates = \[.*?\]\n", r"\1", site.profile.read_text())
    site.profile.write_text(profile + '\n[fhir.tls]\ntrust = "../../partner.pem"\n')
    site.config.write_text(site.config.read_text() + SETTINGS.format(port=site.ports.https))
    Rotation(site.folder / "authorization.keys.json", int(time.time()), 300).take_effect()
    return site


@asynccontextmanager
async def two_authorities(folder: Path) -> AsyncIterator[Site]:
    """Its service runs."""
    site = made(folder)
    configuration = settings.load(site.config)
    service = Service(configuration, open_store(configuration.settings))
    await service.start()
    try:
        yield site
    finally:
        await service.stop()


async def asked(site: Site, holder: str, client: str) -> httpx2.Response:
    form = {"grant_type": "client_credentials", "client_id": client, "scope": "system/*.c"}
    context = tls.client_context(site.folder, holder)
    async with httpx2.AsyncClient(verify=context, base_url=site.connector_url, timeout=5) as connection:
        return await connection.post("/oauth/token", data=form)


async def test_what_a_certificate_says_counts_below_our_own_authorities_alone(tmp_path: Path) -> None:
    async with two_authorities(tmp_path) as site:
        for client in ("by-subject", "by-name"):
            assert (await asked(site, "analyst", client)).status_code == 200
            forged = await asked(site, "forged", client)
            assert (forged.status_code, forged.json()["error"]) == (400, "invalid_client")
            other = await asked(site, "hospital", client)
            assert (other.status_code, other.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize("issued_by", ["", 'issued_by = ["CN=Ours"]\n'])
def test_where_several_authorities_could_it_is_said_which_one(tmp_path: Path, issued_by: str) -> None:
    site = made(tmp_path)
    text = site.config.read_text().replace('id = "by-', f'{issued_by}id = "by-')
    site.config.write_text(text.replace("crl = ", "# "))
    with (site.folder / "ca.pem").open("ab") as trusted:
        trusted.write((site.folder / "partner.pem").read_bytes())
    if issued_by:
        Secured(settings.load(site.config))
        return
    with pytest.raises(ConfigurationError, match="several authorities") as raised:
        Secured(settings.load(site.config))
    assert raised.value.location == "the client by-subject"
