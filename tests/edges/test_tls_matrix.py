"""Whoever must not come in, over MLLP and HTTPS, with TLS 1.2 and 1.3: refused, each for its right reason.

The first seven are the negative cases of IHE Gazelle's TLS tests.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from connector.edges.trust import Party, Speakers
from tests.pki import DAY, Authority

from .tls_room import LAB, NOW, Door, Town, Way, corrupted, door, of_another

VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
EACH = pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
WAYS = pytest.mark.parametrize("way", ["mllp", "https"])


class Case(NamedTuple):
    """Who comes: what is shown, to whom the door is open, and what is said to the operator."""

    shown: Callable[[Town], Path | None]
    parties: Callable[[Town], list[Party]]
    reason: str


def lab_alone(town: Town) -> list[Party]:
    return [town.party(town.labs, town.labs.crl())]


def lab_and_other(town: Town) -> list[Party]:
    return [*lab_alone(town), town.party(town.others, name="other")]


def issued(ca: str = "labs", name: str = "lab", **how: object) -> Callable[[Town], Path]:
    def shown(town: Town) -> Path:
        authority: Authority = getattr(town, ca)
        return town.shown(f"{name}-of-{ca}", *authority.issue(name, **how))  # type: ignore[arg-type]

    return shown


def self_signed(town: Town) -> Path:
    alone = Authority("lab")
    return town.shown("self-signed", alone.pem, alone.key_pem)


def with_a_bit_turned(town: Town) -> Path:
    certificate, key = town.labs.issue("lab")
    return town.shown("corrupted", corrupted(certificate), key)


def without_its_key(town: Town) -> Path:
    certificate, key = town.labs.issue("lab")
    return town.shown("wrong-key", certificate, of_another(key))


CASES: Final = {
    "corrupted": Case(with_a_bit_turned, lab_alone, "certificate: certificate signature failure"),
    "expired": Case(
        issued(not_before=NOW - 9 * DAY, days=2), lab_alone, "certificate: certificate has expired"
    ),
    "revoked": Case(
        lambda town: town.lab,
        lambda town: [town.party(town.labs, town.revoking(town.lab))],
        "certificate: certificate revoked",
    ),
    "self-signed": Case(self_signed, lab_alone, "certificate: self-signed certificate"),
    "unknown CA": Case(issued("others"), lab_alone, "certificate: unable to get local issuer certificate"),
    "without authentication": Case(lambda town: None, lab_alone, "tls: PEER_DID_NOT_RETURN_A_CERTIFICATE"),
    "wrong key": Case(without_its_key, lab_alone, "tls: BAD_SIGNATURE"),
    "not yet valid": Case(
        issued(not_before=NOW + 2 * DAY), lab_alone, "certificate: certificate is not yet valid"
    ),
    "wrong extended key usage": Case(
        issued(client=False), lab_alone, "certificate: unsuitable certificate purpose"
    ),
    "wrong partner": Case(issued("others"), lab_and_other, "certificate: no profile names this certificate"),
    "stale list": Case(
        lambda town: town.lab,
        lambda town: [town.party(town.labs, town.stale())],
        "certificate: CRL has expired",
    ),
    "missing list": Case(
        lambda town: town.lab,
        lambda town: [town.party(town.labs, anchors=town.anchors(town.labs, listed=True))],
        "certificate: unable to get certificate CRL",
    ),
    "version too old": Case(
        lambda town: town.lab,
        lambda town: [town.party(town.labs, minimum="1.3")],
        "certificate: its profile asks for TLS 1.3",
    ),
}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    return Town(tmp_path_factory.mktemp("town"))


@EACH
@WAYS
async def test_the_partner_itself_comes_in(town: Town, way: Way, version: ssl.TLSVersion) -> None:
    async with door(way, town.context(*lab_and_other(town))) as here:
        assert await here.ask(town.client(town.lab, version))
        assert here.refused == []


@EACH
@WAYS
@pytest.mark.parametrize("case", [name for name in CASES if name != "version too old"])
async def test_who_must_not_come_in_is_refused_for_the_right_reason(
    town: Town, way: Way, version: ssl.TLSVersion, case: str
) -> None:
    who = CASES[case]
    async with door(way, town.context(*who.parties(town))) as here:
        assert await here.why_not(town.client(who.shown(town), version)) == who.reason
        assert len(here.refused) == 1


@WAYS
async def test_a_partner_of_whom_tls_1_3_is_asked_does_not_come_in_with_1_2(town: Town, way: Way) -> None:
    who = CASES["version too old"]
    async with door(way, town.context(*who.parties(town))) as here:
        assert await here.why_not(town.client(town.lab, ssl.TLSVersion.TLSv1_2)) == who.reason
        assert here.strangers[0] is not None
        assert here.strangers[0].subject == LAB
        assert await here.ask(town.client(town.lab, ssl.TLSVersion.TLSv1_3))


@EACH
@WAYS
async def test_nobody_resumes_a_session_after_being_revoked(
    town: Town, way: Way, version: ssl.TLSVersion
) -> None:
    client, context = town.client(town.lab, version), town.context(*lab_alone(town))
    async with door(way, context) as here:

        def revoke() -> None:
            context.believe(town.trust(town.party(town.labs, town.revoking(town.lab))))

        await asyncio.to_thread(comes_back, client, here, revoke)
        await asyncio.wait_for(here.told.wait(), 5)
        tls_1_3 = version is ssl.TLSVersion.TLSv1_3  # there are no tickets, so the handshake is a full one
        assert here.refused == [
            "certificate: certificate revoked" if tls_1_3 else "tls: a session may not be resumed"
        ]


@EACH
@WAYS
async def test_a_new_context_forgets_all_sessions(town: Town, way: Way, version: ssl.TLSVersion) -> None:
    client, after = town.client(town.lab, version), town.party(town.labs, town.revoking(town.lab))
    async with door(way, town.context(*lab_alone(town))) as here:
        await asyncio.to_thread(
            comes_back, client, here, lambda: here.server.acceptor.reload(town.context(after))
        )
        await asyncio.wait_for(here.told.wait(), 5)
        assert here.refused == ["certificate: certificate revoked"]


def comes_back(client: ssl.SSLContext, here: Door, meanwhile: Callable[[], None]) -> None:
    """Talk, and come back with the session after what happened meanwhile: in vain."""
    with connected(client, here, None) as first:
        first.sendall(here.question)
        assert first.recv(1000)
        meanwhile()
        with pytest.raises(OSError, match=r"reset|EOF|closed"):
            asked_again(client, here, first.session)


def asked_again(client: ssl.SSLContext, here: Door, session: ssl.SSLSession | None) -> None:
    with connected(client, here, session) as again:
        again.sendall(here.question)
        if not again.recv(1000):
            raise ConnectionResetError("closed without an answer")


@contextmanager
def connected(client: ssl.SSLContext, here: Door, session: ssl.SSLSession | None) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", here.port), timeout=5) as plain,
        client.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
    ):
        yield secure


@WAYS
async def test_silent_and_failed_handshakes_in_numbers_keep_no_partner_out(town: Town, way: Way) -> None:
    context = town.context(town.party(town.labs, town.labs.crl()))
    stranger = town.client(issued("others", "stranger")(town))
    async with door(way, context) as here:
        silent = [await asyncio.open_connection("127.0.0.1", here.port) for _ in range(60)]
        failing = [asyncio.create_task(_fails(here, stranger)) for _ in range(60)]
        good = [asyncio.create_task(here.ask(town.client(town.lab))) for _ in range(20)]
        assert all(await asyncio.wait_for(asyncio.gather(*good), 5))
        await asyncio.gather(*failing)
        assert len(here.refused) == 60
        for _, writer in silent:
            writer.transport.abort()


async def _fails(here: Door, context: ssl.SSLContext) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - as the system says it
        await here.ask(context)


async def test_the_same_subject_of_two_authorities_speaks_for_two_partners(town: Town) -> None:
    north = town.party(town.labs, name="lab")
    south = Party("south", town.anchors(town.others), Speakers(subjects=frozenset({LAB})), alone=True)
    context = town.context(north, south)
    async with door("mllp", context) as here:
        peers = {}
        for ca in ("labs", "others"):
            shown = issued(ca)(town)
            await here.ask(town.client(shown))
            peers[ca] = set().union(*(one.parties for one in context.trust.seen().values()))
    assert peers == {"labs": {"lab"}, "others": {"lab", "south"}}
