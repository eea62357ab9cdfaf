"""What an issuer publishes: its metadata (RFC 8414, OpenID Connect Discovery 1.0) and its keys (RFC 7517).

Fetched over the bounded transport: mutual TLS, no redirects, one size, one time. Nothing that is fetched
decides whom we ask next: the keys must lie where the issuer itself is, or where the profile says.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from connector.edges.http_exchange import BoundedTransport, Waits, target_of
from connector.edges.jwks import VerifyingKeys
from connector.errors import ConfigurationError, DeliveryError, InvalidJson, IssuerUnavailable
from connector.fhir import json

Form = Literal["oauth", "openid"]
WAITS: Final = Waits(5.0, 5.0, 5.0, 5.0, 5.0)
LONGEST: Final = 256 * 1024  # bytes of an answer
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "connector"}
_PLAIN: Final = re.compile(r"[!-~]{1,2048}")
_FIX: Final = "see what the authorization server answers there"


class IssuerSite:
    """An issuer's documents. ``context``: not shared with MLLP, as HTTP sets its ALPN protocols there."""

    def __init__(self, context: ssl.SSLContext, *, waits: Waits = WAITS) -> None:
        self._context, self._waits = context, waits
        self._servers: dict[str, BoundedTransport] = {}  # by origin: those of the profile, no others

    async def get(self, url: str) -> dict[str, Any]:
        """A JSON object. Raises ``IssuerUnavailable`` for everything else."""
        return await self._object("GET", url, {}, b"")

    async def post(self, url: str, form: bytes) -> dict[str, Any]:
        """The JSON object that answers a form. Raises ``IssuerUnavailable`` for everything else."""
        return await self._object("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, form)

    async def ask(self, url: str, form: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """The status and the JSON object that answer a form, also where it is refused (RFC 6749, 5.2: 400 or
        401). Raises ``IssuerUnavailable`` for everything else."""
        said = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return await self._answer("POST", url, said, form, (200, 400, 401))

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next request on."""
        self._context = context
        for server in self._servers.values():
            server.reload(context)

    def cut(self) -> None:
        """End all connections at once; what is under way has failed."""
        for server in self._servers.values():
            server.cut()

    async def close(self) -> None:
        """Close the connections."""
        for server in self._servers.values():
            await server.aclose()

    async def _object(self, method: str, url: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        return (await self._answer(method, url, headers, body, (200,)))[1]

    async def _answer(
        self, method: str, url: str, headers: dict[str, str], body: bytes, statuses: tuple[int, ...]
    ) -> tuple[int, dict[str, Any]]:
        try:
            answer = await self._server(url).ask(method, target_of(url), {**_HEADERS, **headers}, body)
        except DeliveryError as error:
            raise unavailable(error.what, url) from None
        if answer.status not in statuses:
            raise unavailable(f"it answers {answer.status}", url)
        try:
            content = json.loads(answer.content)
        except InvalidJson:
            content = None
        if not isinstance(content, dict):
            raise unavailable("its answer is no JSON object", url)
        return answer.status, content

    def _server(self, url: str) -> BoundedTransport:
        at = "/".join(url.split("/", 3)[:3])
        if at not in self._servers:
            self._servers[at] = BoundedTransport(
                at, self._context, waits=self._waits, answer_limit=LONGEST, connections=4
            )
        return self._servers[at]


class PublishedKeys:
    """The keys at an address that the profile names."""

    def __init__(self, site: IssuerSite, url: str, algorithms: tuple[str, ...]) -> None:
        self._site, self._url, self._algorithms = site, url, algorithms

    async def keys(self) -> VerifyingKeys:
        """Raises ``IssuerUnavailable``."""
        return await published(self._site, self._url, self._algorithms)


class DiscoveredKeys:
    """The keys that an issuer's metadata point to; ``token_endpoint``: what these said last, "" for none;
    ``metadata``: all that they said."""

    def __init__(self, site: IssuerSite, issuer: str, form: Form, algorithms: tuple[str, ...]) -> None:
        self._site, self._issuer, self._algorithms = site, issuer, algorithms
        self._url = metadata_url(issuer, form)
        self.token_endpoint = ""
        self.metadata: dict[str, Any] = {}

    async def keys(self) -> VerifyingKeys:
        """Raises ``IssuerUnavailable``, also where the metadata are those of another issuer."""
        found = await self._site.get(self._url)
        if found.get("issuer") != self._issuer:
            raise unavailable("the metadata there are those of another issuer", self._url)
        url = found.get("jwks_uri")
        if not isinstance(url, str) or _origin(url) != _origin(self._issuer):
            what = "the metadata name no keys at the issuer's own address"
            raise unavailable(what, self._url, "name their address as jwks_url in the profile")
        endpoint = found.get("token_endpoint")
        self.token_endpoint = endpoint if isinstance(endpoint, str) and _origin(endpoint) else ""
        keys = await published(self._site, url, self._algorithms)
        self.metadata = found
        return keys

    def own_address(self, name: str) -> str:
        """An address in the metadata, at the issuer's own host and port. Raises ``IssuerUnavailable``."""
        url = self.metadata.get(name)
        if not isinstance(url, str) or _origin(url) != _origin(self._issuer) or "#" in url:
            raise unavailable("the metadata do not name an address of the issuer's own", self._url)
        return url


async def published(site: IssuerSite, url: str, algorithms: tuple[str, ...]) -> VerifyingKeys:
    """The keys of the set at an address. Raises ``IssuerUnavailable``."""
    content = await site.get(url)
    try:
        return VerifyingKeys.published(content, algorithms, url)
    except ConfigurationError as error:
        raise unavailable(error.what, url) from None


def metadata_url(issuer: str, form: Form) -> str:
    """Where an issuer publishes its metadata (RFC 8414, 3.1; OpenID Connect Discovery 1.0, 4)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    if form == "openid":
        return f"{parts.scheme}://{parts.netloc}{path}/.well-known/openid-configuration"
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{path}"


def unavailable(what: str, where: str, fix: str = _FIX) -> IssuerUnavailable:
    """The error for an issuer that gives no answer that counts; ``where`` is for the log alone."""
    return IssuerUnavailable(
        f"the authorization server gives no answer that counts: {what}", fix=fix, location=where
    )


def _origin(url: str) -> tuple[str, int] | None:
    """Host and port of an https address without credentials; None for all others."""
    if not _PLAIN.fullmatch(url):  # urlsplit leaves line breaks out without a word
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme != "https" or not host or "@" in parts.netloc:
        return None
    return host.lower(), port or 443
