"""Texts that a profile sets: assumed where a place is empty (``default``), or always written (``constant``).

Both are v2 texts, written with the standard delimiters. A field is set in every segment of its name that is
there; a component, in every repetition that says something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..hl7v2.delimiters import STANDARD, Delimiters
from ..hl7v2.tree import Message, Segment
from .places import write_comp, write_sub
from .verbs import Place

_DELETE = '""'


class Filled(NamedTuple):
    """A field's text before and after, and how many texts its segment had."""

    segment: Segment
    number: int
    before: str
    after: str
    length: int


@dataclass(frozen=True, slots=True)
class Filling:
    """A profile's texts by place.

    ``parts``: defaults of components, which say more about what was sent; ``fields``: defaults of whole
    fields, which say what was not; ``constants``: of either kind.
    """

    parts: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, default: Mapping[str, str], constant: Mapping[str, str]) -> Filling:
        """The texts of a profile."""
        parts = {place: text for place, text in default.items() if Place.of(place).component}
        fields = {place: text for place, text in default.items() if place not in parts}
        return cls(parts, fields, constant)

    def __bool__(self) -> bool:
        return bool(self.parts or self.fields or self.constants)

    def assume(self, message: Message, fields: bool = True) -> list[Filled]:
        """Fill what is empty; what was filled. ``fields``: also whole fields."""
        places = {**self.parts, **(self.fields if fields else {})}
        return [one for place, text in places.items() for one in _fill(message, place, text, False)]

    def write(self, message: Message) -> None:
        """Write the constants."""
        for place, text in self.constants.items():
            for _ in _fill(message, place, text, True):
                pass


def take_back(filled: list[Filled], delimiters: Delimiters) -> None:
    """Undo what was assumed, where it still stands as it was assumed."""
    for segment, number, before, after, length in reversed(filled):
        now = segment.field(number)
        if now == after:
            segment.set(number, before)
        elif before:
            assumed = dict(zip(after.split(delimiters.repetition), before.split(delimiters.repetition)))
            parts = [assumed.get(one, one) for one in now.split(delimiters.repetition)]
            segment.set(number, delimiters.repetition.join(parts))
        while len(segment.texts) > length and not segment.texts[-1]:
            segment.texts.pop()


def respelled(text: str, delimiters: Delimiters) -> str:
    """A text in the standard delimiters in those of a message."""
    if delimiters == STANDARD:
        return text
    for at in ("repetition", "component", "subcomponent"):
        if getattr(STANDARD, at) in text:
            parts = text.split(getattr(STANDARD, at))
            joiner: str = getattr(delimiters, at)
            return joiner.join(respelled(part, delimiters) for part in parts)
    return delimiters.escape_text(STANDARD.unescape(text))


def _fill(message: Message, place: str, text: str, always: bool) -> Iterator[Filled]:
    at, said = Place.of(place), respelled(text, message.delimiters)
    for segment in message.all(at.segment):
        before = segment.field(at.number)
        after = _with(before, at, said, message.delimiters, always) if at.component else said
        if after != before and (always or at.component or not before):
            length = len(segment.texts)
            segment.set(at.number, after)
            yield Filled(segment, at.number, before, after, length)


def _with(text: str, at: Place, said: str, d: Delimiters, always: bool) -> str:
    """A field's text with a part of each repetition set, where it is empty or ``always``."""
    found = []
    for repetition in text.split(d.repetition):
        comps = repetition.split(d.component)
        there = comps[at.component - 1] if at.component <= len(comps) else ""
        subs = there.split(d.subcomponent)
        empty = not (subs[at.sub - 1 if at.sub else 0] if (at.sub or 1) <= len(subs) else "")
        if repetition not in ("", _DELETE) and (always or empty):
            if at.sub:
                write_sub(comps, at.component - 1, at.sub - 1, said, d.subcomponent)
            elif always or not there:
                write_comp(comps, at.component - 1, said)
        found.append(d.component.join(comps))
    return d.repetition.join(found)
