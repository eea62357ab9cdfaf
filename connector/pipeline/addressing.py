"""What the resources of one message are called at the FHIR side, and the entries that have them written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.fhir import json as fjson
from connector.fhir.references import referred
from connector.pipeline import names, versions
from connector.pipeline.identity import Known, by_search, pointed, temporary, update
from connector.pipeline.learning import Part
from connector.pipeline.links import Link
from connector.store import Store

Json = dict[str, Any]

ONCE: Final = frozenset({"MessageHeader", "Provenance"})  # of one message: nobody else changes them


class Addresses:
    """The names of one message's resources. ``together``: its entries may refer to one another by urn."""

    def __init__(
        self, link: Link, parts: Sequence[Part], there: Mapping[str, str], *, together: bool
    ) -> None:
        self._link, self._together = link, together
        self._identity = link.identity
        self._parts = parts
        self._ours = frozenset(part.here for part in parts)
        self._known: dict[str, Known] = {}  # by our keys: of what has no name there
        self.names = dict(there)  # ours to the FHIR side's

    @property
    def chosen_there(self) -> bool:
        """Whether the server chooses ids."""
        return self._identity.ids != "client"

    @property
    def here(self) -> dict[str, str]:
        """The FHIR side's names to ours."""
        return {name: key for key, name in self.names.items()}

    async def learn(self, store: Store, aside: Mapping[str, Json], *, seen: bool) -> None:
        """Ask the journal for names, for what was last ``seen``, and for what is only referred to.

        ``aside``: resources of the message that are not sent.
        """
        wanted = dict.fromkeys(self._ours)
        wanted |= dict.fromkeys(key for part in self._parts for key in referred(part.resource or {}))
        asked = versions.asking(self._ours) if seen else []
        found = await store.resources(self._link.name, [*names.asking_theirs(wanted), *asked])
        self.names |= names.told(found)
        last = versions.told(found)
        moved = [self.names[key] for key in self._ours if self.names.get(key, key) != key]
        if moved and seen:
            last |= versions.told(await store.resources(self._link.name, versions.asking(moved)))
        for part in self._parts:
            part.saw(last.get(self.key(part.here)))
        if self.chosen_there:
            await self._identify(store, aside, list(wanted))

    async def _identify(self, store: Store, aside: Mapping[str, Json], wanted: Sequence[str]) -> None:
        """What everything is found by that has no name at the FHIR side, or is only referred to."""
        resources = dict(aside)
        resources |= {part.here: part.resource for part in self._parts if part.resource is not None}
        outside = [key for key in wanted if key not in resources and key not in self.names]
        for key, content in (await store.resources(self._link.name, outside)).items():
            resources[key] = fjson.loads(content)
        self._known = self._identity.known(resources)

    def key(self, here: str) -> str:
        """The FHIR side's name for ours."""
        return self.names.get(here, here)

    def missing(self, part: Part) -> bool:
        """Whether the id that the server gives it is still to be learned."""
        return self.chosen_there and part.resource is not None and part.here not in self.names

    def name(self, part: Part, key: str) -> None:
        """The server's id is known now."""
        part.learned = True
        self.names[part.here] = key

    def query(self, part: Part) -> str:
        """The search that finds it."""
        return self._known[part.here].query

    def entry(self, part: Part) -> Json:
        """What asks for the writing of a resource, over the version that was last seen."""
        if part.resource is None:
            return {"request": {**part.entry["request"], "url": self.key(part.here)}}
        resource = self.resource(part)
        if self.missing(part):
            return self._identity.first(part.here, resource, self._known[part.here])
        return update(self._link.base, self.key(part.here), resource, part.seen.version if part.seen else "")

    def resource(self, part: Part, *, final: bool = False) -> Json:
        """A resource with the names that it and others have there; ``final``: when all is done."""
        if not self.names and not self._known:
            return part.resource or {}

        def where(reference: str) -> Json | None:
            if reference in self.names:
                return {"reference": self.names[reference]}
            known = self._known.get(reference)
            if known is None:
                return None
            if reference in self._ours and self._together and not final:
                return {"reference": temporary(reference)}
            return by_search(reference, known, searches=self._identity.searches and not part.bare)

        resource: Json = pointed(part.resource, where)
        if part.here in self._known and part.kind not in ONCE:
            resource = self._identity.named(resource, self._known[part.here])
        return {**resource, "id": self.key(part.here).partition("/")[2]}
