"""``connector serve`` where it cannot start: it says in one line why."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.demo.conftest import site, start
from tests.forked import Nursery
from tests.ports import free_ports
from tests.serving import Connector, connector, nursery
from tests.store.site import rows

__all__ = ["connector", "nursery", "site", "start"]  # fixtures


@pytest.mark.parametrize("name", ["mllp", "https"])
def test_a_port_in_use_is_named(connector: Connector, name: str) -> None:
    port = getattr(connector.site.ports, name)
    with closing(socket.create_server(("127.0.0.1", port))):
        code, said = connector.refuses()
    assert code == 2
    assert f"127.0.0.1:{port}" in said
    assert f"[{name}]" in said


def test_a_second_service_on_the_same_store_is_refused(connector: Connector, nursery: Nursery) -> None:
    connector.up()
    site = connector.site
    text = site.config.read_text()
    for name in ("mllp", "https"):
        text = text.replace(f"port = {getattr(site.ports, name)}", f"port = {free_ports(1)[0]}")
    config = site.folder / "other.toml"
    config.write_text(text)
    with (site.log / "other.log").open("wb") as log:
        process = nursery.start(["connector", "serve", "--config", str(config)], log)
    assert process.wait(30) == 1
    said = (site.log / "other.log").read_text()
    assert "another connector runs on this store" in said
    assert "Traceback" not in said
    assert connector.end() == 0


@pytest.mark.parametrize(("name", "code"), [("kek.key", 1), ("connector.key", 2), ("client.key.json", 1)])
def test_a_key_that_others_may_read_is_refused(connector: Connector, name: str, code: int) -> None:
    (connector.site.folder / name).chmod(0o644)
    found, said = connector.refuses()
    assert found == code
    assert "read" in said
    assert name in said
    assert "chmod 600" in said


@pytest.mark.parametrize("name", ["crl.pem", "ca.pem", "connector.pem", "connector.key", "issuer.jwks.json"])
def test_a_missing_file_is_named(connector: Connector, name: str) -> None:
    (connector.site.folder / name).unlink()
    code, said = connector.refuses()
    assert code == 2
    assert name in said


def test_a_missing_key_encryption_key_is_named(connector: Connector) -> None:
    (connector.site.folder / "kek.key").unlink()
    code, said = connector.refuses()
    assert code == 1
    assert "kek.key" in said


def test_a_revocation_list_that_is_over_is_refused(connector: Connector) -> None:
    publish_old_list(connector.site.folder)
    code, said = connector.refuses()
    assert code == 2
    assert "crl.pem" in said


def publish_old_list(folder: Path) -> None:
    """A list of revocations of the site's own authority that ended an hour ago."""
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    ended = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()).subject)
        .last_update(ended - dt.timedelta(hours=1))
        .next_update(ended)
        .add_extension(x509.CRLNumber(1), critical=False)
        .add_extension(issued_by, critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "crl.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))


def test_a_fault_in_the_profile_is_told_by_file_and_line(connector: Connector) -> None:
    profile = connector.site.profile
    profile.write_text(profile.read_text().replace('conformance = "lenient"', 'conformance = "lenent"'))
    code, said = connector.refuses()
    assert code == 2
    line = next(n for n, text in enumerate(profile.read_text().splitlines(), 1) if "lenent" in text)
    assert f"profile.toml:{line}" in said


def test_a_store_that_is_no_database_is_refused_and_left_as_it_is(connector: Connector) -> None:
    store = connector.site.store
    store.write_bytes(b"this is no database, but somebody's letter to the hospital. " * 100)
    before = store.read_bytes()
    code, said = connector.refuses()
    assert code == 1
    assert "database" in said
    assert store.read_bytes() == before


def test_a_store_made_with_another_key_is_refused(connector: Connector) -> None:
    connector.up()
    assert connector.end() == 0
    shutil.copy(connector.site.folder / "kek.key", connector.site.folder / "old.key")
    (connector.site.folder / "kek.key").write_bytes(b"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MDA=\n")
    code, said = connector.refuses()
    assert code == 1
    assert "another key" in said


def test_a_store_in_a_folder_that_is_not_there_is_refused(connector: Connector) -> None:
    config = connector.site.config
    config.write_text(config.read_text().replace('"store.db"', '"nowhere/store.db"'))
    code, said = connector.refuses()
    assert code in (1, 2)
    assert "store" in said or "database" in said


def test_an_audit_log_that_was_altered_stops_the_start(connector: Connector) -> None:
    connector.up()
    assert connector.end() == 0
    triggers = rows(connector.site.folder, "SELECT name FROM sqlite_master WHERE type = 'trigger'")
    rows(connector.site.folder, f"DROP TRIGGER {triggers[0][0]}")
    code, said = connector.refuses()
    assert code == 1
    assert "audit log" in said


def test_a_sealed_log_without_its_key_or_with_another_site_stops_the_start(connector: Connector) -> None:
    connector.up()
    assert connector.end() == 0
    key = connector.site.store.with_suffix(".audit.key")
    key.chmod(0o644)
    code, said = connector.refuses()
    assert (code, "others may read it" in said) == (1, True)
    key.unlink()
    code, said = connector.refuses()
    assert (code, "put the key back" in said) == (1, True)
    assert not key.exists()
    connector.site.config.write_text(f'{connector.site.config.read_text()}\n[audit]\nsite = "other"\n')
    code, said = connector.refuses()
    assert (code, "another log" in said) == (2, True)


def test_a_configuration_that_is_not_there_is_a_wrong_use(connector: Connector) -> None:
    connector.site.config.unlink()
    process = connector.begin()
    assert process.wait(30) == 2
    assert "does not exist" in connector.said()
