"""Connections that we make, when the other side is revoked or its partner removed."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from connector import settings
from connector.demo.configuration import write_configuration
from connector.demo.site import Ports, Site, make_site
from connector.edges.fhir_client import FhirClient
from connector.edges.mllp_client import MllpClient
from connector.errors import ConfigurationError, PartnerRefusedUs, PartnerUnreachable
from connector.wiring.secured import Secured
from tests.edges.partner_site import Partner, answer
from tests.faults.mllp_partner import MllpPartner
from tests.mllp.loopback import Site as Keys
from tests.mllp.loopback import message, until
from tests.pki import serial_of

from .tls_site import HOLDERS

BUNDLE = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:1",
            "resource": {"resourceType": "Patient", "id": "1"},
            "request": {"method": "PUT", "url": "Patient/1"},
        }
    ],
}


@dataclass
class House:
    """A site with two links that talks to partners of its own authority."""

    site: Site
    keys: Keys
    secured: Secured

    def revoke(self, name: str) -> None:
        serial = serial_of((self.keys.folder / f"{name}.pem").read_bytes())
        (self.site.folder / "crl.pem").write_bytes(self.keys.ca.crl([serial]))

    def renew(self) -> list[tuple[str, str]]:
        assert self.secured.changed()
        return [(one.end, one.reason) for one in self.secured.apply(self.secured.look())]


@pytest.fixture
def house(tmp_path: Path) -> House:
    site, keys = make_site(tmp_path / "site", Ports(1, 2, 3, 4)), Keys(tmp_path)
    for name in HOLDERS:
        keys.ca.write(site.folder, name)
    (site.folder / "crl.pem").write_bytes(keys.ca.crl())
    write_configuration(site.folder, **asdict(site.ports))
    other = site.profile.with_name("other.toml")
    other.write_text(another(site.profile.read_text()))
    text = site.config.read_text()
    first = f'"{site.profile.relative_to(site.folder)}"'
    assert first in text
    site.config.write_text(text.replace(first, f'{first}, "{other.relative_to(site.folder)}"'))
    return House(site, keys, Secured(settings.load(site.config)))


def another(profile: str) -> str:
    """The profile of a second partner."""
    parts = profile.replace('name = "demo"', 'name = "other"')
    for client in ("analyst", "sandbox", "fhir"):
        parts = re.sub(rf"(?m)^{client} =", f"{client}-2 =", parts)
    head, _, rest = parts.partition("certificates = [")
    return f'{head}certificates = ["sha256:{7:064}"]{rest.partition("]")[2]}'


@pytest.fixture
async def hospital(house: House) -> AsyncIterator[MllpPartner]:
    here = MllpPartner(house.keys.server_context())
    async with here.running():
        yield here


async def test_a_connection_that_we_made_is_cut_when_the_partner_is_revoked(
    house: House, hospital: MllpPartner
) -> None:
    client = MllpClient("127.0.0.1", hospital.port, house.secured.context("demo v2"), "localhost")
    house.secured.calls("demo v2", client)
    async with client:
        await client.send(message("1"), "1")
        house.revoke("server")
        assert ("demo v2", "certificate revoked") in house.renew()
        await until(lambda: client.peer is None, 1.0)
        with pytest.raises(PartnerRefusedUs, match="revoked"):
            await client.send(message("2"), "2")


async def test_a_connection_that_we_made_stays_when_somebody_else_is_revoked(
    house: House, hospital: MllpPartner
) -> None:
    client = MllpClient("127.0.0.1", hospital.port, house.secured.context("demo v2"), "localhost")
    house.secured.calls("demo v2", client)
    async with client:
        await client.send(message("1"), "1")
        house.revoke("client")
        assert house.renew() == []
        await client.send(message("2"), "2")
        assert hospital.connections == 1


async def test_a_partner_that_is_removed_is_talked_to_no_more(house: House, hospital: MllpPartner) -> None:
    client = MllpClient("127.0.0.1", hospital.port, house.secured.context("other v2"), "localhost")
    house.secured.calls("other v2", client)
    async with client:
        await client.send(message("1"), "1")
        text = house.site.config.read_text()
        house.site.config.write_text(text.replace(', "profiles/demo/other.toml"', ""))
        assert [end for end, _ in house.renew()] == ["other v2"]
        await until(lambda: client.peer is None, 1.0)
        with pytest.raises(PartnerRefusedUs):
            await client.send(message("2"), "2")
    assert "other v2" not in house.secured.ends


async def test_a_request_under_way_ends_when_the_fhir_side_is_revoked(house: House, tmp_path: Path) -> None:
    (tmp_path / "fhir").mkdir()
    partner = Partner(tmp_path / "fhir", replies=[answer(200, {"resourceType": "Patient", "id": "1"}), None])
    partner.own = house.keys.ca.write(house.keys.folder, "server")
    partner.own.crl.write_bytes(house.keys.ca.crl())
    async with partner.running():
        fhir = FhirClient(partner.base, house.secured.context("demo fhir"), None)
        house.secured.calls("demo fhir", fhir)
        assert await fhir.read("Patient/1")
        waiting = asyncio.create_task(fhir.read("Patient/1"))
        await until(lambda: len(partner.asked) == 2)
        house.revoke("server")
        began = time.monotonic()
        assert ("demo fhir", "certificate revoked") in house.renew()
        with pytest.raises(PartnerUnreachable):
            await waiting
        assert time.monotonic() - began < 1
        with pytest.raises(PartnerRefusedUs, match="revoked"):
            await fhir.read("Patient/1")
        await fhir.close()


def test_a_profile_that_asks_for_lists_starts_only_with_one(house: House) -> None:
    text = house.site.config.read_text()
    house.site.config.write_text(text.replace('crl = "crl.pem"\n', ""))
    Secured(settings.load(house.site.config))
    house.site.profile.write_text(house.site.profile.read_text() + '\n[v2.tls]\nrevocation = "required"\n')
    with pytest.raises(ConfigurationError, match="requires revocation lists"):
        Secured(settings.load(house.site.config))
    house.site.config.write_text(text)
    Secured(settings.load(house.site.config))


def test_a_subject_that_several_authorities_could_give_must_say_which(house: House) -> None:
    profile = house.site.profile.read_text()
    head, _, rest = profile.partition("certificates = [")
    house.site.profile.write_text(f'{head}subjects = ["CN=hospital"]{rest.partition("]")[2]}')
    Secured(settings.load(house.site.config))
    trust = house.site.folder / "ca.pem"
    trust.write_bytes(trust.read_bytes() + type(house.keys.ca)("Second CA").pem)
    with pytest.raises(ConfigurationError, match="several authorities"):
        Secured(settings.load(house.site.config))


def test_a_partner_s_own_files_are_used_for_it_alone(house: House) -> None:
    alone = type(house.keys.ca)("Lab CA")
    (house.site.profile.parent / "lab.pem").write_bytes(alone.pem)
    house.site.profile.write_text(
        house.site.profile.read_text() + '\n[v2.tls]\ntrust = "lab.pem"\nminimum = "1.3"\n'
    )
    ends = Secured(settings.load(house.site.config)).ends
    assert ends["demo v2"].trust.anchors[0].authorities == (alone.certificate,)
    assert ends["demo v2"].files.minimum == "1.3"
    assert ends["demo fhir"].trust.anchors[0].authorities == (house.keys.ca.certificate,)
    assert ends["other v2"].trust.anchors[0].authorities == (house.keys.ca.certificate,)
