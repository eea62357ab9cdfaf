"""What the cycle asks of the world: protocols that the composition root fills.

The cycle itself opens no socket, knows no database and reads no clock. Times are aware UTC datetimes;
``ids`` gives a fresh correlation id (32 hexadecimal digits) for each message that arrives.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from connector.errors import DeliveryError, MessageError

Clock = Callable[[], dt.datetime]
Ids = Callable[[], str]
Json = dict[str, Any]


class Peer(Protocol):
    """Who is at the other end, as TLS has proved it."""

    @property
    def fingerprint(self) -> str:
        """``sha256:`` and the hexadecimal digest of the certificate."""
        ...

    @property
    def subject(self) -> str:
        """The subject's distinguished name, RFC 4514."""
        ...

    @property
    def address(self) -> str:
        """Host and port."""
        ...


class Translation(Protocol):
    """What a translation returns: the other side's words and the locations that it cannot say."""

    @property
    def bundle(self) -> Any:
        """FHIR transaction Bundle, of ``to_fhir``."""
        ...

    @property
    def message(self) -> Any:
        """v2 text, of ``to_v2``."""
        ...

    @property
    def lost(self) -> list[str]:
        """Locations, never values."""
        ...


class Translator(Protocol):
    """One partner's maps, both ways."""

    def heard(self, message: Any) -> Any:
        """What a v2 message says, for ``to_fhir`` in its place, where it is translated more than once."""
        ...

    def to_fhir(self, message: Any, prior: Any = None) -> Translation:
        """v2 text to a transaction Bundle; ``prior``: the resources as the FHIR side has them."""
        ...

    def to_v2(self, bundle: Json, prior: str | None = None, *, envelope: Any = None) -> Translation:
        """A Bundle to v2 text over the words of ``prior``."""
        ...


class Acknowledgment(Protocol):
    """The partner's answer to a v2 message."""

    @property
    def code(self) -> str:
        """MSA-1, table 0008."""
        ...

    @property
    def errors(self) -> Sequence[Any]:
        """What the ERR segments say."""
        ...


class V2Sender(Protocol):
    """Sends one v2 message and waits for its acknowledgment; raises ``DeliveryError``."""

    async def send(self, payload: bytes, control_id: str) -> Acknowledgment:
        """The acknowledgment, whatever its code."""
        ...


class Written(NamedTuple):
    """What became of one entry of a bundle at the FHIR side."""

    key: str = ""  # Type/id there; "" where the partner does not say it
    version: str = ""  # the one it has now; "" where the partner does not say it
    found: bool = False  # a create that found the resource there: nothing was written
    error: DeliveryError | None = None  # why not, of a batch or of entries that go one by one


class FhirSender(Protocol):
    """The FHIR side's endpoint; every method raises ``DeliveryError``."""

    async def send(self, bundle: Json) -> Sequence[Written]:
        """What became of the entries, in their order; what comes behind the last of them was not sent."""
        ...

    async def read(self, key: str) -> Json | None:
        """``Type/id`` as it stands there; None where it is not, or was deleted."""
        ...

    async def find(self, kind: str, query: str) -> Sequence[Json]:
        """The resources of a type that a search (``identifier=...``, URL-encoded) finds."""
        ...


class Judge(Protocol):
    """Strict conformance: what an independent implementation finds wrong in a v2 message."""

    async def __call__(self, text: str) -> Iterable[MessageError]:
        """The findings; none for a message that conforms."""
        ...


class Entry(NamedTuple):
    """One thing that happened, for the audit trail; the composition root hands it to the audit log."""

    time: str  # RFC 3339, UTC
    tag: str  # ``message:v2:received``
    actor: Mapping[str, Any]  # who did it
    object: Mapping[str, Any]  # what it was done to; never a value of a message
    outcome: str  # success, refused, failure
    reason: str  # the name of the error, or ""
    correlation: str  # ties together everything that happened to one message


class Principal(Protocol):
    """The OAuth client behind a request."""

    @property
    def client_id(self) -> str:
        """As the token names it."""
        ...

    def may(self, verb: str, type_name: str, resource: Mapping[str, Any] | None) -> bool:
        """Whether its scopes grant the interaction (c, u or d) on this resource; None: not known."""
        ...


class Submission(Protocol):
    """One authorised and valid FHIR request."""

    @property
    def kind(self) -> str:
        """transaction, batch, message, create or update."""
        ...

    @property
    def resource(self) -> Json:
        """The bundle, or the one resource."""
        ...

    @property
    def raw(self) -> bytes:
        """The body as sent."""
        ...

    @property
    def resource_type(self) -> str:
        """Of the address; ``Bundle`` for bundles."""
        ...

    @property
    def resource_id(self) -> str:
        """Of the address of an update; "" otherwise."""
        ...

    @property
    def if_match(self) -> str:
        """The If-Match header as sent (``W/"3"``); "" without."""
        ...

    @property
    def principal(self) -> Principal:
        """Who asks."""
        ...

    @property
    def peer(self) -> Peer:
        """Over which connection."""
        ...


class Taken(NamedTuple):
    """The submission is on the disk."""

    correlation_id: str
    duplicate: bool = False
