"""The resources of one translation, under ids that follow from the partner and the business identifiers."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from .places import Json, includes

_EMPTY: Final = blake2b(digest_size=16)


def resource_id(seed: str) -> str:
    """32 hexadecimal digits that follow from the seed alone."""
    found = _EMPTY.copy()  # half the price of a new one
    found.update(seed.encode())
    return found.hexdigest()


class Assembly:
    """Resources by reference, in the order they were first spoken of."""

    __slots__ = ("_counts", "_made", "_prefix", "_twins", "resources")

    def __init__(self, namespace: str) -> None:
        self._prefix = namespace + "|"
        self._made: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._twins: dict[str, dict[str, list[str]]] = {}
        self.resources: dict[str, Json] = {}

    def add(self, kind: str, seed: str, resource: Json) -> str:
        """Take in a resource of a unit; an equal one is the same, another of one seed is the next one."""
        digest = resource_id(f"{self._prefix}{kind}|{seed}")
        reference = f"{kind}/{digest}"
        if reference in self.resources:
            return self._beside(reference, kind, seed, resource)
        resource["id"] = digest
        self.resources[reference] = resource
        return reference

    def _beside(self, first: str, kind: str, seed: str, resource: Json) -> str:
        """The reference of a resource beside those of the same seed, found by what it says."""
        twins = self._twins.setdefault(first, {})
        alike = twins.setdefault(repr(resource), [])
        for other in (first, *alike):
            if other in self.resources and _content(self.resources[other]) == resource:
                return other
        count = self._counts.get(first, 1) + 1
        while (reference := self.reference(kind, f"{seed}|{count}")) in self.resources:
            count += 1
        self._counts[first] = count
        alike.append(reference)
        return self._keep(reference, resource)

    def join(self, kind: str, seed: str, resource: Json) -> str:
        """Take in a resource that several segments may speak of; what only says more or less is the same."""
        found = self.known(kind, seed)
        if found is not None and includes(resource, _content(found)):
            found.update(resource)
        elif found is None or not includes(found, resource):
            return self.add(kind, seed, resource)
        return self.reference(kind, seed)

    def known(self, kind: str, seed: str) -> Json | None:
        """The resource of a seed, if it was spoken of."""
        return self.resources.get(self.reference(kind, seed))

    def forget(self, since: int) -> None:
        """Give up the resources that were taken in since there were so many."""
        for reference in list(self.resources)[since:]:
            del self.resources[reference]
            self._made.pop(reference, None)
        self._counts.clear()

    def refer(self, kind: str, seed: str, resource: Json, owner: str) -> str:
        """Take in a resource that a row made; what adds nothing to one of the same seed is that one.

        Without a seed, or where two of one seed contradict each other, the content tells them apart.
        """
        if seed:
            reference = self.reference(kind, seed)
            found = self.resources.get(reference)
            if found is None:
                return self._keep(reference, resource)
            if includes(found, resource):
                return reference
            if includes(resource, _content(found)):
                found.update(resource)
                self._made.pop(reference, None)
                return reference
        reference = self.reference(kind, f"{seed or owner}|{canonical(resource)}")
        return reference if reference in self.resources else self._keep(reference, resource)

    def again(self, reference: str, make: Callable[[], Json]) -> bool:
        """Take in what was made the same way before; whether nothing else stands under the reference."""
        if reference not in self.resources:
            self.resources[reference] = make()
            self._made[reference] = make
            return True
        return self._made.get(reference) is make

    def plainly(self, kind: str, seed: str, reference: str) -> bool:
        """Whether a reference follows from the seed alone."""
        return bool(seed) and reference == self.reference(kind, seed)

    def apart(self) -> Assembly:
        """An empty one that gives the same references."""
        return Assembly(self._prefix[:-1])

    def reference(self, kind: str, seed: str) -> str:
        """The reference that follows from a seed alone."""
        return f"{kind}/{resource_id(f'{self._prefix}{kind}|{seed}')}"

    def _keep(self, reference: str, resource: Json) -> str:
        resource["id"] = reference.partition("/")[2]
        self.resources[reference] = resource
        return reference

    def resolve(self, reference: Any) -> Json | None:
        """The resource a Reference points to, if it is here."""
        target = reference.get("reference") if isinstance(reference, dict) else None
        return self.resources.get(target) if isinstance(target, str) else None


def _content(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name != "id"}


def canonical(value: Any) -> str:
    """A text that is the same for equal values, whatever the order of their names."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{canonical(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    return f"{type(value).__name__}:{value}"
