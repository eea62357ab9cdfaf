"""TLS of the whole service: a context for each end of connections, made anew where a file changed.

The next handshake takes what is new; nobody who may stay is dropped. A connection whose holder was revoked,
whose partner was removed or whose certificate has ended is cut.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from connector import settings
from connector.edges.acceptor import Acceptor
from connector.edges.tls import Context, Peer, client_context, server_context
from connector.edges.trust import PeerRefused, Trust
from connector.errors import ConfigurationError
from connector.profile import Profile, load
from connector.settings import Configuration
from connector.wiring.beliefs import Beliefs, End

ENDED = "certificate has expired"
REMOVED = "it may not speak for its partner any more"


class Calling(Protocol):
    """Makes connections to one partner."""

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next connection on."""
        ...

    def cut(self) -> None:
        """End all connections at once."""
        ...


class Cut(NamedTuple):
    """A connection that was ended, and why. ``peer``: None where we had made it."""

    end: str
    reason: str
    peer: Peer | None = None


@dataclass(slots=True)
class Looked:
    """What became of the files: the ends that are new, and what is wrong."""

    ends: dict[str, End]
    contexts: dict[str, Context]
    faults: dict[str, ConfigurationError]
    removed: list[str] = field(default_factory=list)


class Secured:
    """The contexts of all ends. Raises ConfigurationError for whatever is wrong at the start."""

    def __init__(self, configuration: Configuration) -> None:
        self._beliefs, self._configuration = Beliefs(), configuration
        self._beliefs.shelf.begin()
        self._seed()
        self._ends = self._beliefs.ends(configuration)
        self._beliefs.shelf.end()
        self._contexts: dict[str, Context] = {}
        self._acceptors: dict[str, Acceptor] = {}
        self._callers: dict[str, list[Calling]] = {}
        self.faults: dict[str, ConfigurationError] = {}

    @property
    def ends(self) -> dict[str, End]:
        """The ends as they are in force."""
        return self._ends

    def context(self, name: str) -> Context:
        """The context of an end. Raises ConfigurationError."""
        if name not in self._contexts:
            self._contexts[name] = _context(self._ends[name])
        return self._contexts[name]

    def listens(self, name: str, acceptor: Acceptor) -> None:
        """This one accepts the connections of an end."""
        self._acceptors[name] = acceptor

    def calls(self, name: str, caller: Calling) -> None:
        """This one makes the connections of an end."""
        self._callers.setdefault(name, []).append(caller)

    def link_of(self, peer: Any) -> str:
        """The link for whose v2 side a peer of the MLLP listener speaks; ``""``: none."""
        return next(iter(self._ends["mllp"].trust.parties_of(peer.fingerprint)), "")

    def may_send(self, link: str) -> Callable[[str], bool]:
        """Whether a peer of the HTTPS listener, by its fingerprint, may send for a link's FHIR side."""
        return lambda fingerprint: link in self._ends["https"].trust.parties_of(fingerprint)

    def changed(self) -> bool:
        """Whether a file is not as it was read."""
        return self._beliefs.shelf.changed()

    def stamps(self) -> object:
        """Something that is equal as long as no file changes."""
        return self._beliefs.shelf.stamps()

    def look(self) -> Looked:
        """Read what changed; nothing is in force yet, so this may go on beside everything else."""
        shelf = self._beliefs.shelf
        shelf.begin()
        read, faults = self._reread()
        ends = self._beliefs.ends(read)
        shelf.end()
        faults |= self._beliefs.faults | {str(path): fault for path, fault in shelf.faults.items()}
        looked = Looked({}, {}, faults)
        for name, end in ends.items():
            before = self._ends.get(name)
            if before is None or (before.own, before.files, before.trust) == (end.own, end.files, end.trust):
                continue  # a new link is taken up at the next start
            try:
                looked.contexts[name] = _context(end)
            except ConfigurationError as fault:  # our own certificate: that of before serves on
                faults[name] = fault
                end = end._replace(own=before.own, files=before.files)
            looked.ends[name] = end
        looked.removed = [name for name in self._ends if name not in ends]
        self._configuration = read
        return looked

    def apply(self, looked: Looked) -> list[Cut]:
        """From now on what was read counts; the connections that were cut for it."""
        self.faults = looked.faults
        cut: list[Cut] = []
        for name, end in looked.ends.items():
            before, self._ends[name] = self._ends[name], end
            cut += self._renew(name, before.trust, end.trust, looked.contexts.get(name))
        for name in looked.removed:
            before = self._ends.pop(name)
            nobody = Trust(None)
            cut += self._renew(name, before.trust, nobody, Context.of(ssl.PROTOCOL_TLS_CLIENT, nobody))
        return cut

    def sweep(self, now: datetime) -> list[Cut]:
        """Cut what has ended by itself."""
        cut: list[Cut] = []
        for name, acceptor in self._acceptors.items():
            acceptor.drop(_noted(cut, name, lambda peer: ENDED if peer.not_after <= now else ""))
        for name in self._callers:
            chains = [one.chain for one in self.context(name).live] if name in self._contexts else []
            if any(chain and chain[0].not_valid_after_utc <= now for chain in chains):
                cut += self._end(name, ENDED)
        return cut

    def _renew(self, name: str, before: Trust, after: Trust, context: Context | None) -> list[Cut]:
        old = self._contexts.get(name)
        if old is None:
            return []  # nothing was ever made with it
        if context is None:
            old.believe(after)
            context = old
        else:
            old.trust, context.live = after, old.live  # a handshake under way is judged by what is new
            self._contexts[name] = context
        cut: list[Cut] = []
        if (acceptor := self._acceptors.get(name)) is not None:
            acceptor.reload(context)
            acceptor.drop(_noted(cut, name, lambda peer: _unwanted(peer, before, after)))
        for caller in self._callers.get(name, ()):
            caller.reload(context)
        reasons = [said for one in list(context.live) if (said := _refused(one.chain, one.version(), after))]
        if reasons and name in self._callers:
            cut += self._end(name, reasons[0])
        return cut

    def _end(self, name: str, reason: str) -> list[Cut]:
        for caller in self._callers.get(name, ()):
            caller.cut()
        return [Cut(name, reason)]

    def _reread(self) -> tuple[Configuration, dict[str, ConfigurationError]]:
        """Settings and profiles as they are now; what is broken, as it was."""
        shelf, path = self._beliefs.shelf, self._configuration.settings.path
        chosen = shelf.read("settings", path, settings.read)
        profiles: list[Profile] = []
        faults: dict[str, ConfigurationError] = {}
        for one in chosen.profiles:
            try:
                profiles.append(shelf.read("profile", one, load))
            except ConfigurationError as fault:  # a new one
                faults[str(one)] = fault
        found = Configuration(chosen, tuple(profiles))
        if claimed := settings.claimed_twice(found):
            return self._configuration, {**faults, str(path): claimed[0]}
        return found, faults

    def _seed(self) -> None:
        """The configuration was read already."""
        shelf = self._beliefs.shelf
        shelf.read("settings", self._configuration.settings.path, settings.read)
        for one in self._configuration.profiles:
            shelf.put("profile", one.path, one, one.sha256)


def _context(end: End) -> Context:
    return (server_context if end.listens else client_context)(end.files, end.trust)


def _noted(cut: list[Cut], name: str, why: Callable[[Peer], str]) -> Callable[[Peer], bool]:
    """Whether a peer is to go, noting it down."""

    def unwanted(peer: Peer) -> bool:
        reason = why(peer)
        if reason:
            cut.append(Cut(name, reason, peer))
        return bool(reason)

    return unwanted


def _unwanted(peer: Peer, before: Trust, after: Trust) -> str:
    spoke = before.parties_of(peer.fingerprint)
    refused = _refused(peer.chain, peer.version, after)
    return refused or ("" if spoke <= after.parties_of(peer.fingerprint) else REMOVED)


def _refused(chain: Any, version: str | None, trust: Trust) -> str:
    try:
        trust.admit(chain, version, datetime.now(UTC), open_already=True)
    except PeerRefused as refusal:
        return refusal.verify_message
    return ""
