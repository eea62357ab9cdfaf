"""The settings of the service, ``connector.toml``: where it listens, its store and keys, which profiles.

As strict as a profile, with the same form of faults: every one a ``ConfigurationError`` at ``file:line``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from connector.errors import ConfigurationError, ProfileError
from connector.profile.audit import Audit
from connector.profile.authorization import Authorization
from connector.profile.endpoint import SELF
from connector.profile.keys import Keys
from connector.profile.login import Login
from connector.profile.model import Profile
from connector.profile.operators import Operators
from connector.profile.people import BreakGlass, People
from connector.profile.reading import Document, refusal, sorted_faults
from connector.profile.section import Bytes, Count, FilePath, Host, Port, Seconds, Section, check_url, fault


class Tls(Section):
    """The files of one end of mutual TLS, all PEM."""

    certificate: FilePath
    """Our own chain, leaf first."""
    key: FilePath
    """Its private key, which only its owner may read."""
    trust: FilePath
    """The authorities that may vouch for partners, and no others."""
    crl: FilePath | None = None
    """Their revocation lists in one file; left out where the authority publishes none."""
    revocation: Literal["where listed", "required"] = "where listed"
    """`required`: nothing starts without current lists of every authority."""
    minimum: Literal["1.2", "1.3"] = "1.2"
    """The lowest version of TLS."""
    dh_parameters: FilePath | None = None
    """A Diffie-Hellman group of 2,048 bits or more (PEM), with which the DHE suites of IHE ITI-19 are spoken
    too, for partners that know no others; left out: ECDHE alone."""
    warn_days: Count = 30
    """How many days before a certificate or a revocation list ends, ours or a partner's, we begin to warn."""

    @model_validator(mode="after")
    def _lists_are_there(self) -> Self:
        if self.revocation == "required" and self.crl is None:
            raise fault(
                "revocation lists are required and none is given",
                fix="name them under crl",
                key=("revocation",),
            )
        return self


class Listener(Section):
    """Where and how much a side listens."""

    host: Host = "127.0.0.1"
    """The address to listen on."""
    tls: Tls | None = None
    """Other files than those of [tls], for this listener."""
    max_connections: Count = 1000
    """Open connections."""
    handshake_seconds: Seconds = 5.0
    """The longest handshake."""


class MllpListener(Listener):
    """HL7 v2 over MLLP."""

    port: Port = 2575
    """The port (2575 is IANA's for HL7)."""
    idle_seconds: Seconds = 3600.0
    """How long a connection may say nothing."""
    frame_seconds: Seconds = 60.0
    """The longest time for one frame."""
    write_seconds: Seconds = 30.0
    """The longest time for a partner to read an answer."""
    frame_bytes: Bytes = 16 * 1024 * 1024
    """The largest frame of any partner."""
    held_bytes: Bytes = 64 * 1024 * 1024
    """What unfinished frames of all connections together may hold; who passes it is cut."""


class HttpsListener(Listener):
    """FHIR over HTTPS."""

    port: Port = 8443
    """The port."""
    base: str = ""
    """How partners reach this API, `https://host:port/fhir`; `""`: made of host and port."""
    idle_seconds: Seconds = 30.0
    """How long a connection may say nothing."""
    body_seconds: Seconds = 30.0
    """The longest time for one body."""
    body_bytes: Bytes = 16 * 1024 * 1024
    """The largest body of any partner."""
    in_hand: Count = 64
    """Requests that are worked on at the same time."""
    head_seconds: Seconds = 10.0
    """The longest time for the head of a request, from its first byte."""
    head_bytes: Annotated[int, Field(ge=1024, le=1024 * 1024)] = 32 * 1024
    """The largest head of a request: its first line and its header fields."""
    header_fields: Annotated[int, Field(ge=8, le=1000)] = 64
    """The most header fields of a request."""
    url_bytes: Annotated[int, Field(ge=64, le=64 * 1024)] = 4096
    """The longest address of a request, with its query."""
    nesting: Annotated[int, Field(ge=8, le=100)] = 100
    """The most objects and arrays inside one another in a body."""
    bundle_entries: Count = 5000
    """The most entries of a bundle."""

    @field_validator("base")
    @classmethod
    def _safe(cls, base: str) -> str:
        return check_url(base) if base else base

    @property
    def url(self) -> str:
        """The address of the FHIR API."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.base.rstrip("/") or f"https://{host}:{self.port}/fhir"


class Log(Section):
    """The operational log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is written."""


class Settings(Section):
    """The settings of one service."""

    store: FilePath
    """The SQLite database."""
    kek: FilePath | None = None
    """The file with the key-encryption key, which only its owner may read: short for a table [keys] with
    `wrap = "file"`. Beside another table [keys], the file of what is still under its key."""
    keys: Keys | None = None
    """Who keeps the key-encryption keys, where it is not a file."""
    profiles: Annotated[tuple[FilePath, ...], Field(min_length=1)]
    """The partner profiles, one a link."""
    tls: Tls
    """The files of TLS, for listening and for calling partners."""
    mllp: MllpListener = Field(default_factory=MllpListener)
    """HL7 v2 comes in here."""
    https: HttpsListener = Field(default_factory=HttpsListener)
    """FHIR comes in here."""
    operators: Operators | None = None
    """Who may operate the service over HTTPS."""
    login: Login | None = None
    """Where people log in to operate the service."""
    people: People | None = None
    """Who may use the commands: users of this machine, each with roles, `mia = ["operator"]`. The roles:
    `operator`, `analyst`, `auditor`, `security-officer`, `administrator`. Without this table everybody may
    who can read the files."""
    break_glass: BreakGlass | None = None
    """Who may do in an emergency what the role does not grant."""
    authorization: Authorization | None = None
    """A token endpoint of our own."""
    audit: Audit = Field(default_factory=Audit)
    """The sealed audit log."""
    log: Log = Field(default_factory=Log)
    """The operational log."""
    drain_seconds: Seconds = 20.0
    """How long what is in hand may take at the end."""

    _path: Path = PrivateAttr(default=Path())
    _sha256: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _locked(self) -> Settings:
        if self.kek is None and self.keys is None:
            raise fault("no key-encryption key is named", fix='add kek = "kek.key", or a table [keys]')
        if self.kek is not None and self.keys is not None and self.keys.file is not None:
            raise fault("two key files are named", fix="leave out kek", key=("kek",))
        return self

    def model_post_init(self, context: dict[str, Path] | None) -> None:
        """Remembers the file."""
        origin: dict[str, Any] = dict(context or {})
        self._path, self._sha256 = origin.get("path", Path()), origin.get("sha256", "")

    @property
    def sha256(self) -> str:
        """The hexadecimal SHA-256 of the file."""
        return self._sha256

    @property
    def path(self) -> Path:
        """The file these settings were read from."""
        return self._path

    @property
    def store_url(self) -> str:
        """The store as SQLAlchemy names it."""
        return f"sqlite:///{self.store}"

    @property
    def mllp_tls(self) -> Tls:
        """The files for the MLLP listener."""
        return self.mllp.tls or self.tls

    @property
    def https_tls(self) -> Tls:
        """The files for the HTTPS listener."""
        return self.https.tls or self.tls


class Configuration(NamedTuple):
    """Everything a service is configured with."""

    settings: Settings
    profiles: tuple[Profile, ...]


def read(path: Path) -> Settings:
    """The settings in a file, without the profiles. Raises one ``ConfigurationError``."""
    found = Document.open(path, ConfigurationError).read(Settings)
    if isinstance(found, list):
        raise refusal(found)
    return found


def claimed_twice(configuration: Configuration) -> list[ConfigurationError]:
    """What two profiles have and only one may."""
    return [
        ConfigurationError(what, fix="give each its own", location=str(configuration.settings.path))
        for _, what in _claimed(dict(enumerate(configuration.profiles)))
    ]


def load(path: str | Path) -> Configuration:
    """The settings in a file and the profiles that they name.

    Raises one ``ConfigurationError``: the fault, or a list of all of them, those of the profiles too.
    Refused as well: a profile that carries nothing, and what two profiles may not share (name, partner's
    certificate or subject, OAuth client).
    """
    document = Document.open(Path(path), ConfigurationError)
    settings = document.read(Settings)
    if isinstance(settings, list):
        raise refusal(settings)
    found, faults = _profiles(settings)
    faults += sorted_faults([*_clashes(document, found), *_without_issuer(document, settings, found)])
    if faults:
        raise refusal(faults)
    return Configuration(settings, tuple(found.values()))


def _profiles(settings: Settings) -> tuple[dict[int, Profile], list[ConfigurationError]]:
    """The profiles by their number in the settings, and the faults of those that are none."""
    found: dict[int, Profile] = {}
    faults: list[ConfigurationError] = []
    for number, path in enumerate(settings.profiles):
        try:
            profile = Document.open(path, ProfileError).read(Profile)
        except ProfileError as error:
            profile = [error]
        if isinstance(profile, Profile):
            found[number] = profile
        else:
            faults += profile
    return found, faults


def _clashes(
    document: Document[ConfigurationError], found: dict[int, Profile]
) -> Iterator[ConfigurationError]:
    for number, profile in found.items():
        if not profile.directions:
            what = f"the profile {profile.name} carries nothing"
            yield document.fault(("profiles", number), what, "give it a table [v2.from] or [fhir.from]")
    for number, what in _claimed(found):
        yield document.fault(("profiles", number), what, "give each its own")


def _claimed(found: dict[int, Profile]) -> Iterator[tuple[int, str]]:
    owners: dict[tuple[str, str], Profile] = {}
    for number, profile in found.items():
        for claim in _claims(profile):
            if (owner := owners.setdefault(claim, profile)) is not profile:
                yield number, f"{owner.name} and {profile.name} have the same {claim[0]}"


def _without_issuer(
    document: Document[ConfigurationError], settings: Settings, found: dict[int, Profile]
) -> Iterator[ConfigurationError]:
    """Who takes tokens of our own issuer where there is none."""
    if settings.authorization is not None:
        return
    what, fix = "takes tokens of our own issuer, and there is none", "add [authorization]"
    for number, profile in found.items():
        if profile.fhir.caller is not None and profile.fhir.caller.issuer == SELF:
            yield document.fault(("profiles", number), f"the profile {profile.name} {what}", fix)
    if settings.operators is not None and settings.operators.issuer == SELF:
        yield document.fault(("operators", "issuer"), f"this {what}", fix)


def _claims(profile: Profile) -> Iterator[tuple[str, str]]:
    """What only one profile may have."""
    yield "name", profile.name
    if profile.v2.sender is not None:
        yield from (
            ("certificate in [v2.from]", one) for one in dict.fromkeys(profile.v2.sender.certificates)
        )
        own = (
            str(profile.v2.tls.trust or ""),
            *profile.v2.sender.issued_by,
        )  # then it may be another's elsewhere
        for subject in dict.fromkeys((*profile.v2.sender.subjects, *profile.v2.sender.names)):
            yield "subject in [v2.from]", "\n".join((subject, *own))
    if profile.fhir.caller is not None:
        yield from (("client in [fhir.from]", one) for one in profile.fhir.caller.clients)
