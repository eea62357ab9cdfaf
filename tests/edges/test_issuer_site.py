"""What an issuer publishes, over real mutual TLS: found, believed of itself alone, and bounded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.edges.http_exchange import Waits
from connector.edges.issuer_keys import IssuerKeys
from connector.edges.issuer_site import DiscoveredKeys, Form, IssuerSite, PublishedKeys, metadata_url
from connector.edges.jwks import ALGORITHMS
from connector.errors import IssuerUnavailable

from .oauth_site import ec, keyset
from .partner_site import Asked, Partner, Reply, answer

JSON = "application/json"
SECRET = "Everywoman"


@pytest.fixture
async def partner(tmp_path: Path) -> AsyncIterator[Partner]:
    async with Partner(tmp_path).running() as running:
        running.replies = [serving(running)]
        yield running


def serving(partner: Partner, **changed: Any) -> Callable[[Asked], bytes]:
    """Metadata and keys of one issuer; None leaves a member out."""
    issuer = f"https://localhost:{partner.port}/realm"
    good = {"issuer": issuer, "jwks_uri": f"{issuer}/keys", "token_endpoint": f"{issuer}/token"}
    said = {name: value for name, value in (good | changed).items() if value is not None}

    def reply(asked: Asked) -> bytes:
        if asked.path.endswith("/keys"):
            return answer(200, {"keys": keyset()}, JSON)
        return answer(200, said, JSON) if ".well-known" in asked.path else answer(404)

    return reply


@asynccontextmanager
async def site(partner: Partner, seconds: float = 5.0) -> AsyncIterator[IssuerSite]:
    waits = Waits(seconds, seconds, seconds, seconds, seconds)
    found = IssuerSite(partner.context, waits=waits)
    yield found
    await found.close()


@asynccontextmanager
async def discovered(partner: Partner, form: Form = "oauth") -> AsyncIterator[DiscoveredKeys]:
    async with site(partner) as found:
        yield DiscoveredKeys(found, f"https://localhost:{partner.port}/realm", form, ALGORITHMS)


@pytest.mark.parametrize(
    ("form", "path"),
    [
        ("oauth", "/.well-known/oauth-authorization-server/realm"),
        ("openid", "/realm/.well-known/openid-configuration"),
    ],
)
async def test_keys_are_found_by_the_metadata_of_the_issuer(partner: Partner, form: Form, path: str) -> None:
    async with discovered(partner, form) as found:
        keys = await found.keys()
    assert keys.find("es384", "ES384")
    assert [one.path for one in partner.asked] == [path, "/realm/keys"]
    assert found.token_endpoint == f"https://localhost:{partner.port}/realm/token"
    assert all("authorization" not in one.headers for one in partner.asked)


async def test_keys_are_fetched_from_the_address_of_the_profile(partner: Partner) -> None:
    async with site(partner) as found:
        published = PublishedKeys(found, f"https://localhost:{partner.port}/realm/keys", ALGORITHMS)
        keys = IssuerKeys(published.keys)
        assert await keys.find("es384", "ES384")
        assert await keys.find("es384", "ES384")
    assert len(partner.asked) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://evil.test/realm"},
        {"issuer": None},
        {"issuer": ["https://localhost"]},
        {"jwks_uri": "https://evil.test/keys"},
        {"jwks_uri": "https://localhost:1/keys"},
        {"jwks_uri": "http://localhost/keys"},
        {"jwks_uri": "https://user:secret@localhost/keys"},
        {"jwks_uri": "https://169.254.169.254/latest"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://[::1/keys"},
        {"jwks_uri": "https://{at}/keys\r\nX-Injected: yes"},
        {"jwks_uri": "https://{at}/keys HTTP/1.1"},
        {"jwks_uri": "https://{at}\t/keys"},
        {"jwks_uri": "https://{at}/\u00e9"},
        {"jwks_uri": "https://{at}@evil.test/keys"},
        {"jwks_uri": "https://{at}.evil.test/keys"},
        {"jwks_uri": "https://{at}\\@evil.test/keys"},
        {"jwks_uri": None},
        {"jwks_uri": 5},
    ],
)
async def test_metadata_of_another_issuer_or_that_point_elsewhere_are_not_believed(
    partner: Partner, changed: dict[str, Any]
) -> None:
    at = f"localhost:{partner.port}"
    put = {name: one.replace("{at}", at) if isinstance(one, str) else one for name, one in changed.items()}
    partner.replies = [serving(partner, **put)]
    async with discovered(partner) as found:
        with pytest.raises(IssuerUnavailable):
            await found.keys()
    assert len(partner.asked) == 1


async def test_an_issuer_with_a_slash_more_is_another_issuer(partner: Partner) -> None:
    partner.replies = [serving(partner, issuer=f"https://localhost:{partner.port}/realm/")]
    async with discovered(partner) as found:
        with pytest.raises(IssuerUnavailable, match="another issuer"):
            await found.keys()


@pytest.mark.parametrize("endpoint", [None, 5, "http://localhost/token", "javascript:alert(1)"])
async def test_a_token_endpoint_that_is_none_is_not_told_on(partner: Partner, endpoint: Any) -> None:
    partner.replies = [serving(partner, token_endpoint=endpoint)]
    async with discovered(partner) as found:
        await found.keys()
    assert found.token_endpoint == ""


FAULTS: list[Reply] = [
    answer(302, b"", JSON, location="https://localhost/elsewhere"),
    answer(404, b"", JSON),
    answer(500, SECRET.encode(), "text/plain"),
    answer(204, b"", JSON),
    answer(200, b"{", JSON),
    answer(200, b"[]", JSON),
    answer(200, b'{"keys": [], "keys": []}', JSON),
    answer(200, b"x" * 300_000, JSON),
    answer(200, b"{}", JSON, length=50),
    answer(200, b"\x1f\x8b", JSON, content_encoding="gzip"),
    answer(200, json.dumps({"keys": [{**ec().as_dict(private=True), "kid": "a"}]}).encode(), JSON),
    answer(200, ("[" * 5000 + "]" * 5000).encode(), JSON),
    b"nonsense\r\n\r\n",
    b"",
    None,
]


@pytest.mark.parametrize("reply", FAULTS)
async def test_what_an_issuer_can_answer_wrong(partner: Partner, reply: Reply) -> None:
    partner.replies = [reply]
    async with site(partner, seconds=0.3) as found:
        published = PublishedKeys(found, f"https://localhost:{partner.port}/keys", ALGORITHMS)
        with pytest.raises(IssuerUnavailable) as caught:
            await published.keys()
        with pytest.raises(IssuerUnavailable):
            await IssuerKeys(published.keys).find("es384", "ES384")
    assert SECRET not in str(caught.value)
    assert all(one.path == "/keys" for one in partner.asked)


def test_where_metadata_lie() -> None:
    at = "https://issuer.test"
    assert metadata_url(at, "oauth") == f"{at}/.well-known/oauth-authorization-server"
    assert metadata_url(f"{at}/", "openid") == f"{at}/.well-known/openid-configuration"
    assert metadata_url(f"{at}:8443/a/b", "oauth") == f"{at}:8443/.well-known/oauth-authorization-server/a/b"
