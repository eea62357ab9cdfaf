"""``connector serve`` as a process: it starts, ends, comes back, or says in one line why it cannot."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from audit import verify
from connector.demo import tls
from connector.demo.messages import Answer, frame, read_answer
from connector.demo.site import Site
from connector.demo.status import Counted, StoreStatus
from tests.demo.conftest import site, start
from tests.faults.storm import admission, lines
from tests.forked import Forked, Nursery
from tests.ports import free_ports
from tests.store.site import rows

__all__ = ["site", "start"]  # fixtures

Start = Callable[..., subprocess.Popen[bytes]]
PARTS = {"audit": True, "demo answer": True, "demo to_fhir": True, "demo to_v2": True, "tls": True}


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery("connector.app", "connector.commands.serve") as made:
        yield made


class Connector:
    """``connector serve`` over a site; what it writes to stderr goes to a file."""

    def __init__(self, site: Site, nursery: Nursery) -> None:
        self.site, self._nursery = site, nursery
        self._errors = site.log / "connector.log"
        self.process: Forked | None = None

    def begin(self) -> Forked:
        with self._errors.open("wb") as errors:
            self.process = self._nursery.start(
                ["connector", "serve", "--config", str(self.site.config)], errors
            )
        return self.process

    def up(self) -> None:
        """Start it and wait until it answers."""
        process = self.begin()
        deadline = time.monotonic() + 30
        while ready(self.site) is None:
            assert process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)

    def refuses(self) -> tuple[int, str]:
        """Start it where it cannot start: its exit code, and the one line that it says."""
        code = self.begin().wait(30)
        said = self.said()
        assert "Traceback" not in said, said
        (line,) = [line for line in said.splitlines() if not line.startswith("{")]
        assert line.startswith("connector: "), said
        return code, line

    def said(self) -> str:
        return self._errors.read_text()


@pytest.fixture
def connector(site: Site, nursery: Nursery) -> Iterator[Connector]:
    made = Connector(site, nursery)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait(10)


def ready(site: Site) -> httpx2.Response | None:
    """The answer of the readiness check; None where nobody answers yet."""
    context = tls.client_context(site.folder, "analyst")
    try:
        with httpx2.Client(verify=context, timeout=5) as client:
            return client.get(f"{site.connector_url}/health/ready")
    except httpx2.HTTPError:
        return None


def send(site: Site, message: str) -> Answer:
    """Send one message as the hospital does; the answer."""
    context = tls.client_context(site.folder, "hospital")
    with (
        socket.create_connection(("127.0.0.1", site.ports.mllp), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(frame(message.encode()))
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            answer += secure.recv(65536)
    return read_answer(answer[1:-2])


def counted(site: Site, direction: str = "to_fhir") -> Counted:
    async def read() -> Counted:
        status = StoreStatus(site)
        found = await status.counts()
        await status.close()
        return found.get(direction, Counted())

    return asyncio.run(read())


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def tags(site: Site) -> list[str]:
    return [
        json.loads(leaf)["tag"] for (leaf,) in rows(site.folder, "SELECT entry FROM audit_entry ORDER BY seq")
    ]


# --- it starts, ends and comes back ------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_and_a_signal_ends_it_with_zero(connector: Connector, number: signal.Signals) -> None:
    connector.up()
    answer = ready(connector.site)
    assert answer is not None
    assert (answer.status_code, answer.json()["parts"]) == (200, PARTS)
    assert connector.end(number) == 0
    said = [one for one in tags(connector.site) if not one.startswith("audit:")]
    assert said == ["service:started", "profile:loaded", "service:stopped"]
    assert verify(connector.site.store).good
    assert all(json.loads(line)["event"] for line in connector.said().splitlines())


def test_what_waits_at_the_end_is_delivered_after_a_restart(connector: Connector, start: Start) -> None:
    site = connector.site
    connector.up()
    taken = [send(site, admission("A01", f"H{n}", f"W{n}", n)) for n in range(3)]
    assert [answer.code for answer in taken] == ["AA", "AA", "AA"]
    until(lambda: "PartnerUnreachable" in "".join(reasons(site)))
    assert connector.end() == 0
    assert (counted(site).received, counted(site).waiting) == (3, 3)
    start("sandbox", site.ports.sandbox)
    connector.up()
    until(lambda: counted(site).waiting == 0)
    assert (counted(site).delivered, counted(site).dead) == (3, 0)
    assert connector.end() == 0
    written = [change["key"] for line in lines(site.resources) for change in line.get("changes", ())]
    assert sum(key.startswith("Patient/") for key in written) == 3


def reasons(site: Site) -> list[str]:
    return [reason for (reason,) in rows(site.folder, "SELECT reason FROM outbox")]


def test_a_lane_that_waits_for_a_person_goes_on_after_a_hang_up_signal(
    connector: Connector, start: Start
) -> None:
    site = connector.site
    keys = site.folder / "client.jwks.json"
    right = keys.read_bytes()
    keys.write_bytes((site.folder / "issuer.jwks.json").read_bytes())
    sandbox = start("sandbox", site.ports.sandbox)
    connector.up()
    assert send(site, admission("A08", "H1", "M1", 1)).code == "AA"

    def lane() -> object:
        answer = ready(site)
        return answer and answer.json()["parts"]["demo to_fhir"]

    until(lambda: lane() == "PartnerRefusedUs")
    keys.write_bytes(right)
    sandbox.kill()
    sandbox.wait(10)
    start("sandbox", site.ports.sandbox)
    assert lane() == "PartnerRefusedUs"
    assert connector.process is not None
    connector.process.send_signal(signal.SIGHUP)
    until(lambda: counted(site).delivered == 1)
    assert lane() is True
    assert connector.end() == 0


def test_a_signal_lets_a_message_in_hand_be_answered(connector: Connector) -> None:
    """Half of a frame is no message in hand: it ends with the connection, and the sender still has it."""
    connector.up()
    site = connector.site
    context = tls.client_context(site.folder, "hospital")
    with (
        socket.create_connection(("127.0.0.1", site.ports.mllp), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(frame(admission("A01", "H1", "W1", 1).encode()) + b"\x0bMSH|")
        assert connector.process is not None
        answer = secure.recv(65536)
        connector.process.send_signal(signal.SIGTERM)
        assert secure.recv(65536) == b""
    assert read_answer(answer[1:-2]).code == "AA"
    assert connector.process.wait(30) == 0
    assert counted(site).received == 1


def test_it_comes_back_after_a_kill_with_what_it_acknowledged(connector: Connector) -> None:
    site = connector.site
    connector.up()
    message = admission("A01", "H1", "W1", 1)
    assert send(site, message).code == "AA"
    assert connector.end(signal.SIGKILL) == -signal.SIGKILL
    connector.up()
    assert send(site, message).code == "AA"
    assert (counted(site).received, counted(site).duplicates) == (1, 1)
    assert connector.end() == 0
    assert tags(site).count("service:started") == 2
    assert verify(site.store).good


# --- it refuses to start -----------------------------------------------------------------------------


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


def test_a_configuration_that_is_not_there_is_a_wrong_use(connector: Connector) -> None:
    connector.site.config.unlink()
    process = connector.begin()
    assert process.wait(30) == 2
    assert "does not exist" in connector.said()


def test_only_certificates_of_the_trust_anchor_are_let_in(connector: Connector) -> None:
    connector.up()
    bare = ssl.create_default_context(cafile=str(connector.site.folder / "ca.pem"))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        refused(connector.site, bare)
    revoked = tls.client_context(connector.site.folder, "revoked")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        refused(connector.site, revoked)
    until(lambda: tags(connector.site).count("tls:handshake:refused") == 2)
    assert connector.end() == 0


def refused(site: Site, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", site.ports.mllp), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"\x0bMSH|")
        if not secure.recv(10):
            raise ConnectionResetError
