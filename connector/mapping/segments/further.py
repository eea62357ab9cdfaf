"""A field that says more of what another field refers to: the address of an organization (ORC-22, OBX-24)."""

from __future__ import annotations

from dataclasses import dataclass

from ...hl7v2.tree import Segment
from ..across import sent
from ..fields import DELETE, joined, shorten, write_field
from ..lens import Lens, Row, Unsaid, compile_rows
from ..partner import Partner
from ..places import Json, place, same
from ..scope import Resources, Scope


@dataclass(frozen=True, slots=True)
class Further:
    """A field whose repetitions are the elements of a list of a resource that another field made.

    ``whose``: where the Reference to it stands; in a list, the one to a resource of the ``kind`` that has
    such a list, else the last of the kind. What contradicts what is known of that resource stays unsaid.
    ``use``: the component that says a use, where there is no home (FHIR R4 invariants org-1, org-2).
    """

    segment: str
    number: int
    whose: str
    path: str
    rows: tuple[Row, ...]
    kind: str = ""
    use: str = ""

    def compile(self, partner: Partner) -> _Further:
        return _Further(self, compile_rows(self.rows, partner))


class _Further:
    __slots__ = ("declared", "elements", "lens", "numbers", "segment")

    def __init__(self, declared: Further, lens: Lens) -> None:
        self.declared, self.lens = declared, lens
        self.segment = declared.segment
        self.numbers = (declared.number,)
        self.elements = frozenset({declared.whose})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        d = self.declared
        text = sent(segment, d.number)
        if not text:
            return None
        scope.beware()
        resource = self._holder(node, scope.gathered)
        if resource is None:
            return [str(d.number)]
        elements: list[Json] = []
        unsaid: list[str] = []
        for n, (rep, element, rest) in enumerate(self._views(text, scope), 1):
            name = f"{d.number}({n})" if n > 1 else f"{d.number}"
            elements += [element] if element and element not in elements else []
            unsaid += shorten(rest, rep.split(scope.component), name, bool(element)) if rest else []
        if elements and not same(resource.setdefault(d.path, elements), elements):
            return [str(d.number)]
        return unsaid

    def _views(self, text: str, scope: Scope) -> list[tuple[str, Json, Unsaid]]:
        found = []
        for rep in text.split(scope.repetition) if text not in ("", DELETE) else ():
            element: Json = {}
            unsaid = self.lens.get(rep.split(scope.component), element, scope) or []
            if self.declared.use and element.get("use") == "home":
                del element["use"]
                unsaid.append(self.declared.use)
            found.append((rep, element, unsaid))
        return found

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        d = self.declared
        now = self._list(target, scope.target)
        before = self._list(base, scope.base)
        text = segment.field(d.number)
        if same(now, before) or (before and not text):
            return
        scope.beware()
        waiting = self._views(text, scope)
        texts = []
        for element in now:
            prior = next((one for one in waiting if same(one[1], element)), None) or (
                waiting[0] if waiting else ("", {}, [])
            )
            waiting = [one for one in waiting if one is not prior]
            comps = prior[0].split(scope.component) if prior[0] else []
            self.lens.put(element, prior[1], comps, scope)
            texts.append(joined(comps, scope))
        write_field(segment, d.number, texts, scope)

    def _holder(self, node: Json, resources: Resources) -> Json | None:
        d = self.declared
        said = place(d.whose)[0](node)
        if not isinstance(said, list):
            return resources.resolve(said)
        found = [
            one for each in said if (one := resources.resolve(each)) and one.get("resourceType") == d.kind
        ]
        having = [one for one in found if d.path in one]
        return next(iter(having or found[-1:]), None)

    def _list(self, node: Json, resources: Resources) -> list[Json]:
        found = self._holder(node, resources)
        elements = found.get(self.declared.path) if found else None
        return [one for one in elements if isinstance(one, dict)] if isinstance(elements, list) else []
