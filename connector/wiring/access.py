"""Whose access tokens count at the FHIR side's way in: a guard for each link, over its issuer's keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol

from connector.edges.authorization_http import TOKEN
from connector.edges.authorization_keys import OwnIssuer
from connector.edges.client_assertion import ClientAssertion
from connector.edges.introspection import Introspection, IntrospectionGuard
from connector.edges.issuer_keys import IssuerKeys, Times
from connector.edges.issuer_site import DiscoveredKeys, IssuerSite, PublishedKeys
from connector.edges.oauth import Issuer, TokenGuard
from connector.edges.partners import Caller, Callers
from connector.edges.tls import Context
from connector.errors import ConfigurationError, IssuerUnavailable
from connector.profile import Profile
from connector.profile.endpoint import SELF, FhirCaller
from connector.wiring.beliefs import ISSUERS
from connector.wiring.secured import Calling


class Secures(Protocol):
    """``Secured``, as far as it is needed here."""

    def context(self, name: str) -> Context:
        """The context of an end."""
        ...

    def calls(self, name: str, caller: Calling) -> None:
        """This one makes the connections of an end."""
        ...

    def may_send(self, link: str) -> Callable[[str], bool]:
        """Whether a peer, by its fingerprint, may send for a link's FHIR side."""
        ...


class Access:
    """The callers of all links, and the connections to their issuers.

    ``secured``: TLS for what we ask of issuers, and whose certificates may send; ``own``: our own issuer, if
    there is one.
    Raises ``ConfigurationError`` where a file of keys cannot be used; published keys are asked for when the
    first token comes.
    """

    def __init__(
        self,
        profiles: Sequence[Profile],
        secured: Secures,
        own: OwnIssuer | None = None,
    ) -> None:
        self._secured, self._own = secured, own
        self._site: IssuerSite | None = None
        self._keys: dict[tuple[object, ...], IssuerKeys] = {}  # of all links with the same issuer
        self._found: dict[tuple[str, str], DiscoveredKeys] = {}
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self.callers = Callers(
            [
                self._caller(profile.fhir.caller, secured.may_send(profile.name))
                for profile in profiles
                if profile.fhir.caller is not None
            ]
        )

    async def close(self) -> None:
        """Ask nobody any more."""
        for close in self._closing:
            await close()
        for keys in self._keys.values():
            await keys.close()
        if self._site is not None:
            await self._site.close()

    def _caller(self, chosen: FhirCaller, may_send: Callable[[str], bool]) -> Caller:
        if self._own is not None and self._own.is_named(chosen.issuer):
            said = {"issuer": self._own.issuer, "token_endpoint": f"{self._own.issuer}{TOKEN}"}
            ours = chosen.model_copy(update={**said, "certificate_bound": True})
            return Caller(ours, may_send, self._own.guard(chosen.audience, chosen.clients))
        issuer = Issuer(
            issuer=chosen.issuer,
            audience=chosen.audience,
            clients=frozenset(chosen.clients),
            algorithms=chosen.algorithms,
            token_types=chosen.token_types,
            bound=chosen.certificate_bound,
        )
        named = chosen.jwks or chosen.jwks_url or chosen.discovery
        signed, endpoint = (TokenGuard(issuer, self._keys_of(chosen)) if named else None), None
        if chosen.discovery:
            endpoint = self._endpoint_of(chosen)
        return Caller(chosen, may_send, signed, self._opaque(chosen, issuer), endpoint)

    def _opaque(self, chosen: FhirCaller, issuer: Issuer) -> IntrospectionGuard | None:
        if (said := chosen.introspection) is None:
            return None
        proof = ClientAssertion(said.client_id, said.key, said.audience or said.url) if said.key else None
        asks = Introspection(self._issuers(), said.url, said.client_id, proof, seconds=said.cache_seconds)
        self._closing.append(asks.close)
        return IntrospectionGuard(issuer, asks)

    def _endpoint_of(self, chosen: FhirCaller) -> Callable[[], Awaitable[str]]:
        keys, found = self._keys_of(chosen), self._found[chosen.issuer, chosen.discovery]

        async def endpoint() -> str:
            with suppress(IssuerUnavailable):
                await keys.find(None, "")  # has the metadata read, if they never were
            return found.token_endpoint

        return endpoint

    def _issuers(self) -> IssuerSite:
        if self._site is None:
            self._site = IssuerSite(self._secured.context(ISSUERS))
            self._secured.calls(ISSUERS, self._site)
        return self._site

    def _keys_of(self, chosen: FhirCaller) -> IssuerKeys:
        times = (chosen.refresh_seconds, chosen.keep_seconds)
        where = (chosen.jwks, chosen.jwks_url, chosen.discovery and chosen.issuer, chosen.discovery)
        key = (*where, *times, chosen.algorithms)
        if key not in self._keys:
            self._keys[key] = self._new(chosen)
        return self._keys[key]

    def _new(self, chosen: FhirCaller) -> IssuerKeys:
        if chosen.jwks is not None:
            return IssuerKeys.of_file(chosen.jwks, chosen.algorithms)
        if chosen.issuer == SELF:
            raise ConfigurationError("there is no issuer of our own", fix="add [authorization]")
        times = Times(refresh=chosen.refresh_seconds, keep=chosen.keep_seconds)
        if chosen.discovery:
            found = DiscoveredKeys(self._issuers(), chosen.issuer, chosen.discovery, chosen.algorithms)
            self._found[chosen.issuer, chosen.discovery] = found
            return IssuerKeys(found.keys, times, where=chosen.issuer)
        published = PublishedKeys(self._issuers(), chosen.jwks_url, chosen.algorithms)
        return IssuerKeys(published.keys, times, where=chosen.jwks_url)
