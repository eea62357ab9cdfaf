"""Is this FHIR R4? ``fast`` judges by compiled tables on the way in, ``models`` by fhir.resources.

Both return errors whose ``location`` is the FHIRPath of the element (the simple subset that
``OperationOutcome.issue.expression`` asks for) and whose text holds no value: an element that R4 does
not know is not even named, because its name is the sender's text too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from connector.errors import InvalidResource, RequiredElementMissing
from connector.fhir import elements, quick, references, rules
from connector.fhir.models import judge
from connector.fhir.primitives import CHECKS

MAX_FINDINGS: Final = 100

Findings = Iterator[InvalidResource]


def fast(resource: Any) -> list[InvalidResource]:
    """The faults of a resource, at most ``MAX_FINDINGS``; [] when the tables of R4 find none.

    Checked: the type, elements that exist, cardinality, one type of a choice, the form of every
    primitive (dates on the calendar), codes of required bindings, nothing empty, the form of
    references and the types they may point at, and the invariants in ``rules``. Bundles are walked.
    """
    if quick.good(resource):
        return []
    return list(islice(carefully(resource), MAX_FINDINGS))


def carefully(resource: Any) -> Findings:
    """Every fault of a resource, each at its place."""
    return _resource(resource, "")


def models(resource: dict[str, Any]) -> list[InvalidResource]:
    """The faults that fhir.resources (R4B models) finds, slower and different; [] when it finds none."""
    return judge(resource)[:MAX_FINDINGS]


def _resource(node: Any, path: str) -> Findings:
    if not isinstance(node, dict):
        yield InvalidResource("a resource is a JSON object", location=path)
        return
    kind = node.get("resourceType")
    if not isinstance(kind, str) or kind not in elements.resource_types():
        fix = "name a resource type of FHIR R4 in resourceType"
        yield InvalidResource("this is no resource of FHIR R4", fix=fix, location=path or "resourceType")
        return
    yield from _structure(node, kind, path or kind)
    if kind != "Bundle" and (not path or path.endswith(".resource")):
        yield from rules.contained(node, path or kind)


def _structure(node: dict[str, Any], kind: str, path: str) -> Findings:
    shape = elements.shape(kind)
    if shape is None:
        raise KeyError(kind)  # a row of elements.json names a type that is not in it
    chosen: set[str] = set()
    for position, (name, value) in enumerate(node.items(), start=1):
        element = shape.elements.get(name)
        if element is not None:
            yield from _chosen_once(element, chosen, path)
            yield from _element(value, element, f"{path}.{element.path_name}", node.get("_" + name))
        elif name != "resourceType" or kind not in elements.resource_types():
            yield from _sibling(name, value, node, shape, path, position)
    yield from _missing(node, shape, path)
    yield from rules.of(kind, node, path)


def _chosen_once(element: elements.Element, chosen: set[str], path: str) -> Findings:
    if element.choice and element.choice in chosen:
        fix = "send one of its types"
        yield InvalidResource(
            "the element has two types at once", fix=fix, location=f"{path}.{element.choice}"
        )
    chosen.add(element.choice)


def _sibling(
    name: str, value: Any, node: dict[str, Any], shape: elements.Shape, path: str, position: int
) -> Findings:
    """``_birthDate`` holds the extensions of ``birthDate``; anything else is not of this type."""
    element = shape.elements.get(name[1:]) if name.startswith("_") else None
    if element is None or element.type not in CHECKS:
        what = f"property {position} of this object is no element of the type in FHIR R4"
        yield InvalidResource(what, fix="use an extension for what R4 does not define", location=path)
        return
    where = f"{path}.{element.path_name}"
    extras = value if element.repeats else [value]
    if not isinstance(extras, list) or not extras:
        yield InvalidResource("the extensions of an element that repeats are an array", location=where)
        return
    for index, extra in enumerate(extras):
        if extra is not None:
            yield from _complex(extra, "Element", f"{where}[{index}]" if element.repeats else where)


def _element(value: Any, element: elements.Element, path: str, extras: Any) -> Findings:
    if not element.repeats:
        if isinstance(value, list):
            yield InvalidResource("the element does not repeat: no array here", location=path)
        else:
            yield from _single(value, element, path)
    elif not isinstance(value, list) or not value:
        yield InvalidResource("the element repeats: an array that is not empty is asked for", location=path)
    else:
        for index, one in enumerate(value):
            if one is not None or not _extended(extras, index):
                yield from _single(one, element, f"{path}[{index}]")


def _extended(extras: Any, index: int) -> bool:
    """null holds the place of a repetition that has extensions only."""
    return isinstance(extras, list) and index < len(extras) and isinstance(extras[index], dict)


def _single(value: Any, element: elements.Element, path: str) -> Findings:
    check = CHECKS.get(element.type)
    if check is None:
        yield from _complex(value, element.type, path, element.targets)
    elif not check(value):
        empty = value is None or value == "" or value == {}
        what = "an element cannot be empty" if empty else f"not the form of the datatype {element.type}"
        yield InvalidResource(what, location=path)
    elif element.codes and value not in element.codes:
        yield InvalidResource("the code is not in the value set that R4 requires here", location=path)


def _complex(value: Any, kind: str, path: str, targets: frozenset[str] = frozenset()) -> Findings:
    if not isinstance(value, dict) or not value:
        yield InvalidResource("an object that is not empty is asked for", location=path)
    elif kind == "Resource":
        yield from _resource(value, path)
    else:
        yield from _structure(value, kind, path)
        if kind == "Reference":
            yield from _reference(value, targets, path)


def _reference(node: dict[str, Any], targets: frozenset[str], path: str) -> Findings:
    text = node.get("reference")
    if not isinstance(text, str) or not text:
        return
    target = references.parse(text)
    if target is None:
        fix = "send Type/id, an absolute URL, urn:uuid:, urn:oid: or #id"
        yield InvalidResource("this is no form of a reference", fix=fix, location=f"{path}.reference")
    elif (
        target.form != "absolute"
        and target.type
        and target.type not in (targets or elements.resource_types())
    ):
        fix = f"refer to {' or '.join(sorted(targets))}" if targets else "refer to a resource type of R4"
        yield InvalidResource(
            "the reference points to a type it may not", fix=fix, location=f"{path}.reference"
        )


def _missing(node: dict[str, Any], shape: elements.Shape, path: str) -> Findings:
    for name, names in shape.required.items():
        if not any(one in node or "_" + one in node for one in names):
            yield RequiredElementMissing("the element is required", location=f"{path}.{name}")
