"""The way back of lists: which element goes to which repetition of which field.

Elements first go to the repetitions that already say the same. The others go where they can be said:
each candidate is written and read again, and a field that would say something else is only taken where
none says it right. Among those, a repetition with the same key comes first, then the order of the list
(fields are read in the order they stand, so without a prior message a list keeps its order where it can),
then tag, default and ``rest``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..hl7v2.tree import Segment
from .fields import DELETE, BoundField, joined, write_field
from .places import Json, same
from .scope import Scope

_UNSAID, _ALIKE, _ORDER, _CLAIM = 10_000, 500, 100, 10


@dataclass(slots=True, eq=False)
class _Prior:
    """A prior repetition: its text, the element it said, and whether it still waits for one.

    ``beyond``: nothing is said of it because the field is full; it would be said if another went.
    """

    text: str
    view: Json
    beyond: bool = False
    free: bool = True


Home = tuple[int, _Prior | None]


@dataclass(slots=True)
class _Choice:
    """A way to place the elements so far.

    ``last``: the last field reached in reading order; ``used``: how full each is; ``homes``: a field for
    each element.
    """

    cost: int
    last: int
    used: tuple[int, ...]
    homes: tuple[int | None, ...]


def put_list(
    fields: Sequence[BoundField],
    wanted: list[Json],
    before: list[Json],
    segment_of: Callable[[BoundField], Segment],
    scope: Scope,
) -> None:
    """Write the elements of a list over the fields that make it, ``fields`` in the order they are read.

    ``before``: what the list was.
    """
    segments = [segment_of(each) for each in fields]
    priors = [_priors(each, segment, scope) for each, segment in zip(fields, segments)]
    homes = [_equal(priors, element) for element in wanted]
    if same(wanted, before) and not (wanted and all(homes)):
        return  # nothing new here: another resource has changed what these fields say, or none says it
    elsewhere = _elsewhere(fields, priors, wanted, before, homes)
    if any(home is None and n not in elsewhere for n, home in enumerate(homes)):
        homes = _placed(fields, priors, wanted, homes, scope, elsewhere, new=not before or not any(priors))
    for n, each in enumerate(fields):
        mine = [(element, home[1]) for element, home in zip(wanted, homes) if home and home[0] == n]
        said = [element for element, home in zip(wanted, homes) if home and home[1]]
        mine += [(prior.view, prior) for prior in _twins(priors[n], said)]
        if not before:  # what stands there is said of another resource
            mine += [(prior.view, prior) for prior in priors[n] if prior.free and prior.view]
        _put_field(each, mine, priors[n], segments[n], scope)


def _priors(bound: BoundField, segment: Segment, scope: Scope) -> list[_Prior]:
    text = segment.field(bound.number)
    if not text or text == DELETE:
        return []
    scope.look_at(text)
    found: list[_Prior] = []
    room = bound.declared.most or -1
    for rep in text.split(scope.repetition):
        prior = _Prior(rep, {} if not room else bound.view(rep.split(scope.component), scope)[0], not room)
        room -= bool(prior.view)
        found.append(prior)
    return found


def views(bound: BoundField, segment: Segment, scope: Scope) -> list[Json]:
    """The elements that a field says now."""
    return [prior.view for prior in _priors(bound, segment, scope) if prior.view]


def without(elements: list[Json], others: list[Json]) -> list[Json]:
    """The elements of a list that others do not stand for, one for one."""
    free = list(elements)
    for other in others:
        at = next((n for n, one in enumerate(free) if same(one, other)), None)
        if at is not None:
            free.pop(at)
    return free


def _equal(priors: list[list[_Prior]], element: Json) -> Home | None:
    for n, reps in enumerate(priors):
        for prior in reps:
            if prior.free and prior.view and same(prior.view, element):
                prior.free = False
                return n, prior
    return None


def _elsewhere(
    fields: Sequence[BoundField],
    priors: list[list[_Prior]],
    wanted: list[Json],
    before: list[Json],
    homes: list[Home | None],
) -> set[int]:
    """The elements that rows of another kind say: those they said before, and what takes the place of one."""
    views = [prior.view for reps in priors for prior in reps]
    others = [one for one in before if not any(same(one, view) for view in views)]
    found: set[int] = set()
    for n, element in enumerate(wanted):
        if homes[n] is None and (at := next((o for o in others if same(o, element)), None)) is not None:
            others.remove(at)
            found.add(n)
    for n, element in enumerate(wanted):
        if homes[n] is None and n not in found:
            mine = [each for each in fields if each.claims(element)]
            at = next((o for o in others if any(each.claims(o) for each in mine)), None)
            if at is not None:
                others.remove(at)
                found.add(n)
    return found


def _twins(priors: list[_Prior], said: list[Json]) -> list[_Prior]:
    """Repetitions that said the same as one that was matched go on saying the same."""
    twins = [p for p in priors if p.free and p.view and any(same(view, p.view) for view in said)]
    for prior in twins:
        prior.free = False
    return twins


# --- where the others go -----------------------------------------------------------------------------


def _placed(
    fields: Sequence[BoundField],
    priors: list[list[_Prior]],
    wanted: list[Json],
    homes: list[Home | None],
    scope: Scope,
    elsewhere: set[int],
    new: bool,
) -> list[Home | None]:
    order = _ORDER if new else 0
    free = not order and not any(each.declared.most for each in fields)  # each element has its own choice
    ways = [
        {home[0]: 0} if home else {} if n in elsewhere else _costs(fields, priors, element, scope, free)
        for n, (home, element) in enumerate(zip(homes, wanted))
    ]
    found: list[Home | None] = []
    for element, home, n in zip(wanted, homes, _cheapest(fields, ways, order)):
        if home is None and n is not None:
            home = n, _alike(fields[n], priors[n], element)
            if home[1]:
                home[1].free = False
        found.append(home)
    return found


def _costs(
    fields: Sequence[BoundField], priors: list[list[_Prior]], element: Json, scope: Scope, free: bool
) -> dict[int, int]:
    """What it would cost to place an element in each of the fields that claim it.

    ``free``: nothing but these costs decides; then fields that cannot be the cheapest are not tried.
    """
    claims = {n: strength for n, each in enumerate(fields) if (strength := each.claims(element))}
    alike = {n: _alike(fields[n], priors[n], element) for n in claims}
    least = {
        n: fields[n].preference - _CLAIM * strength - (_ALIKE if alike[n] else 0)
        for n, strength in claims.items()
    }
    costs: dict[int, int] = {}
    for n in sorted(least, key=least.__getitem__) if free else least:
        if free and costs and min(costs.values()) < least[n]:
            break
        costs[n] = least[n]
        asked = len(claims) > 1 or fields[n].declared.most
        if asked and not _says(fields[n], element, alike[n], scope):
            costs[n] += _UNSAID
    return costs


def _cheapest(fields: Sequence[BoundField], ways: list[dict[int, int]], order: int) -> tuple[int | None, ...]:
    """The field for each element, so that no field gets more than it may hold; ``None``: no room anywhere."""
    most = [each.declared.most for each in fields]
    choices = {(0, (0,) * len(fields)): _Choice(0, 0, (0,) * len(fields), ())}
    for costs in ways:
        after: dict[tuple[int, tuple[int, ...]], _Choice] = {}
        for choice in choices.values():
            for following in _following(choice, costs, most, order):
                key = following.last, following.used
                if key not in after or following.cost < after[key].cost:
                    after[key] = following
        choices = after
    return min(choices.values(), key=lambda choice: choice.cost).homes


def _following(choice: _Choice, costs: dict[int, int], most: list[int], order: int) -> list[_Choice]:
    found = [_Choice(choice.cost + 100 * _UNSAID, choice.last, choice.used, (*choice.homes, None))]
    for n, cost in costs.items():
        if most[n] and choice.used[n] >= most[n]:
            continue
        back = order if n < choice.last else 0
        used = choice.used if not most[n] else (*choice.used[:n], choice.used[n] + 1, *choice.used[n + 1 :])
        found.append(_Choice(choice.cost + cost + back, max(n, choice.last), used, (*choice.homes, n)))
    return found


def _alike(bound: BoundField, priors: list[_Prior], element: Json) -> _Prior | None:
    mark = [reader(element) for reader in bound.key]
    waiting = (prior for prior in priors if prior.free and prior.view and bound.key)
    return next((prior for prior in waiting if [reader(prior.view) for reader in bound.key] == mark), None)


def _says(bound: BoundField, element: Json, prior: _Prior | None, scope: Scope) -> bool:
    """Whether the field, written and read again, says the element and nothing else."""
    text = _over(bound, element, prior, scope)
    apart = scope.apart()
    apart.look_at(text)
    return _means_same(bound.view(text.split(apart.component), apart)[0], element)


def _means_same(one: Any, other: Any) -> bool:
    """Equality, but for the ids in references, which another side may have chosen."""
    if isinstance(one, dict) and isinstance(other, dict):
        if "reference" in one and "reference" in other:
            return str(one["reference"]).partition("/")[0] == str(other["reference"]).split("/")[-2:][0]
        return one.keys() == other.keys() and all(_means_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_means_same, one, other))
    return same(one, other)


# --- writing ------------------------------------------------------------------------------------------


def _put_field(
    bound: BoundField,
    mine: list[tuple[Json, _Prior | None]],
    priors: list[_Prior],
    segment: Segment,
    scope: Scope,
) -> None:
    """FHIR gives the order of a list no meaning: repetitions stay where they were, and new ones follow.

    A repetition of which nothing is said in FHIR stays too.
    """
    over = {id(prior): _over(bound, element, prior, scope) for element, prior in mine if prior}
    full = bound.declared.most and len(mine) >= bound.declared.most
    staying = [p for p in priors if id(p) in over or (not p.view and (full or not p.beyond))]
    kept = [over.get(id(prior), prior.text) for prior in staying]
    new = [_over(bound, element, None, scope) for element, prior in mine if prior is None]
    after = kept + [text for text in new if text]
    if after != [prior.text for prior in priors]:
        write_field(segment, bound.number, after, scope)


def _over(bound: BoundField, element: Json, prior: _Prior | None, scope: Scope) -> str:
    comps = prior.text.split(scope.component) if prior else []
    kept = list(comps)
    scope.beware()
    bound.lens.put(element, prior.view if prior else {}, comps, scope)
    if prior and comps == kept:
        return prior.text
    return joined(comps, scope)
