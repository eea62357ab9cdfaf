"""``connector serve`` as a process: it starts, ends, comes back, and lets nobody else in."""

from __future__ import annotations

import json
import signal
import socket
import ssl

import pytest

from audit import verify
from connector.demo import tls
from connector.demo.messages import frame, read_answer
from connector.demo.site import Site
from tests.demo.conftest import site, start
from tests.faults.storm import admission, lines
from tests.serving import PARTS, Connector, Start, connector, counted, nursery, ready, send, tags, until
from tests.store.site import rows

__all__ = ["connector", "nursery", "site", "start"]  # fixtures


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_and_a_signal_ends_it_with_zero(connector: Connector, number: signal.Signals) -> None:
    connector.up()
    answer = ready(connector.site)
    assert answer is not None
    assert (answer.status_code, answer.json()["parts"]) == (200, PARTS)
    assert connector.end(number) == 0
    said = [one for one in tags(connector.site) if not one.startswith(("audit:", "clock:", "tls:"))]
    assert said == [
        "service:started",
        "keys:loaded",
        "profile:loaded",
        "settings:loaded",
        "service:stopped",
    ]
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
