"""Where nothing connects to, whoever names it and whatever a name resolves to."""

from __future__ import annotations

import ast
import json
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from joserfc.jwk import ECKey

from connector.edges.addresses import Dial, Found, dial
from connector.edges.fhir_client import FhirClient
from connector.edges.http_exchange import BoundedTransport
from connector.edges.issuer_site import IssuerSite
from connector.edges.mllp_client import MllpClient
from connector.edges.token_source import TokenSource
from connector.errors import AddressNotAllowed, IssuerUnavailable, ProfileError
from connector.profile.load import parse
from connector.profile.reach import refusal
from tests.edges.http_site import TRANSACTION
from tests.mllp.loopback import Site, Ward, listening, message

NOWHERE: Final = "0.0.0.0"  # noqa: S104 (nobody listens there)
ROOT: Final = Path(__file__).parents[2]
NEVER: Final = (
    "169.254.169.254", "169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%eth0", "febf::1",
    "fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192", NOWHERE, "::",
    "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe",
    "2002:a9fe:a9fe::1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "::a9fe:a9fe", "partner.example",
    "", "1.2.3", "0xa9fea9fe",
)  # fmt: skip
HERE: Final = ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::")
FINE: Final = ("10.1.2.3", "192.168.1.1", "172.16.0.1", "8.8.8.8", "fd12:3456::1", "2001:4860:4860::8888")


def resolving(*addresses: str) -> Dial:
    """A resolver of our own, which counts as whatever the network has."""

    async def resolve(host: str, port: int) -> Sequence[Found]:
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in addresses]
        return [Found(family, (one, port)) for family, one in zip(families, addresses)]

    return partial(dial, resolve=resolve)


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("loopback", [True, False])
def test_these_addresses_are_never_connected(address: str, loopback: bool) -> None:
    assert refusal(address, loopback=loopback)


@pytest.mark.parametrize("address", HERE)
def test_this_machine_only_where_it_is_meant(address: str) -> None:
    assert refusal(address, loopback=False) == "it is of this machine"
    assert refusal(address, loopback=True) == ""


@pytest.mark.parametrize("address", FINE)
def test_addresses_of_hospitals_and_of_the_world_are_fine(address: str) -> None:
    assert refusal(address, loopback=False) == ""


@pytest.mark.parametrize(
    "addresses",
    [
        ["169.254.169.254"],
        ["fe80::1"],
        ["fd00:ec2::254"],
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.1", "169.254.1.1"],
    ],
)
async def test_a_name_that_resolves_there_is_not_connected(addresses: list[str]) -> None:
    with pytest.raises(AddressNotAllowed) as refused:
        await resolving(*addresses)("partner.example", 443)
    assert (refused.value.answer.retry, refused.value.answer.status) == ("hold", 502)
    assert not any(address in str(refused.value) for address in [*addresses, "partner.example"])


async def test_the_address_that_was_judged_is_the_one_that_is_connected() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[Found]:
        asked.append(host)
        return [Found(socket.AF_INET, ("127.0.0.1" if len(asked) == 1 else "169.254.169.254", port))]

    with socket.create_server(("127.0.0.1", 0)) as server:
        made = await dial("localhost", server.getsockname()[1], resolve)
        assert made.getpeername() == server.getsockname()
        made.close()
    assert asked == ["localhost"]


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        made = await resolving("127.0.0.2", "127.0.0.1")("localhost", port)
        assert made.getpeername()[0] == "127.0.0.1"
        made.close()


async def test_where_nobody_listens_that_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(OSError, match=r".*"):
        await dial("127.0.0.1", port)
    with pytest.raises(OSError, match="no address"):
        await resolving()("partner.example", 443)


# --- every client ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "127.0.0.1"])
async def test_mllp_connects_to_none_of_them(tmp_path: Path, address: str) -> None:
    client = MllpClient("partner.example", 2575, Site(tmp_path).client_context(), dial=resolving(address))
    with pytest.raises(AddressNotAllowed):
        await client.send(message("1"), "1")
    await client.close()


async def test_mllp_connects_to_this_machine_where_the_profile_names_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    async with listening(site) as ward:
        assert isinstance(ward, Ward)
        async with MllpClient("localhost", ward.port, site.client_context()) as client:
            assert (await client.send(message("1"), "1")).accepted


@pytest.fixture
def misled(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The resolver of the machine answers with this address, whatever it is asked."""
    address: str = request.param

    def found(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    return address


LED_TO: Final = ["169.254.169.254", "fe80::1", "fd00:ec2::254", "127.0.0.1", "::1"]


@pytest.mark.parametrize("misled", LED_TO, indirect=True)
async def test_neither_fhir_nor_tokens_nor_keys_are_asked_for_there(tmp_path: Path, misled: str) -> None:
    context = Site(tmp_path).client_context()
    transport = BoundedTransport("https://partner.example/fhir", context, answer_limit=1000)
    fhir = FhirClient("https://partner.example/fhir", context, None)
    site = IssuerSite(context)
    with pytest.raises(AddressNotAllowed):
        await transport.ask("GET", "/fhir", {})
    with pytest.raises(AddressNotAllowed):
        await fhir.send(TRANSACTION)
    with pytest.raises(IssuerUnavailable, match="nothing connects to this address"):
        await site.get("https://issuer.example/keys")
    for one in (transport, fhir, site):
        await (one.aclose() if isinstance(one, BoundedTransport) else one.close())


@pytest.mark.parametrize("misled", LED_TO, indirect=True)
async def test_no_token_is_asked_for_there(tmp_path: Path, misled: str) -> None:
    key = tmp_path / "client.key.json"
    key.touch(mode=0o600)
    key.write_text(json.dumps({**ECKey.generate_key("P-384").as_dict(private=True), "kid": "ours"}))
    context = Site(tmp_path).client_context()
    source = TokenSource("https://issuer.example/token", "us", key, "system/*.cruds", "", context)
    with pytest.raises(AddressNotAllowed):
        await source.token()
    await source.close()


def _connecting(tree: ast.AST) -> Iterator[str]:
    """Calls that connect to a host by its name."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in ("create_connection", "open_connection", "sock_connect", "urlopen"):
            assert isinstance(node, ast.Call)
            if not any(word.arg == "sock" for word in node.keywords):
                yield name


def test_nothing_else_connects() -> None:
    """But what an operator starts by hand, the question after our own health, and the demo's systems."""
    rooms = ("edges", "pipeline", "wiring", "profile")
    sources = [path for room in rooms for path in (ROOT / "connector" / room).rglob("*.py")]
    found = {(path.name, name) for path in sources for name in _connecting(ast.parse(path.read_text()))}
    assert found == {("addresses.py", "sock_connect"), ("tls_probe.py", "create_connection")}


# --- profiles -------------------------------------------------------------------------------------------

BASE: Final = 'name = "x"\n[fhir]\nbase = "https://a.example"\n'
V2_TO: Final = 'receiving_application = "A"\nreceiving_facility = "B"\nport = 1\n'


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", NOWHERE])
def test_a_profile_that_names_such_an_address_does_not_load(address: str) -> None:
    url = f"https://[{address}]" if ":" in address else f"https://{address}"
    told = []
    for text in (
        f'name = "x"\n[fhir]\nbase = "{url}/fhir"\n',
        f'name = "x"\n[v2.to]\n{V2_TO}host = "{address}"\n',
        f'{BASE}[fhir.token]\nurl = "{url}/t"\nclient_id = "c"\nkey = "k"\n',
    ):
        with pytest.raises(ProfileError) as refused:
            parse(text)
        told.append(str(refused.value))
    assert all("nothing connects to this address" in one for one in told)
