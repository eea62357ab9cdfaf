"""Whether a resource is good, and nothing more: what almost every resource is asked.

Objects of one type that have the same elements have one form, and which elements may stand together is asked
once a form: what is left is one small function for the values, written from the same tables that ``validate``
reads. ``good`` may say no of what is good (``validate`` then looks with care), never yes of what is not; a
test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from connector.fhir import elements, references, rules
from connector.fhir.invariants import INVARIANTS, OfNames
from connector.fhir.primitives import CHECKS, NO_SPACES, SURE

Judge = Callable[[Any], Any]

_TEXTS: Final = ("string", "markdown")
_TOKENS: Final = ("uri", "url", "canonical", "code")
_RECURRING: Final = ("system", "code", "url", "profile")  # whose tokens come again and again
_MOST: Final = 4096


def good(resource: Any) -> bool:
    """Whether a resource surely has no fault."""
    try:
        return bool(_resource(resource))
    except (TypeError, AttributeError, LookupError, RecursionError):  # a value of another JSON type
        return False


def _resource(node: Any) -> Any:
    return _JUDGES[node["resourceType"]](node)


class _Resources(dict[Any, Judge]):
    """The judges of resources by type."""

    def __missing__(self, kind: Any) -> Judge:
        if kind not in elements.resource_types():
            return _never
        judge = self[kind] = _judge(kind)
        return judge


class _Tokens(dict[Any, Any]):
    """Texts without spaces: systems, codes and urls."""

    def __missing__(self, text: Any) -> bool:
        if not NO_SPACES(text):
            return False
        if len(self) >= _MOST:
            self.clear()
        self[text] = True
        return True


_JUDGES: Final = _Resources()
_KNOWN: Final = _Tokens()


def _never(value: Any) -> bool:
    return False


class _Forms(dict[Any, Judge]):
    """The judge of a complex type: of each form of its objects, by the names of their elements, one function.

    Types hold one another, so what is inside is bound when it is met.
    """

    def __init__(self, kind: str, shape: elements.Shape, targets: frozenset[str]) -> None:
        self._kind = kind
        self._shape = shape
        self._targets = targets

    def __call__(self, node: Any) -> Any:
        return self[tuple(node)](node)

    def __missing__(self, names: tuple[Any, ...]) -> Judge:
        form = _form(self._kind, self._shape, dict.fromkeys(names), self._targets)
        if form is None:  # not kept: names that R4 does not know come from outside
            return _never
        if len(self) >= _MOST:
            self.clear()
        self[names] = form
        return form


class _Each:
    """The judge of a list that is not empty: ``every``."""

    __slots__ = ("every", "one")

    def __init__(self, one: Judge) -> None:
        self.one = one
        known: dict[str, Any] = {"g": one, "known": _KNOWN, "printable": str.isprintable}
        source = (
            "def every(value):\n"
            "    if type(value) is not list or not value: return False\n"
            "    for v in value:\n"
            f"        if not ({_asking(one, 'g').format('v')}): return False\n"
            "    return True"
        )
        exec(compile(source, "<every>", "exec"), known)  # noqa: S102 - of no more than the above
        self.every: Judge = known["every"]

    def __call__(self, value: Any) -> Any:
        return self.every(value)


@cache
def _judge(kind: str, targets: frozenset[str] = frozenset()) -> _Forms:
    """The judge of a complex type; ``targets``: of a Reference, what it may refer to."""
    shape = elements.shape(kind)
    if shape is None:
        raise KeyError(kind)
    return _Forms(kind, shape, targets)


def _form(kind: str, shape: elements.Shape, node: dict[Any, Any], targets: frozenset[str]) -> Judge | None:
    """The judge of all objects with these names; None where they may not stand together."""
    if not node or "contained" in node or not _together(kind, shape, node):
        return None
    judges: list[Judge] = []
    for name in node:
        judge = _value(kind, shape, name, targets)
        if judge is None:
            return None
        judges.append(judge)
    return _written(judges, _demands(kind, node))


def _together(kind: str, shape: elements.Shape, node: dict[Any, Any]) -> bool:
    """Required elements, one type of a choice, and the invariants that ask for names alone."""
    for names in shape.required.values():
        if node.keys().isdisjoint({*names, *(f"_{name}" for name in names)}):
            return False
    choices = [shape.elements[name].choice for name in node if name in shape.elements]
    chosen = [choice for choice in choices if choice]
    if len(chosen) > len({*chosen}):
        return False
    asked = [invariant.holds for invariant in INVARIANTS.get(kind, ())]
    if not all(holds(node) for holds in asked if isinstance(holds, OfNames)):
        return False
    return kind != "Extension" or next(rules.ext_1(node, ""), None) is None


def _demands(kind: str, node: dict[Any, Any]) -> list[Judge]:
    """What is asked of the values together."""
    if kind == "Bundle":
        return [_entries]
    if kind == "Period":
        return [_keeping(rules.per_1)] if len(node) > 1 else []
    asked = [invariant.holds for invariant in INVARIANTS.get(kind, ())]
    return [holds for holds in asked if not isinstance(holds, OfNames)]


def _keeping(rule: rules.Rule) -> Judge:
    return lambda node: next(rule(node, ""), None) is None


def _entries(bundle: dict[str, Any]) -> bool:
    """A transaction of PUTs under the names that the resources have; any other bundle by its rules."""
    if bundle.get("type") == "transaction" and _puts(bundle.get("entry", ())):
        return True
    return all(next(rule(bundle, ""), None) is None for rule in rules.RULES["Bundle"])


def _puts(entries: list[dict[str, Any]]) -> bool:
    try:
        for entry in entries:
            request, resource = entry["request"], entry["resource"]
            named = f"{resource['resourceType']}/{resource['id']}"
            if request["url"] != named or request["method"] != "PUT":
                return False
        return len({entry["fullUrl"] for entry in entries}) == len(entries)
    except KeyError:
        return False


def _written(judges: list[Judge], demands: list[Judge]) -> Judge:
    """One function of judges, a value each: its source holds the numbers of values and judges, no names."""
    known: dict[str, Any] = {"known": _KNOWN, "printable": str.isprintable}
    asked: list[str] = []
    for n, judge in enumerate(judges):
        if isinstance(judge, _Each):
            known |= {f"g{n}": judge.one, f"e{n}": judge.every}
            one = _asking(judge.one, f"g{n}").format(f"v{n}[0]")
            asked.append(f"({one} if type(v{n}) is list and len(v{n}) == 1 else e{n}(v{n}))")
        else:
            known[f"g{n}"] = judge
            asked.append(_asking(judge, f"g{n}").format(f"v{n}"))
    for n, demand in enumerate(demands):
        known[f"d{n}"] = demand
        asked.append(f"d{n}(node)")
    values = ", ".join(f"v{n}" for n in range(len(judges)))
    source = f"def form(node):\n    {values}, = node.values()\n    return {' and '.join(asked)}"
    exec(compile(source, "<form>", "exec"), known)  # noqa: S102 - of numbers only
    form: Judge = known["form"]
    return form


def _asking(judge: Judge, name: str) -> str:
    """How a judge is asked of a value (``{0}``)."""
    if isinstance(judge, _Forms):
        return f"{name}[tuple({{0}})]({{0}})"
    return _INLINE.get(judge, f"{name}({{0}})")


def _value(kind: str, shape: elements.Shape, name: Any, targets: frozenset[str]) -> Judge | None:
    """How the value of an element is judged; None for what is no element of the type."""
    if name == "resourceType" and kind in elements.resource_types():
        return _certain
    if not isinstance(name, str):
        return None
    if name.startswith("_"):
        element = shape.elements.get(name[1:])
        if element is None or element.type not in CHECKS:
            return None
        return _Each(_element_or_nothing) if element.repeats else _judge("Element")
    element = shape.elements.get(name)
    if element is None:
        return None
    if kind == "Reference" and name == "reference":
        return _referring(targets or elements.resource_types())
    one = _single(element, name)
    return _Each(one) if element.repeats else one


def _element_or_nothing(value: Any) -> Any:
    """What stands beside one of several primitive values."""
    return value is None or _judge("Element")(value)


def _certain(value: Any) -> bool:
    """The type of a resource, by which this judge was found."""
    return True


def _text(value: Any) -> Any:
    """Whether a text begins with a character that can be seen, and has none that controls."""
    return str.isprintable(value) and value[0] != " "


def _token(value: Any) -> Any:
    return _KNOWN[value]


_INLINE: Final[dict[Judge, str]] = {
    _certain: "True",
    _text: "printable({0}) and {0}[0] != ' '",
    _token: "known[{0}]",
}
"""How the judges that are asked most are written where they are asked."""


def _single(element: elements.Element, name: str) -> Judge:
    if element.codes:
        return element.codes.__contains__
    if element.type in _TEXTS:
        return _text
    if element.type in _TOKENS:
        return _token if name in _RECURRING else NO_SPACES
    if element.type in CHECKS:
        return SURE.get(element.type) or CHECKS[element.type]
    if element.type == "Resource":
        return _resource
    return _judge(element.type, element.targets if element.type == "Reference" else frozenset())


def _referring(allowed: frozenset[str]) -> Judge:
    """The judge of ``reference``: nearly always the type and the id."""
    sure = re.compile(rf"(?:{'|'.join(sorted(allowed))})/{references.ID}\Z", re.ASCII).match

    def judge(text: Any) -> bool:
        if sure(text):
            return True
        target = references.parse(text)
        return (
            target is not None
            and target.form in ("absolute", "urn")
            and (target.form == "absolute" or not target.type)
        )

    return judge
