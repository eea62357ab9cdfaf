"""Who may come and whom we call, as settings, profiles and the files they name say: at a start, and anew.

At a start every fault ends it. Later a broken file is told of, and what was before stays in force, until it
itself ends: a list that ran out lets nobody in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from cryptography import x509

from connector.edges import anchors as held
from connector.edges import certificates as pem
from connector.edges.anchors import Anchors, TrustFiles
from connector.edges.tls import TlsFiles, whom_we_call
from connector.edges.trust import Party, Speakers, Trust
from connector.edges.watching import Shelf
from connector.errors import ConfigurationError
from connector.profile import Profile
from connector.profile.authorization import AuthorizationClient
from connector.profile.endpoint import FhirCaller
from connector.profile.partner_tls import MaySpeak, PartnerTls
from connector.settings import Configuration, Settings, Tls

Made = TypeVar("Made")


ISSUERS: Final = "issuers"
AUDIT: Final = "audit feed"  # before the name of a feed; no link is called so


class End(NamedTuple):
    """One end of connections: ``mllp`` and ``https`` listen; ``issuers``: those that we make to learn keys;
    ``demo v2``, ``demo fhir`` and ``demo token``: those that we make for a link; ``audit feed arr``
    and ``audit feed arr token``: those for a feed of the audit log; ``audit witness ...`` and ``audit
    stamps``: those to who vouches for it.

    ``own``: our certificate as it was read, to see that it changed.
    """

    name: str
    listens: bool
    files: TlsFiles
    trust: Trust
    own: tuple[x509.Certificate, object]


class Beliefs:
    """Reads all there is to know. ``faults``: what is wrong with what was read last, by place; what is wrong
    with single files, ``shelf`` knows."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.faults: dict[str, ConfigurationError] = {}
        self._anchors: dict[TrustFiles, tuple[tuple[object, ...], Anchors]] = {}
        self._before: dict[tuple[type, str], object] = {}

    def ends(self, configuration: Configuration) -> dict[str, End]:
        """The ends of connections by their names. Raises ConfigurationError, at a start alone."""
        self.faults = {}
        return {end.name: end for end in self._ends(*configuration)}

    def _ends(self, settings: Settings, profiles: tuple[Profile, ...]) -> Iterator[End]:
        yield self._listener("mllp", settings.mllp_tls, profiles, self._v2_party)
        clients = settings.authorization.clients if settings.authorization else ()
        yield self._listener("https", settings.https_tls, profiles, self._fhir_party, clients)
        files = tls_files(settings.tls)
        trust = self._trust(ISSUERS, whom_we_call(self.anchors(files.trusted), files.minimum))
        yield End(ISSUERS, False, files, trust, self._own(files))
        for profile in profiles:
            yield from self._calls(profile, settings.tls)
        yield from self._feeds(settings)
        for whose, side, said in settings.audit.outsiders():
            yield self._call(whose, side, said, settings.tls)

    def _listener(
        self,
        name: str,
        chosen: Tls,
        profiles: tuple[Profile, ...],
        party: Callable[[Profile, Anchors], Party | None],
        clients: tuple[AuthorizationClient, ...] = (),
    ) -> End:
        files = tls_files(chosen)
        service = self.anchors(files.trusted)

        def made(profile: Profile) -> Party | None:
            return self._kept(Party, f"{name} {profile.name}", lambda: party(profile, service))

        parties = [found for one in profiles if (found := made(one)) is not None]
        parties += [self._client(one, service) for one in clients if one.subjects or one.names]
        return End(name, True, files, self._trust(name, Trust(service, parties)), self._own(files))

    def _calls(self, profile: Profile, chosen: Tls) -> Iterator[End]:
        """The connections that we make for a link."""
        v2, fhir, token = profile.v2, profile.fhir, profile.fhir.token
        if v2.receiver is not None or (v2.sender is not None and v2.sender.answers.via == "separate"):
            yield self._call(profile.name, "v2", v2.tls, chosen)
        if fhir.base:
            yield self._call(profile.name, "fhir", fhir.tls, chosen)
        if token is not None:
            yield self._call(profile.name, "token", token.tls or fhir.tls, chosen)

    def _feeds(self, settings: Settings) -> Iterator[End]:
        """The connections that we make to audit record repositories."""
        feeds = settings.audit.feed
        for one in feeds.all:
            yield self._call(AUDIT, one.name, one.tls, settings.tls)
        for fhir in feeds.fhir:
            if fhir.token is not None:
                yield self._call(AUDIT, f"{fhir.name} token", fhir.token.tls or fhir.tls, settings.tls)

    def _call(self, whose: str, side: str, partner: PartnerTls, chosen: Tls) -> End:
        name = f"{whose} {side}"

        def made() -> tuple[TlsFiles, Trust, tuple[x509.Certificate, object]]:
            files = client_files(chosen, partner)
            trust = whom_we_call(
                self.anchors(files.trusted), files.minimum, frozenset(partner.servers), whose
            )
            return files, trust, self._own(files)

        files, trust, own = self._kept(tuple, name, made)
        return End(name, False, files, self._trust(name, trust), own)

    def _v2_party(self, profile: Profile, service: Anchors) -> Party | None:
        sender = profile.v2.sender
        if sender is None:
            return None
        return self._party(profile, profile.v2.tls, service, speakers_of(sender), alone=True)

    def _fhir_party(self, profile: Profile, service: Anchors) -> Party | None:
        caller = profile.fhir.caller
        if caller is None:
            return None
        return self._party(profile, profile.fhir.tls, service, speakers_of(caller), alone=False)

    def _client(self, client: AuthorizationClient, service: Anchors) -> Party:
        """A client of our token endpoint that is known by what its certificate says."""
        speakers = speakers_of(client)

        def made() -> Party:
            _check_issuer(speakers, service, f"the client {client.id}")
            return Party(client.party, service, speakers)

        return self._kept(Party, f"https {client.party}", made)

    def _party(
        self, profile: Profile, partner: PartnerTls, service: Anchors, speakers: Speakers, *, alone: bool
    ) -> Party:
        anchors = self.anchors(trust_files(partner)) if partner.own_anchors else service
        if partner.revocation == "required" and anchors.authorities and not anchors.listed:
            raise ConfigurationError(
                "the profile requires revocation lists and the service has none",
                fix="name them under crl",
                location=str(profile.path),
            )
        _check_issuer(speakers, anchors, str(profile.path))
        return Party(profile.name, anchors, speakers, partner.minimum, alone)

    def anchors(self, files: TrustFiles) -> Anchors:
        """What the files hold; the same object as long as that is the same."""
        read = self.shelf.read
        parts = (
            read("authorities", files.trust, pem.authorities) if files.trust else (),
            read("pinned", files.pinned, pem.pinned) if files.pinned else (),
            read("crl", files.crl, held.current_lists) if files.crl else (),
        )
        before = self._anchors.get(files)
        if before is not None and all(one is other for one, other in zip(before[0], parts)):
            return before[1]
        found = held.compose(files, *parts)
        for fault in held.faults(files, found):
            if before is None:
                raise fault
            self.faults[fault.location] = fault
            found = held.compose(files, parts[0], parts[1], before[1].crls)
            break
        self._anchors[files] = parts, found
        return found

    def _own(self, files: TlsFiles) -> tuple[x509.Certificate, object]:
        key = self.shelf.read("key", files.key, _private)
        leaf = self.shelf.read("own", files.certificate, lambda path: pem.check_own(path, files.key))
        return leaf, key

    def _trust(self, name: str, made: Trust) -> Trust:
        """The one of before, if nothing in it is new."""
        before = self._before.get((Trust, name))
        if isinstance(before, Trust) and (before.service, before.parties) == (made.service, made.parties):
            return before
        self._before[Trust, name] = made
        return made

    def _kept(self, kind: type, name: str, make: Callable[[], Made]) -> Made:
        """What is made now; if that fails and there was something before, that."""
        try:
            found = make()
        except ConfigurationError as fault:
            if (kind, name) not in self._before:
                raise
            self.faults[name] = fault
            return self._before[kind, name]  # type: ignore[return-value]
        self._before[kind, name] = found
        return found


def _check_issuer(speakers: Speakers, anchors: Anchors, where: str) -> None:
    if (speakers.subjects or speakers.names) and not speakers.issuers and anchors.roots > 1:
        raise ConfigurationError(
            "several authorities could issue a certificate with the subject or name of this partner",
            fix="say which under issued_by, or give the partner's own under trust",
            location=where,
        )


def _private(path: Path) -> object:
    """Stands for a private key, which is not kept."""
    pem.check_private(path)
    return object()


def tls_files(chosen: Tls) -> TlsFiles:
    """The files of one listener, or of the connections we make where the partner's profile says nothing."""
    return TlsFiles(
        chosen.certificate,
        chosen.key,
        chosen.trust,
        chosen.crl,
        chosen.minimum,
        required=chosen.revocation == "required",
        group=chosen.dh_parameters,
    )


def trust_files(partner: PartnerTls) -> TrustFiles:
    """The files that say who vouches for a partner."""
    return TrustFiles(partner.trust, partner.crl, partner.pinned, partner.revocation == "required")


def client_files(chosen: Tls, partner: PartnerTls) -> TlsFiles:
    """The files of the connections that we make to a partner. A pinned certificate is the only one taken."""
    own = (partner.certificate or chosen.certificate, partner.key or chosen.key)
    minimum = max(chosen.minimum, partner.minimum)
    required = "required" in (chosen.revocation, partner.revocation)
    if partner.pinned is not None:
        return TlsFiles(*own, None, None, minimum, partner.pinned, group=chosen.dh_parameters)
    trust, crl = (partner.trust, partner.crl) if partner.trust else (chosen.trust, chosen.crl)
    return TlsFiles(*own, trust, crl, minimum, required=required, group=chosen.dh_parameters)


def speakers_of(said: MaySpeak) -> Speakers:
    """Whose certificates speak for a side; on the FHIR side anybody's, where nobody is named."""
    return Speakers(
        frozenset(said.certificates),
        frozenset(said.subjects),
        frozenset(said.names),
        frozenset(said.issued_by),
        anybody=isinstance(said, FhirCaller),
    )
