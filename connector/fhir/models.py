"""fhir.resources as a second judge of a resource; this module is the only one that imports it.

It knows R4B, which is R4 for the types of this connector. Its messages quote what they complain about,
so nothing of them is passed on but the place and the kind of the fault.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from connector.errors import InvalidResource, RequiredElementMissing
from connector.fhir import elements

_KINDS: Final = {
    "missing": "the element is required",
    "extra_forbidden": "this object has a property that is no element of the type",
    "bool_parsing": "not the form of the datatype boolean",
    "string_type": "a text is asked for",
    "string_pattern_mismatch": "not the form of the datatype",
    "value_error": "the value breaks a rule of the type",
}


def judge(resource: dict[str, Any]) -> list[InvalidResource]:
    """What the model of the resource's type does not accept; locations are FHIRPaths."""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or kind not in elements.resource_types():
        return [InvalidResource("this is no resource of FHIR R4", location="resourceType")]
    try:
        _model(kind).model_validate(resource)
    except ValidationError as error:
        listed = error.errors(include_input=False, include_url=False, include_context=False)
        return [_finding(resource, one["type"], one["loc"]) for one in listed if not _unknown(one["loc"])]
    except (KeyError, TypeError, ValueError, AttributeError):  # a nested type that it does not know
        return [InvalidResource("the models of R4B cannot read this resource", location=kind)]
    return []


@cache
def _model(kind: str) -> type[BaseModel]:
    from fhir.resources.R4B import (
        get_fhir_model_class,
    )  # heavy: a second and 30 MB, only where it is asked for

    model: type[BaseModel] = get_fhir_model_class(kind)
    return model


def _unknown(place: tuple[int | str, ...]) -> bool:
    """What stands beside the primitive value of an extension: R4 has it, the models have no place for it."""
    return "extension" in place[-3:-1] and str(place[-1]).startswith("_value")


def _finding(resource: dict[str, Any], fault: str, place: tuple[int | str, ...]) -> InvalidResource:
    error = RequiredElementMissing if fault == "missing" else InvalidResource
    known = place[:-1] if fault == "extra_forbidden" else place  # the last word is the sender's
    return error(_KINDS.get(fault, "the value breaks a rule of the type"), location=_path(resource, known))


def _path(resource: dict[str, Any], place: tuple[int | str, ...]) -> str:
    """The FHIRPath of a place (``deceasedBoolean`` is ``deceased`` there), without words unknown to R4."""
    kind = path = str(resource["resourceType"])
    node: Any = resource
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
            node = node[part] if isinstance(node, list) and part < len(node) else None
            kind = _kind(node, kind)
        elif element := _element(kind, part):
            path += f".{element.path_name}"
            node = node.get(part) if isinstance(node, dict) else None
            kind = _kind(node, element.type)
    return path


def _element(kind: str, name: str) -> elements.Element | None:
    shape = elements.shape(kind)
    return shape.elements.get(name.removesuffix("__ext").removeprefix("_")) if shape else None


def _kind(node: Any, declared: str) -> str:
    """An entry's or a contained resource is of the type that it names."""
    named = node.get("resourceType") if isinstance(node, dict) and declared == "Resource" else None
    return named if isinstance(named, str) and named in elements.resource_types() else declared
