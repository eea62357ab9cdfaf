"""Which connection a request goes over: a kept one, unless something happened to it meanwhile."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from connector.edges import http_exchange
from connector.edges.addresses import Found, dial
from connector.edges.http_exchange import BoundedTransport, Waits
from connector.edges.tls import client_context
from connector.errors import AddressNotAllowed, PartnerRefusedUs, PartnerUnreachable

from ..pki import Authority
from .partner_site import Act, Asked, Partner, answer, files

FINE = answer(200, b"{}")


@pytest.fixture
async def partner(tmp_path: Path) -> AsyncIterator[Partner]:
    async with Partner(tmp_path, replies=[FINE]).running() as running:
        yield running


@asynccontextmanager
async def transport(partner: Partner, connections: int = 8) -> AsyncIterator[BoundedTransport]:
    waits = Waits(5, 5, 5, 5, 5)
    made = BoundedTransport(
        partner.base, partner.context, waits=waits, connections=connections, answer_limit=10_000
    )
    yield made
    await made.aclose()


async def ask(made: BoundedTransport) -> int:
    return (await made.ask("POST", made.path, {}, b"{}")).status


async def closed(partner: Partner, number: int = 0) -> bool:
    """Whether that connection ends on our side, where it is waited for."""
    async with asyncio.timeout(2):
        await partner.tasks[number]
    return True


async def test_one_request_after_another_goes_over_one_connection(partner: Partner) -> None:
    async with transport(partner) as made:
        assert [await ask(made) for _ in range(5)] == [200] * 5
    assert len(partner.writers) == 1
    assert await closed(partner)


async def test_the_connection_used_last_is_used_first(partner: Partner) -> None:
    partner.delay = 0.02
    async with transport(partner) as made:
        await asyncio.gather(*(ask(made) for _ in range(3)))
        for _ in range(4):
            await ask(made)
        assert len(made._free) == 3
        last = made._free[-1][1]
        await ask(made)
        assert made._free[-1][1] is last
    assert len(partner.writers) == 3


async def test_a_connection_that_the_server_closed_is_not_used_again(partner: Partner) -> None:
    async with transport(partner) as made:
        await ask(made)
        partner.writers[0].get_extra_info("socket")._sock.shutdown(socket.SHUT_RDWR)  # seen by nobody yet
        assert await ask(made) == 200
        await asyncio.sleep(0.05)  # and one that was seen
        partner.writers[1].close()
        await closed(partner, 1)
        assert await ask(made) == 200
    assert len(partner.writers) == 3
    assert len(partner.asked) == 3


@pytest.mark.parametrize("rounds", range(12))
async def test_a_goodbye_is_heard_wherever_it_is(partner: Partner, rounds: int) -> None:
    async with transport(partner) as made:
        await ask(made)
        partner.writers[0].close()
        for _ in range(rounds):
            await asyncio.sleep(0)
        assert await ask(made) == 200
    assert len(partner.asked) == 2


async def test_what_nobody_asked_for_is_no_answer_to_the_next_request(partner: Partner) -> None:
    partner.replies = [FINE, FINE + answer(500), FINE]
    async with transport(partner) as made:
        await ask(made)
        partner.writers[0].write(answer(500))
        assert await ask(made) == 200
        assert await ask(made) == 200
        partner.writers[2].write(answer(500))
        await asyncio.sleep(0.05)
        assert await ask(made) == 200
    assert len(partner.writers) == 4


async def test_a_server_that_says_it_closes_is_believed(partner: Partner) -> None:
    partner.replies = [answer(200, b"{}", connection="close"), FINE]
    async with transport(partner) as made:
        await ask(made)
        assert await closed(partner)
        assert await ask(made) == 200
    assert len(partner.writers) == 2


async def test_we_hang_up_before_the_server_does(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_exchange, "_KEEP_ALIVE", 0.0)
    async with transport(partner) as made:
        await ask(made)
        await ask(made)
        assert await closed(partner)
    assert len(partner.writers) == 2


async def test_a_request_is_not_sent_twice_when_a_kept_connection_breaks(partner: Partner) -> None:
    async def goes(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    partner.replies = [FINE, Act(goes), FINE]
    async with transport(partner) as made:
        await ask(made)
        with pytest.raises(PartnerUnreachable):
            await ask(made)
        assert len(partner.asked) == 2
        assert await ask(made) == 200
    assert len(partner.writers) == 2


async def test_after_a_reload_no_connection_of_before_is_used(partner: Partner, tmp_path: Path) -> None:
    (folder := tmp_path / "other").mkdir()
    other = client_context(files(Authority("Other CA").write(folder, "connector")))
    partner.delay = 0.1
    async with transport(partner) as made:
        await ask(made)
        running = asyncio.create_task(ask(made))
        await asyncio.sleep(0.05)
        made.reload(other)
        assert await running == 200
        assert await closed(partner)
        with pytest.raises(PartnerRefusedUs):
            await ask(made)
        made.reload(partner.context)
        assert await ask(made) == 200
    assert len(partner.asked) == 3


async def test_closing_ends_what_runs_and_another_request_may_follow(partner: Partner) -> None:
    arrived = asyncio.Event()

    async def waits(asked: Asked, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await partner.over.wait()

    partner.replies = [Act(waits), FINE]
    async with transport(partner) as made:
        running = asyncio.create_task(ask(made))
        await arrived.wait()
        await made.aclose()
        with pytest.raises(PartnerUnreachable):
            await running
        assert await ask(made) == 200


async def test_only_the_address_that_was_judged_is_connected(partner: Partner) -> None:
    async def metadata(host: str, port: int) -> Sequence[Found]:
        return [Found(socket.AF_INET, ("169.254.169.254", port))]

    made = BoundedTransport(
        partner.base, partner.context, answer_limit=1, dial=functools.partial(dial, resolve=metadata)
    )
    with pytest.raises(AddressNotAllowed):
        await ask(made)
    assert partner.writers == []


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/fhir", {"If-Match": 'W/"1"\r\nX: y'}),
        ("/fhir", {"If-Match": "\n"}),
        ("/fhir", {"If-Match": "\u00e9"}),
        ("/fhir HTTP/1.1\r\nX: y", {}),
        ("/fhir x", {}),
    ],
)
async def test_no_value_makes_another_header_or_request(
    partner: Partner, target: str, headers: dict[str, str]
) -> None:
    async with transport(partner) as made:
        with pytest.raises(PartnerUnreachable, match="cannot be written"):
            await made.ask("POST", target, headers, b"{}")
    assert partner.writers == []


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://fhir.test/r4/", "fhir.test", "/r4"),
        ("https://fhir.test", "fhir.test", ""),
        ("https://fhir.test:443/", "fhir.test", ""),
        ("https://fhir.test:8443/a/b", "fhir.test:8443", "/a/b"),
        ("https://[::1]:8443/fhir", "[::1]:8443", "/fhir"),
        ("https://b\u00fccher.test/\u00e4", "xn--bcher-kva.test", "/%C3%A4"),
    ],
)
def test_an_address_is_named_as_http_names_it(partner: Partner, url: str, host: str, path: str) -> None:
    made = BoundedTransport(url, partner.context, answer_limit=1)
    assert made.path == path
    assert made._head("GET", path, {}, 0).decode().splitlines()[:2] == [
        f"GET {path or '/'} HTTP/1.1",
        f"Host: {host}",
    ]
    assert made._host == host.partition(":8443")[0].strip("[]")
