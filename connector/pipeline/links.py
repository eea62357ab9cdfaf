"""A link: one partner's two sides as the cycle needs them, and finding it by who is calling."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from connector.errors import ConfigurationError
from connector.hl7v2.modes import Answers
from connector.mapping.messages.changes import Rule
from connector.pipeline import sequences
from connector.pipeline.identity import BY_OUR_IDS, Identity
from connector.pipeline.ports import Peer, Translator
from connector.pipeline.reconcile import USUAL, Authority

NO_BASE: Final = "https://connector.invalid/fhir"  # where the profile names no FHIR endpoint
OnUnreadable = Literal["close", "nack"]
Lane = Literal["link", "patient"]
Reused = Literal["take", "refuse"]
BatchAnswers = Literal["all", "errors"]


@dataclass(frozen=True, slots=True)
class Accepts:
    """What may come in by v2; an empty set accepts every value."""

    messages: frozenset[str] = frozenset()  # MSH-9.1 and 9.2: ``ADT^A01``; ``ADT^*`` is every event
    versions: frozenset[str] = frozenset()  # MSH-12.1
    processing_ids: frozenset[str] = frozenset()  # MSH-11.1
    applications: frozenset[str] = frozenset()  # MSH-3.1
    facilities: frozenset[str] = frozenset()  # MSH-4.1


@dataclass(frozen=True, slots=True)
class Shape:
    """How much of everything one v2 message may have."""

    segments: int = 20_000
    fields: int = 1_000  # of one segment
    repetitions: int = 10_000  # of one field


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of the listener one partner may take; ``rate`` 0: as fast as it goes."""

    connections: int = 100
    in_hand: int = 64  # frames that are worked on at once, over all of its connections
    rate: float = 0.0  # messages a second
    burst: int = 100  # messages that may come at once after a pause


@dataclass(frozen=True, slots=True)
class Link:
    """One partner, point to point."""

    name: str
    translator: Translator
    peers: frozenset[str] = frozenset()  # fingerprints and subjects that may send v2
    clients: frozenset[str] = frozenset()  # OAuth client ids that may send FHIR
    accepts: Accepts = Accepts()
    rules: tuple[Rule, ...] = ()
    charset: str | None = None  # for v2 that names none in MSH-18
    zone: dt.tzinfo | None = None  # of v2 times that are sent without an offset
    leaves_out: bool = True  # what the FHIR side has already is not delivered again
    authority: Authority = USUAL  # who wins where both sides changed the same field
    sends_as: str = ""  # MSH-3.1 of what we write anew
    stale: Literal["flag", "refuse"] = "flag"  # an update that is older than what is known
    strict: bool = False  # an independent implementation judges incoming v2
    models: bool = False  # fhir.resources judges FHIR, what comes in and what goes out
    on_unreadable: OnUnreadable = "nack"
    answers: Answers = "by-message"  # acknowledgments: original mode, enhanced mode, or as MSH-15/16 ask
    reused: Reused = "take"  # another content under a control id that came before
    numbers: sequences.Rule = "ignored"  # MSH-13
    batch_answers: BatchAnswers = "all"  # which messages of a batch the answering batch speaks of
    asks: Literal["AL", "NE"] = "NE"  # MSH-15 of our application acknowledgments
    frame_bytes: int = 16 * 1024 * 1024  # of one v2 message
    body_bytes: int = 16 * 1024 * 1024  # of one FHIR request
    shape: Shape = Shape()  # of one v2 message
    waiting: int = 100_000  # messages that may wait before new ones are turned away
    lane: Lane = "link"  # what keeps its order: the link's messages, or those of each patient
    quota: Quota = Quota()  # what the partner may take of the listener
    base: str = NO_BASE  # of fullUrl
    identity: Identity = BY_OUR_IDS  # how resources are known at the FHIR side
    sends_charset: str = "UNICODE UTF-8"  # of v2 messages that have no prior and so no MSH-18
    authorities: Mapping[str, str] = field(default_factory=dict)  # HD.1 to Identifier.system
    facts: Mapping[str, str] = field(default_factory=dict)  # for the audit trail: the profile's sha256


NOBODY: Final = "(nobody)"


Known = Callable[[Peer], str]


class Links:
    """All links of the connector. Two links that claim one certificate are a ``ConfigurationError``.

    ``known``: the link for which a peer may speak, by its name, "" for none; left out: by the fingerprints
    and subjects that the links name.
    """

    def __init__(self, links: Iterable[Link], known: Known | None = None) -> None:
        self.all, self._known = tuple(links), known
        self._by_name = _unique(((link.name, link) for link in self.all), "name")
        self._by_client = _unique(((one, link) for link in self.all for one in link.clients), "client id")
        peers = ((peer, link) for link in self.all for peer in link.peers) if known is None else ()
        self._by_peer = _unique(peers, "certificate")

    def named(self, name: str) -> Link:
        """The link of this name; ``KeyError`` if there is none."""
        return self._by_name[name]

    def of_peer(self, peer: Peer) -> Link | None:
        """The link whose partner shows this certificate."""
        if self._known is not None:
            return self._by_name.get(self._known(peer))
        return self._by_peer.get(peer.fingerprint) or self._by_peer.get(peer.subject)

    def of_client(self, client_id: str) -> Link | None:
        """The link whose FHIR side has this OAuth client."""
        return self._by_client.get(client_id)


def _unique(pairs: Iterable[tuple[str, Link]], what: str) -> dict[str, Link]:
    found: dict[str, Link] = {}
    for key, link in pairs:
        if found.setdefault(key, link) is not link:
            raise ConfigurationError(
                f"the links {found[key].name} and {link.name} have the same {what}",
                fix="give each partner its own",
            )
    return found
