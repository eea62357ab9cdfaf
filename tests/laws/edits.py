"""Edits of a bundle as a person makes them, and the judge of what they may touch in v2."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from decimal import Decimal
from typing import Any, NamedTuple

from connector.hl7v2.tree import Message
from connector.mapping import Translator
from tests.laws import oracles
from tests.laws.oracles import Json

_WORDS = frozenset({"family", "given", "line", "city", "state", "postalCode", "text", "valueString", "name"})
_TIMES = frozenset({
    "birthDate", "start", "end", "effectiveDateTime", "issued", "onsetDateTime", "authoredOn", "recordedDate",
    "performedDateTime", "valueDateTime", "recorded",
})  # fmt: skip


class Edit(NamedTuple):
    """One primitive changed: of which resource, where, and to what."""

    resource: str
    path: tuple[str | int, ...]
    value: Any


def possible(bundle: Json) -> Iterator[Edit]:
    """The edits that both sides can say: words, times, numbers, values of identifiers and telecoms."""
    for name, resource in oracles.resources(bundle).items():
        if name.startswith(("MessageHeader/", "Bundle", "Provenance/")):
            continue
        for path, value in oracles.scalars(resource):
            if (fresh := _other(path, value)) is not None and not _said_by_others(path):
                yield Edit(name, path, fresh)


def _said_by_others(path: tuple[str | int, ...]) -> bool:
    """What follows from other elements is not for editing: the code of a component is the observation's."""
    return path[0] == "component" and "code" in path


def _other(path: tuple[str | int, ...], value: Any) -> Any:
    names = [name for name in path if isinstance(name, str)]
    last = names[-1]
    if isinstance(value, Decimal):
        return value + 1
    if isinstance(value, str) and (
        last in _WORDS or names[-2:] in (["identifier", "value"], ["telecom", "value"])
    ):
        return f"Edited {len(value)}"
    if isinstance(value, str) and last in _TIMES:
        return "2031" + value[4:] if last != "start" else "1931" + value[4:]
    return None


def applied(bundle: Json, edit: Edit) -> Json:
    """The bundle with the edit made."""
    changed = deepcopy(bundle)
    node: Any = oracles.resources(changed)[edit.resource]
    for step in edit.path[:-1]:
        node = node[step]
    node[edit.path[-1]] = edit.value
    return changed


def faults(translator: Translator, text: str, bundle: Json, edit: Edit) -> list[str]:
    """What is wrong with the way an edit arrives: not there, or with fields touched that need not be."""
    edited = applied(bundle, edit)
    back = translator.to_v2(edited, text)
    before, after = Message.parse(text), Message.parse(back.message)
    label = f"{edit.resource.partition('/')[0]}.{'.'.join(map(str, edit.path))}"
    if [s.name for s in before.segments] != [s.name for s in after.segments]:
        return [f"{label}: other segments"]
    found = [
        f"{label}: touched {before.segments[at].name}-{n}" for at, n in _needless(translator, before, after)
    ]
    said = translator.to_fhir(back.message)
    arrived = oracles.apart_from_ids(said.bundle) == oracles.apart_from_ids(edited)
    if not arrived and not back.lost:
        found.append(f"{label}: neither there nor lost")
    if back.lost and before.segments == after.segments:
        found.append(f"{label}: nothing was changed")
    return found


def _needless(translator: Translator, before: Message, after: Message) -> Iterator[tuple[int, int]]:
    """The changed fields without whose change the message would mean the same."""
    meant = translator.to_fhir(str(after))
    for at, number in sorted(oracles.changed_fields(before, after)):
        undone = after.copy()
        undone.segments[at].set(number, before.segments[at].field(number))
        again = translator.to_fhir(str(undone))
        if (again.bundle, again.lost) == (meant.bundle, meant.lost):
            yield at, number
