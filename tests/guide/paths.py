"""The guide's names of FHIR elements, and what stands at them in a bundle."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

Json = dict[str, Any]

_SLIPS: Final = {
    "payer": "payor",
    "practioner": "practitioner",
    "organziation": "organization",
    "sytem": "system",
    "Practioner": "Practitioner",
    "value.CodeableConcept": "valueCodeableConcept",
    "coding.value": "coding.code",
    "coding.uri": "coding.system",
    "valueSampedData": "valueSampledData",
    "valuedateTime": "valueDateTime",
    "occurrenceTIming": "occurrenceTiming",
    "occurneceTiming": "occurrenceTiming",
    "occurenceTiming": "occurrenceTiming",
    "numerator.code": "numerator",
    "occurrenceTiming.bounds": "occurrenceTiming.repeat.bounds",
    "occurrenceTiming.duration": "occurrenceTiming.repeat.duration",
}
_URLS: Final = {  # pages about an extension, for its canonical name
    "http://hl7.org/fhir/R4/extension-data-absent-reason.html": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
    "http://hl7.org/fhir/R4/extension-humanname-assembly-order.html": "http://hl7.org/fhir/StructureDefinition/humanname-assembly-order",
}
_DATATYPES: Final = ("Annotation", "Quantity", "ContactPoint", "HumanName", "Timing")


class Leaf(NamedTuple):
    """A primitive: of which kind of resource, at which path (lists unnumbered), and its text."""

    kind: str
    path: str
    text: str


class Target(NamedTuple):
    """Where a row of the guide says something: a path of a kind of resource, and perhaps the very text.

    An empty path is anything of the resource; ``refers``: the kinds a reference there may point to.
    """

    kind: str
    path: str
    text: str = ""
    refers: tuple[str, ...] = ()

    def meets(self, leaf: Leaf) -> bool:
        if leaf.kind != self.kind or not _under(leaf.path, self.path):
            return False
        if self.refers:
            return leaf.path.endswith("reference") and leaf.text.rstrip("/") in self.refers
        return not self.text or leaf.text.strip(".").lower() == self.text.strip(".").lower()


def _under(path: str, wanted: str) -> bool:
    if "(*)" in wanted:
        return re.match(re.escape(wanted).replace(r"\(\*\)", r"\([^)]*\)"), path) is not None
    return path.startswith(wanted)


# --- of a bundle -----------------------------------------------------------------------------------------


def leaves(bundle: Mapping[str, Any]) -> Counter[Leaf]:
    """Every primitive of the resources, and of the bundle itself; ids and list positions left out."""
    found: Counter[Leaf] = Counter()
    for entry in bundle.get("entry", ()):
        resource = entry["resource"]
        for path, text in _walk({k: v for k, v in resource.items() if k not in ("id", "resourceType")}):
            found[Leaf(resource["resourceType"], path, text)] += 1
    for path, text in _walk({k: v for k, v in bundle.items() if k not in ("entry", "resourceType")}):
        found[Leaf("Bundle", path, text)] += 1
    return found


def _walk(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            name = name.removeprefix("_")
            inside = f"{path}.{name}" if path else name
            if name in ("extension", "modifierExtension") and isinstance(value, list):
                for one in value:
                    yield from _walk(one, f"{inside}({one.get('url', '')})")
            elif name == "reference" and isinstance(value, str):
                yield inside, value.partition("/")[0] + "/"
            else:
                yield from _walk(value, inside)
    elif isinstance(node, list):
        for one in node:
            yield from _walk(one, path)
    else:
        yield path, str(node).lower() if isinstance(node, bool) else str(node)


# --- of the guide ----------------------------------------------------------------------------------------


def target(kind: str, attribute: str, assignment: str, urls: Mapping[str, str]) -> Target:
    """The target of a row. ``urls``: of the extensions of its map, by their place (see ``urls_of``)."""
    attribute, _, said = attribute.partition("=")
    text = said.strip().strip("\"'") or _quoted(assignment)
    if attribute.startswith(("$", "[")):
        attribute = re.sub(r"^(\[\d\]\.?|\$\w+)", "", attribute)
    attribute = re.sub(r"^\[?\d\]", "", attribute)
    attribute = re.sub(rf"^({'|'.join(_DATATYPES)})\.", "", attribute)
    path, kinds = attribute, (kind,)
    while match := re.match(r"([^(]*)\((.*)$", path):
        outer, inner = match[1].strip(".").replace("[1]", ""), match[2].rstrip(")").strip("[]1234567890 ")
        inner = inner.rstrip(".")
        name, _, rest = inner.partition(".")
        name = re.sub(r"\[.*?\]", "", _slips(name))
        if name in _DATATYPES:
            path = f"{outer}.{rest}"
        elif not rest and "(" not in inner:
            return Target(kinds[0], _path(outer, urls), "", tuple(name.split("|")))
        elif "(" in name:  # Group.member.entity(Specimen.identifier
            path = inner
        else:
            kinds, path = (name,), rest
    return Target(kinds[0], _path(path, urls), text)


def _quoted(assignment: str) -> str:
    match = re.fullmatch(r'"([^"]*)"\s*', assignment)
    said = match[1].strip().replace("https://hl7.org/fhir/", "http://hl7.org/fhir/") if match else ""
    return _URLS.get(said, said)


def _slips(path: str) -> str:
    for wrong, right in _SLIPS.items():
        path = path.replace(wrong, right)
    return path


def _path(path: str, urls: Mapping[str, str]) -> str:
    steps: list[str] = []
    place = ""
    path = re.sub(r"(extension\[\d\])\.uri$", r"\1.url", path)
    for step in _slips(path).strip("./ ").split("."):
        place = f"{place}.{step}".strip(".")
        name = re.sub(r"[\[{][^\]]*[\]}]?", "", step)
        if re.fullmatch(r"extension(\[\w*\])?", step):
            name += f"({urls.get(place, '*')})"
        elif name.startswith("extension-"):
            name = "extension(*)"
        steps.append(name[:1].lower() + name[1:] if len(steps) == 0 and name[:1].isupper() else name)
    return ".".join(steps)


def urls_of(rows: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The URLs that rows of a map assign to extensions, by the extension's place in the guide's words."""
    found: dict[str, str] = {}
    for attribute, assignment in rows:
        inner = attribute.rpartition("(")[2].rstrip(")")
        inner = inner.partition(".")[2] if inner[:1].isupper() else inner
        place, dot, last = inner.rpartition(".")
        named = dot and last in ("url", "uri") and place.split(".")[-1].startswith("extension")
        if named and (url := _quoted(assignment)):
            found[place] = url
    return found
