"""Messages with and without one field or component, and what of FHIR comes from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

from connector.errors import ConnectorError
from connector.hl7v2 import definitions
from tests.shipped import TRANSLATOR

from . import paths
from .conditions import Demand, demands
from .filling import (
    ABOUT_TEXTS,
    Form,
    Place,
    at,
    component_text,
    first,
    met,
    surroundings,
    table_of,
    usual,
    value_of,
    with_component,
)
from .messages import Fields, names_to, written
from .paths import Leaf, Target
from .rows import Row
from .values import VERSION, full_text

SAID: Final = "said"  # at the guide's target
ELSEWHERE: Final = "elsewhere"  # in FHIR, but not there
QUIET: Final = "quiet"  # needs no saying: neither in FHIR nor lost
LOST: Final = "lost"  # listed as lost


class User(NamedTuple):
    """A field in which a datatype stands; ``inside``: as which component of which datatypes."""

    row: Row
    target: Target
    inside: tuple[tuple[str, int], ...]


class Trial(NamedTuple):
    """What a field changes: the leaves that are there because of it, and whether it is lost.

    ``told``: all leaves there are; ``of_segment``: those that are there because of the segment.
    """

    added: Counter[Leaf]
    lost: bool
    told: Counter[Leaf]
    of_segment: Counter[Leaf]

    def outcome(self, target: Target) -> str:
        if any(target.meets(leaf) for leaf in self.added) or self._refers(target) or self._always(target):
            return SAID
        return LOST if self.lost else ELSEWHERE if self.added else QUIET

    def _refers(self, target: Target) -> bool:
        """Whether the field says something of a resource to which the target refers anyhow."""
        mine = any(leaf.kind in target.refers for leaf in self.added)
        return mine and any(target.meets(leaf) for leaf in self.told)

    def _always(self, target: Target) -> bool:
        """Whether the segment says a constant of a resource whatever the field holds."""
        constant = bool(target.text) and "." not in target.path and not self.lost
        return constant and any(target.meets(leaf) for leaf in self.of_segment)


_PLAIN: Final = Form()
_FORMS: Final = (_PLAIN, Form(sparse=True), Form(1), Form(2), Form(3))


def of_field(row: Row, place: Place) -> Iterator[Trial]:
    """Messages with and without the field (or component) of a segment row; or with the segment as a whole."""
    segment, number, component = at(row)
    if not number:
        yield from _of_segment(row, place, segment)
        return
    several = row.vocabulary or any(demand.options[1:] for demand in demands(row.condition))
    for form in _FORMS if several else _FORMS[:2]:
        fields, asked = surroundings(row, place, segment, form.choice)
        own = fields.pop(segment)
        value = value_of(row, number, component, asked, own, form)
        without: Fields | None = {**own, number: ""} if value else None  # about its absence
        where = f"{number}.{component}" if component else str(number)
        if trial := _tried(place, segment, fields, {**own, number: value}, without, where):
            yield trial


def _of_segment(row: Row, place: Place, segment: str) -> Iterator[Trial]:
    fields, _ = surroundings(row, place, segment)
    own = fields.pop(segment)
    count = len(definitions.of(VERSION)["segments"].get(segment, ()))
    full = {n: usual(segment, n) for n in range(1, count + 1)} if segment != "MSH" else {}
    for told in ({**full, **own}, own):
        if trial := _tried(place, segment, fields, told, None, ""):
            yield trial


def of_component(row: Row, user: User, place: Place) -> Iterator[Trial]:
    """A field with all components of its datatype, and without the one of the row (or without any)."""
    segment, number, _ = at(user.row)
    datatype = row.map.partition("[")[0]
    for form in _FORMS[:3]:
        fields, _ = surroundings(user.row, place, segment)
        own = fields.pop(segment)
        if (segment, number) == ("OBX", 5):
            own[2] = datatype
        text, less, component = _with_and_without(row, user, datatype, form)
        for outer, inner in reversed(user.inside):
            whole = full_text(outer, number, "", "")
            text = with_component(whole, inner, text.replace("^", "&"))
            less = less and with_component(whole, inner, less.replace("^", "&"))
        where = f"{number}.{component}" if component and not user.inside else str(number)
        without = None if less is None else {**own, number: less}
        if trial := _tried(place, segment, fields, {**own, number: text}, without, where):
            yield trial


def _with_and_without(row: Row, user: User, datatype: str, form: Form) -> tuple[str, str | None, int]:
    """The text of a field, the same without the row's component (None: the row is about its absence)."""
    segment, number, _ = at(user.row)
    known = user.row.vocabulary or row.vocabulary
    text = full_text(datatype, number, table_of(segment, number), known, form.sparse)
    component = int(found[1]) if (found := re.search(r"[.-](\d+)$", row.identifier)) else 0
    told = component == 1 and user.row.vocabulary
    if component and not told and (form.choice or not first(text, component)):
        text = with_component(text, component, component_text(row, component, number, form))
    asked = [
        (int(match[1]), demand)
        for demand in demands(row.condition)
        if (match := re.match(r"[A-Z]{2,3}[.-](\d+)$", demand.place))
    ]
    asked += [(component, Demand("", absent=True)) for _ in range(1) if row.condition == "IF NOT VALUED"]
    for at_component, demand in [*_of_user(user), *asked]:
        text = met(text, at_component, demand)
    absent = any(demand.absent and at_component == component for at_component, demand in asked)
    text = ABOUT_TEXTS.get((row.map, row.number), text)
    if absent:
        return text, None, component
    return text, "" if row.assignment or not component else with_component(text, component, ""), component


def _of_user(user: User) -> list[tuple[int, Demand]]:
    """What the field's own row asks of the components, where the datatype stands in the field itself."""
    place = re.compile(re.escape(f"{user.row.identifier}.") + r"(\d+)$")
    asked = [] if user.inside else demands(user.row.condition)
    return [(int(match[1]), demand) for demand in asked if (match := place.match(demand.place))]


def _tried(
    place: Place, segment: str, fields: Mapping[str, Fields], own: Fields, without: Fields | None, where: str
) -> Trial | None:
    """What is in FHIR with the segment's own fields and not without; None where that cannot be tried."""
    names, position = names_to(place.path)
    if names[position] != segment:
        return None
    message, label = written(place.path, fields, own)
    told = translated(message)
    if told is None:
        return None
    alone = translated(written(place.path, fields, None)[0]) if segment != "MSH" else None
    bare = alone
    if without is not None:
        bare = translated(written(place.path, fields, without)[0])
    elif where:
        bare = None
    location = f"{label}-{where}"
    lost = bool({location, location.partition(".")[0]} & told[1])
    nothing: Counter[Leaf] = Counter()
    added = told[0] - (bare[0] if bare else nothing)
    return Trial(added, lost, told[0], told[0] - (alone[0] if alone else nothing))


# --- translations ------------------------------------------------------------------------------------------


@cache
def translated(message: str) -> tuple[Counter[Leaf], frozenset[str]] | None:
    """The leaves of a message in FHIR and what is lost of it; None where it is refused."""
    try:
        made = TRANSLATOR.to_fhir(message)
    except ConnectorError:
        return None
    return paths.leaves(made.bundle), frozenset(made.lost)
