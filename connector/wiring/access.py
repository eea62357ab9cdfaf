"""Whose access tokens count at the FHIR side's way in: a guard for each link, over its issuer's keys."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence

from connector.edges.authorization_keys import OwnIssuer
from connector.edges.issuer_keys import IssuerKeys, Times
from connector.edges.issuer_site import DiscoveredKeys, IssuerSite, PublishedKeys
from connector.edges.oauth import Issuer, TokenGuard
from connector.edges.partners import Caller, Callers
from connector.errors import ConfigurationError
from connector.profile import Profile
from connector.profile.endpoint import SELF, FhirCaller


class Access:
    """The callers of all links, and the connections to their issuers.

    ``context``: a new TLS context for what we ask of issuers; ``own``: our own issuer, if there is one.
    Raises ``ConfigurationError`` where a file of keys cannot be used; published keys are asked for when the
    first token comes.
    """

    def __init__(
        self,
        profiles: Sequence[Profile],
        context: Callable[[], ssl.SSLContext],
        own: OwnIssuer | None = None,
    ) -> None:
        self._context, self._own = context, own
        self._site: IssuerSite | None = None
        self._keys: dict[tuple[object, ...], IssuerKeys] = {}  # of all links with the same issuer
        self.callers = Callers(
            [self._caller(profile.fhir.caller) for profile in profiles if profile.fhir.caller is not None]
        )

    async def close(self) -> None:
        """Ask nobody any more."""
        for keys in self._keys.values():
            await keys.close()
        if self._site is not None:
            await self._site.close()

    def _caller(self, chosen: FhirCaller) -> Caller:
        if self._own is not None and self._own.is_named(chosen.issuer):
            ours = chosen.model_copy(update={"issuer": self._own.issuer})
            return Caller(self._own.guard(chosen.audience, chosen.clients), ours)
        issuer = Issuer(
            issuer=chosen.issuer,
            audience=chosen.audience,
            clients=frozenset(chosen.clients),
            algorithms=chosen.algorithms,
            token_types=chosen.token_types,
            bound=chosen.certificate_bound,
        )
        return Caller(TokenGuard(issuer, self._keys_of(chosen)), chosen)

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
        if self._site is None:
            self._site = IssuerSite(self._context())
        if chosen.discovery:
            found = DiscoveredKeys(self._site, chosen.issuer, chosen.discovery, chosen.algorithms)
            return IssuerKeys(found.keys, times, where=chosen.issuer)
        published = PublishedKeys(self._site, chosen.jwks_url, chosen.algorithms)
        return IssuerKeys(published.keys, times, where=chosen.jwks_url)
