"""A witness over real connections: mutual TLS, HTTP/1.1 as its clients speak it, and every limit."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.witness import SIZE, Answer
from audit.witness_http import _REASONS, HEAD, BadRequest, _Reading, context
from audit.witness_settings import Limits, SettingsRefused, Tls
from tests.audit.witness_site import (
    FORK,
    Running,
    believed,
    body,
    client_context,
    connected,
    site,
)
from tests.pki import Authority, SiteFiles, serial_of

Run = Callable[..., Running]
POST = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    running: list[Running] = []

    def made(files: SiteFiles | None = None, limits: Limits = Limits(), prefix: str = "") -> Running:  # noqa: B008
        running.append(Running(tmp_path, files, limits, prefix))
        return running[-1]

    yield made
    for one in running:
        one.close()


def ask(running: Running, *sent: bytes, files: SiteFiles | None = None, path: str = "") -> list[Answer]:
    """Over one connection."""
    with closing(http.client.HTTPConnection("localhost", running.port, timeout=10)) as client:
        client.sock = connected(running, files)
        found = []
        for one in sent:
            client.request("POST", path or "/add-checkpoint", one)
            answer = client.getresponse()
            found.append(Answer(answer.status, answer.headers["Content-Type"], answer.read()))
        return found


def raw(running: Running, sent: bytes) -> bytes:
    """All that comes back until the connection ends."""
    with connected(running) as client:
        client.sendall(sent)
        return b"".join(iter(lambda: client.recv(4096), b""))


def test_a_log_is_cosigned_over_one_connection_of_mutual_tls(run: Run, tmp_path: Path) -> None:
    files = site(tmp_path)
    running = run(files)
    sent = [body(0, 8), body(0, 9), body(8, 9), body(9, 20, FORK)]
    answers = ask(running, *sent, files=files)
    assert [one.status for one in answers] == [200, 409, 200, 422]
    assert believed(sent[2], answers[2], running.signers).size == 9
    assert answers[1] == Answer(409, SIZE, b"8\n")


def test_who_shows_no_certificate_or_a_revoked_or_foreign_one_gets_no_answer(
    run: Run, tmp_path: Path
) -> None:
    authority = Authority()
    files = authority.write(tmp_path, "witness")
    revoked = authority.write(tmp_path, "revoked")
    serial = serial_of(revoked.certificate.read_bytes())
    files.crl.write_bytes(authority.crl([serial]))
    running = run(files)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    foreign = Authority("Other CA").write(elsewhere, "foreign")
    for own in (None, revoked, foreign):
        assert _heard(running, files, own) == b""
    assert ask(running, body(0, 3), files=files)[0].status == 200


def _heard(running: Running, trusted: SiteFiles, own: SiteFiles | None) -> bytes:
    """What comes back where this certificate is shown, or none."""
    made = ssl.create_default_context(cafile=str(trusted.trust))
    if own is not None:
        made.load_cert_chain(own.certificate, own.key)
    plain = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    with closing(plain):
        try:
            with made.wrap_socket(plain, server_hostname="localhost") as client:
                client.sendall(POST + b"Content-Length: 0\r\n\r\n")
                return client.recv(100)
        except (ssl.SSLError, ConnectionError):
            return b""


def test_nobody_speaks_less_than_tls_13_and_nobody_resumes(run: Run, tmp_path: Path) -> None:
    files = site(tmp_path)
    running = run(files)
    made = client_context(files)
    made.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    with closing(plain), pytest.raises(ssl.SSLError):
        made.wrap_socket(plain, server_hostname="localhost")
    with connected(running, files) as client:
        assert isinstance(client, ssl.SSLSocket)
        client.sendall(POST + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
        while client.recv(4096):
            pass
        assert client.session is None or not client.session.has_ticket


@pytest.mark.parametrize("missing", ["certificate", "key", "trust", "crl"])
def test_without_one_of_its_files_it_does_not_start(missing: str, tmp_path: Path) -> None:
    files = site(tmp_path)
    tls = Tls(files.certificate, files.key, files.trust, files.crl)._replace(**{missing: tmp_path / "none"})
    with pytest.raises(SettingsRefused):
        context(tls)


STATUS: dict[str, tuple[int, bytes]] = {
    "no HTTP": (400, b"GARBAGE\r\n\r\n"),
    "HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\n"),
    "another address": (404, b"POST /add HTTP/1.1\r\nHost: w\r\n\r\n"),
    "another method": (405, b"GET /add-checkpoint HTTP/1.1\r\nHost: w\r\n\r\n"),
    "no host": (400, b"POST /add-checkpoint HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
    "no length": (411, POST + b"\r\n"),
    "chunked": (411, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
    "a length with a sign": (411, POST + b"Content-Length: +1\r\n\r\n0"),
    "two lengths": (400, POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n00"),
    "a folded line": (400, POST + b"Content-Length: 1\r\n 2\r\n\r\n0"),
    "a blank before the colon": (400, POST + b"Content-Length : 1\r\n\r\n0"),
    "an expectation": (417, POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"),
    "too long a body": (413, POST + b"Content-Length: 65537\r\n\r\n"),
    "too long a head": (431, POST + b"X: " + b"x" * HEAD + b"\r\n\r\n"),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    limits = Limits(request_seconds=0.3, idle_seconds=0.2)
    running = Running(tmp_path_factory.mktemp("plain"), None, limits)
    yield running
    running.close()


@pytest.mark.parametrize("case", STATUS)
def test_what_is_no_request_is_refused_and_ends_the_connection(case: str, plain: Running) -> None:
    status, sent = STATUS[case]
    answer = raw(plain, sent)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"\r\nConnection: close\r\n" in answer


def test_a_request_that_drips_ends_in_time_and_a_silent_connection_too(plain: Running) -> None:
    assert raw(plain, b"").startswith(b"")
    assert raw(plain, POST).startswith(b"HTTP/1.1 408 ")
    assert raw(plain, POST + b"Content-Length: 5\r\n\r\n1234").startswith(b"HTTP/1.1 408 ")


def test_who_asks_that_it_ends_gets_his_answer_first(plain: Running) -> None:
    for head in (POST + b"Connection: close\r\n", POST.replace(b"HTTP/1.1", b"HTTP/1.0")):
        answer = raw(plain, head + b"Content-Length: 0\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"\r\nConnection: close\r\n" in answer


def test_two_requests_at_once_get_two_answers(plain: Running) -> None:
    twice = 2 * (POST + b"Content-Length: 0\r\n\r\n")
    assert raw(plain, twice).count(b"HTTP/1.1 400 ") == 2


def test_silent_peers_are_let_go_for_the_next_one(run: Run, tmp_path: Path) -> None:
    files = site(tmp_path)
    running = run(files, Limits(connections=2, handshake_seconds=0.2))
    silent = [connected(running) for _ in range(6)]
    assert ask(running, body(0, 3), files=files)[0].status == 200
    for one in silent:
        one.close()


def test_what_goes_wrong_within_is_500_and_ends_nothing(run: Run) -> None:
    running = run()
    running.witness.add = lambda sent: 1 // 0  # type: ignore[assignment, return-value, method-assign]
    assert [one.status for one in ask(running, b"", b"")] == [500, 500]
    del running.witness.add
    assert ask(running, body(0, 3))[0].status == 200


def test_the_address_has_a_prefix_if_wanted(run: Run) -> None:
    running = run(prefix="/w1")
    assert ask(running, body(0, 3), path="/w1/add-checkpoint")[0].status == 200
    assert ask(running, body(0, 3))[0].status == 404


PARTS = st.sampled_from(
    [POST, b"POST", b"GET", b" ", b"/add-checkpoint", b" HTTP/1.1", b"\r\n", b"\r\n\r\n", b"Host: w", b":",
     b"Content-Length: 5", b"Content-Length: ", b"99999999999", b"old 0\n\n", b"\n", b"\0", b"\xff",
     b"Transfer-Encoding: chunked", b"Expect: x", b"Connection: close"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(PARTS | st.binary(max_size=8), max_size=20).map(b"".join))
def test_whatever_comes_is_a_body_or_refused(sent: bytes) -> None:
    async def read() -> None:
        reader = asyncio.StreamReader(limit=HEAD)
        reader.feed_data(sent)
        reader.feed_eof()
        while True:
            body = await _Reading(reader, Limits(), "/add-checkpoint").request()
            assert body in sent

    with pytest.raises((BadRequest, EOFError)) as found:
        asyncio.run(read())
    if isinstance(found.value, BadRequest):
        assert 400 <= found.value.status < 600
        assert found.value.status in _REASONS
