"""A site has every file in its place, and nobody else can read its secrets."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from connector.demo import tokens
from connector.demo.site import Ports, Site, make_site, peer
from connector.errors import ConfigurationError
from connector.settings import load

LEAVES = ("connector", "hospital", "fhir", "analyst", "revoked")


def certificate(site: Site, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((site.folder / f"{name}.pem").read_bytes())


def test_secrets_can_be_read_by_their_owner_alone(site: Site) -> None:
    secrets = [*site.folder.glob("*.key"), *site.folder.glob("*.key.json")]
    assert {path.name for path in secrets} >= {"ca.key", "kek.key", "issuer.key.json", "client.key.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}
    assert stat.S_IMODE(site.folder.stat().st_mode) == 0o700


def test_secrets_are_private_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        site = make_site(tmp_path / "open")
    finally:
        os.umask(before)
    assert stat.S_IMODE((site.folder / "kek.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(site.folder.stat().st_mode) == 0o700


def test_the_key_encryption_key_is_32_random_bytes(site: Site) -> None:
    assert len(base64.b64decode((site.folder / "kek.key").read_bytes(), validate=False)) == 32


@pytest.mark.parametrize("name", LEAVES)
def test_a_leaf_is_signed_by_the_authority_and_good_for_localhost(site: Site, name: str) -> None:
    leaf = certificate(site, name)
    leaf.verify_directly_issued_by(certificate(site, "ca"))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert "127.0.0.1" in {str(address) for address in names.get_values_for_type(x509.IPAddress)}


def test_only_servers_may_serve(site: Site) -> None:
    for name in LEAVES:
        uses = certificate(site, name).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert ExtendedKeyUsageOID.CLIENT_AUTH in uses
        assert (ExtendedKeyUsageOID.SERVER_AUTH in uses) == (name in ("connector", "hospital", "fhir"))


def test_the_revocation_list_names_the_revoked_one_alone(site: Site) -> None:
    revocations = x509.load_pem_x509_crl((site.folder / "crl.pem").read_bytes())
    assert [one.serial_number for one in revocations] == [certificate(site, "revoked").serial_number]


def test_the_public_keys_hold_nothing_private(site: Site) -> None:
    for name in ("issuer", "client", "sandbox"):
        (key,) = json.loads((site.folder / f"{name}.jwks.json").read_bytes())["keys"]
        assert key["alg"] == "ES384"
        assert "d" not in key
        assert tokens.read_key(site.folder, name).kid == key["kid"]


def test_a_site_is_made_anew_in_place_of_the_old_one(site: Site) -> None:
    old = peer(site, "connector")
    (site.folder / "leftover").write_text("from the last run")
    again = make_site(site.folder, Ports(mllp=12575))
    assert peer(again, "connector") != old
    assert not (site.folder / "leftover").exists()
    assert Site.open(site.folder).ports.mllp == 12575


def test_a_folder_that_is_no_site_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigurationError):
        make_site(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    with pytest.raises(ConfigurationError):
        Site.open(tmp_path)


def test_the_settings_and_the_profile_of_a_site_are_valid_and_name_its_ports_and_partners(site: Site) -> None:
    settings, (profile,) = load(site.config)
    ports = site.ports
    assert (settings.mllp.port, settings.https.port) == (ports.mllp, ports.https)
    assert (settings.store, settings.https.url) == (site.store, f"{site.connector_url}/fhir")
    assert settings.tls.certificate == site.folder / "connector.pem"
    assert profile.path == site.profile
    assert profile.v2.sender is not None
    assert profile.v2.sender.certificates == (peer(site, "hospital"),)
    assert profile.v2.receiver is not None
    assert profile.v2.receiver.port == ports.hospital
    assert profile.fhir.base == f"{site.sandbox_url}/fhir"


def test_the_profile_trusts_the_sites_own_tokens_and_certificates_alone(site: Site) -> None:
    _, (profile,) = load(site.config)
    caller, token = profile.fhir.caller, profile.fhir.token
    assert caller is not None
    assert caller.certificates == (peer(site, "fhir"), peer(site, "analyst"))
    assert (caller.issuer, caller.audience) == (tokens.ISSUER, tokens.CONNECTOR_AUDIENCE)
    assert caller.jwks.samefile(site.folder / "issuer.jwks.json")
    assert caller.certificate_bound
    assert token is not None
    assert (token.url, token.client_id) == (f"{site.sandbox_url}/token", "connector")
    assert token.key.samefile(site.folder / "client.key.json")
