"""The OpenID provider: where people are sent to log in, and what it says of who comes back.

The requests are Authlib's (code flow with PKCE S256); metadata, keys and tokens are fetched over the bounded
transport, and only from the provider's own host and port.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, urlencode

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from connector.edges import certificates, login_token
from connector.edges.client_assertion import ClientAssertion
from connector.edges.issuer_keys import IssuerKeys
from connector.edges.issuer_site import DiscoveredKeys, IssuerSite, unavailable
from connector.edges.login_sessions import Begun
from connector.edges.login_token import Expected
from connector.errors import ConfigurationError
from connector.profile.login import Login

_S256: Final = "S256"


class Provider:
    """``site``: connections to it; ``clock``: seconds since the epoch.

    Raises ``ConfigurationError``, ``KeyUnavailable`` where our key or secret cannot be used.
    """

    def __init__(self, chosen: Login, site: IssuerSite, clock: Callable[[], float]) -> None:
        self._chosen, self._site, self._clock = chosen, site, clock
        self._found = DiscoveredKeys(site, chosen.issuer, "openid", chosen.algorithms)
        self._keys = IssuerKeys(self._found.keys, where=chosen.issuer)
        self._secret = _secret(chosen)
        if chosen.key is not None:
            ClientAssertion(chosen.client_id, chosen.key, chosen.issuer)  # a start without it is none

    async def close(self) -> None:
        """Ask it no more."""
        await self._keys.close()

    async def address(self, begun: Begun) -> str:
        """Where to send somebody who logs in. Raises ``IssuerUnavailable``."""
        endpoint = await self._endpoint("authorization_endpoint")
        methods = self._found.metadata.get("code_challenge_methods_supported", [_S256])
        if not isinstance(methods, list) or _S256 not in methods:
            raise unavailable("the provider does not know PKCE with S256", self._chosen.issuer)
        asked = {
            "response_type": "code",
            "client_id": self._chosen.client_id,
            "redirect_uri": self._chosen.redirect_uri,
            "scope": self._chosen.scope,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": create_s256_code_challenge(begun.verifier),
            "code_challenge_method": _S256,
        }
        return str(add_params_to_uri(endpoint, asked.items()))

    def check_issuer(self, said: str | None) -> None:
        """Whether an answer is this provider's (RFC 9207, 2.4). Raises ``LoginRefused``."""
        needed = self._found.metadata.get("authorization_response_iss_parameter_supported") is True
        if said != self._chosen.issuer and (needed or said is not None):
            raise login_token.refused("the answer comes from another issuer")

    async def claims(self, code: str, begun: Begun) -> dict[str, Any]:
        """What the provider says of the person. Raises ``LoginRefused``, ``IssuerUnavailable``."""
        endpoint = await self._endpoint("token_endpoint")
        form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self._chosen.redirect_uri),
            ("code_verifier", begun.verifier),
            *self._proof(endpoint),
        ]
        status, answer = await self._site.ask(endpoint, urlencode(form).encode(), self._headers())
        if status != 200:
            raise login_token.refused("the provider does not take the code, or does not know us")
        token = answer.get("access_token", "")
        expected = Expected(
            self._chosen.issuer,
            self._chosen.client_id,
            self._chosen.algorithms,
            begun.nonce,
            token if isinstance(token, str) else "",
        )
        return await login_token.claims(answer.get("id_token"), self._keys, expected, self._clock())

    async def _endpoint(self, name: str) -> str:
        await self._keys.find(None, "")  # has the metadata read
        return self._found.own_address(name)

    def _proof(self, endpoint: str) -> list[tuple[str, str]]:
        """Who we are, as far as it goes into the form (RFC 7523, RFC 8705)."""
        if self._chosen.key is not None:
            audience = self._chosen.audience or endpoint
            return ClientAssertion(self._chosen.client_id, self._chosen.key, audience).form()
        return [] if self._secret else [("client_id", self._chosen.client_id)]

    def _headers(self) -> dict[str, str]:
        if not self._secret:
            return {}
        both = f"{quote(self._chosen.client_id, safe='')}:{quote(self._secret, safe='')}"  # RFC 6749, 2.3.1
        return {"Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}


def _secret(chosen: Login) -> str:
    if chosen.secret is None:
        return ""
    certificates.check_private(chosen.secret)
    found = certificates.read(chosen.secret, "the client secret").decode("utf-8", "replace").strip()
    if not found.isprintable() or not found:
        raise ConfigurationError("the client secret is no line of text", location=str(chosen.secret))
    return found
