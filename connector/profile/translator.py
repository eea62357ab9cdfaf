"""The translator of a profile: its verbs on the maps, its names and tables, and how it writes messages."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn, Self

from connector.errors import ProfileError
from connector.mapping import Outgoing, translator
from connector.mapping.changing import change_of
from connector.mapping.compiled import Atlas
from connector.mapping.filling import Filling
from connector.mapping.messages.registry import known_messages
from connector.mapping.partner import Partner, local_uri
from connector.mapping.verbs import Added, Refused, Verbs, extended_tables, known_rows, known_tables
from connector.profile.check import check
from connector.profile.load import load
from connector.profile.model import Profile
from connector.profile.reading import Document, refusal


class Translator(translator.Translator):
    """Translates for one partner. Stateless between calls and pure: equal input gives equal output."""

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The translator of a profile file.

        Raises one ``ProfileError`` that says every fault at its ``file:line``.
        """
        found = check(path, rows=known_rows(), tables=known_tables(), messages=known_messages())
        if found:
            raise refusal(found)
        return cls.of(load(path))

    @classmethod
    def of(cls, profile: Profile) -> Self:
        """The translator of a profile. Raises ``ProfileError`` for a verb that the maps cannot follow."""
        try:
            change = change_of(verbs_of(profile))
            atlas = Atlas(partner_of(profile), change)
        except Refused as refused:
            _refuse(profile, refused)
        mapping = profile.mapping
        return cls(atlas, outgoing_of(profile), Filling.of(mapping.default, mapping.constant), profile.rules)


def partner_of(profile: Profile) -> Partner:
    """The names and tables of a profile. Raises ``Refused``."""
    mapping, base = profile.mapping, profile.fhir.base.rstrip("/")
    return Partner(
        namespace=profile.namespace,
        authorities=dict(mapping.authorities),
        coding_systems=dict(mapping.systems),
        tables=extended_tables(mapping.codes),
        zone=profile.zone,
        **({"base": base} if base else {}),
    )


def outgoing_of(profile: Profile) -> Outgoing:
    """How a profile's new messages are written."""
    to = profile.v2.receiver
    if to is None:
        return Outgoing(charset=profile.v2.charset or Outgoing().charset)
    facilities = to.application, to.facility, to.receiving_application, to.receiving_facility
    asked = to.acknowledgments.accept, to.acknowledgments.application
    return Outgoing(to.version, to.processing_id, to.charset, facilities, asked)


def verbs_of(profile: Profile) -> Verbs:
    """What a profile says about rows."""
    mapping = profile.mapping
    extensions = (
        (("extension", n), Added.extension(one.source, one.resource, one.url, one.type))
        for n, one in enumerate(mapping.extension)
    )
    identifiers = (
        (("identifier", n), Added.identifier(one.source, one.resource, one.system, one.type))
        for n, one in enumerate(mapping.identifier)
    )
    patients = tuple(
        frozenset({name, mapping.authorities.get(name) or local_uri(name)})
        for name in profile.identity.patient_authorities
    )
    return Verbs(mapping.drop, dict(mapping.move), (*extensions, *identifiers), patients)


def _refuse(profile: Profile, refused: Refused) -> NoReturn:
    """The fault at its line, where the profile came from a file that still says the same."""
    key = ("mapping", *refused.key)
    try:
        document = Document.open(profile.path, ProfileError)
    except ProfileError:
        document = None
    if document is None or document.sha256 != profile.sha256:
        where = f"{profile.path}: {'.'.join(map(str, key))}"
        raise ProfileError(refused.what, fix=refused.fix, location=where) from None
    raise document.fault(key, refused.what, refused.fix) from None
