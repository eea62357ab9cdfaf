"""What both APIs take and answer, as OpenAPI 3.1: written from the table of routes and by hand for FHIR."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from connector.edges.operator_api import PREFIX, ROUTES, Route

Json = dict[str, Any]

_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "error"],
    "properties": {"status": {"type": "integer", "minimum": 400}, "error": {"type": "string"}},
}
_OUTCOME: Final = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["severity", "code", "diagnostics"]},
        },
    },
}
_BUNDLE: Final = {"type": "object", "properties": {"resourceType": {"const": "Bundle"}}, "required": ["type"]}
_HEADERS: Final = {
    name: {"required": True, "schema": {"type": "string"}}
    for name in ("cache-control", "x-content-type-options", "strict-transport-security")
}
_NUMBERS: Final = {"type": "string", "enum": ["1", "2", "3", "9", "0", "-1", "x", "1e3", "\u0661"]}
_NUMBER: Final = {"name": "number", "in": "path", "required": True, "schema": _NUMBERS}
_ID: Final = {"type": "string", "enum": ["p1", "p2"]}
_TEXT: Final = {"type": "string", "minLength": 1}
_CODES: Final = ("400", "403", "404", "405", "409", "412", "413", "414", "415", "422", "431")


def _said(kind: str, schema: Json) -> Json:
    return {"description": "so", "headers": _HEADERS, "content": {kind: {"schema": schema}}}


def operators() -> Json:
    """The operators' API."""
    forms = {one.takes for one in ROUTES}
    _, schemas = msgspec.json.schema_components(forms, ref_template="#/components/schemas/{name}")
    plain = {name: _likely(schema) for name, schema in schemas.items()}
    paths: Json = {}
    for route in ROUTES:
        paths.setdefault(f"{PREFIX}{route.path}", {})[route.method.lower()] = _operation(route, plain)
    return _document("operators", paths, {"schemas": plain})


def _operation(route: Route, schemas: Json) -> Json:
    form = schemas[route.takes.__name__]
    inputs: Json = {"parameters": [_NUMBER] if "{number}" in route.path else []}
    if route.method == "GET":
        required = form.get("required", [])
        inputs["parameters"] += [
            {"name": name, "in": "query", "required": name in required, "schema": schema}
            for name, schema in form["properties"].items()
        ]
    else:
        ref = {"$ref": f"#/components/schemas/{route.takes.__name__}"}
        inputs["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref}}}
    refused = _said("application/problem+json", _PROBLEM)
    good = _said("application/json", {"type": ["object", "array"]})
    if route.scope == "audit:export":
        good = {"description": "so", "headers": _HEADERS, "content": {"application/zip": {}}}
    return {**inputs, "responses": {"200": good, **dict.fromkeys(_CODES, refused)}}


def _likely(schema: Any) -> Any:
    """The same, leaning to what is there: the link, low numbers, and reasons that generators can make."""
    if isinstance(schema, list):
        return [_likely(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    eased = {name: _likely(one) for name, one in schema.items()}
    if "(?=" in str(schema.get("pattern", "")):
        eased["pattern"] = "^[a-z][a-z ]{0,30}$"
    if schema.get("type") == "integer" and schema.get("maximum", 0) >= 2**62:
        eased["maximum"] = 6
    if isinstance(eased.get("properties"), dict) and "link" in eased["properties"]:
        eased["properties"]["link"] = {"type": "string", "enum": ["demo", "nobody"]}
    return eased


def fhir() -> Json:
    """The FHIR API and what stands beside it."""
    names = {"Patient": _patient(), "Observation": _observation(), "Account": {"type": "object"}}
    answered = {"202": _said("application/fhir+json", _OUTCOME), **_refusals()}
    taken = {"200": _said("application/fhir+json", _BUNDLE), **answered}
    paths: Json = {
        "/fhir": {"post": _sent(_transaction(), taken)},
        "/fhir/$process-message": {"post": _sent(_transaction(), answered)},
        "/fhir/metadata": {"get": _got("application/fhir+json")},
        "/health/live": {"get": _got("application/json")},
        "/health/ready": {"get": _got("application/json")},
    }
    for name, schema in names.items():
        paths[f"/fhir/{name}"] = {"post": _sent(schema, answered)}
        path = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}]
        match = [
            {"name": "If-Match", "in": "header", "schema": {"type": "string", "pattern": '^W/"[0-9]{1,3}"$'}}
        ]
        paths[f"/fhir/{name}/{{id}}"] = {"put": _sent(schema, answered) | {"parameters": path + match}}
    return _document("fhir", paths, {})


def _refusals() -> Json:
    return dict.fromkeys(_CODES, _said("application/fhir+json", _OUTCOME))


def _sent(schema: Json, responses: Json) -> Json:
    return {
        "requestBody": {"required": True, "content": {"application/fhir+json": {"schema": schema}}},
        "responses": responses,
    }


def _got(kind: str) -> Json:
    return {"responses": {"200": _said(kind, {"type": "object"}), **_refusals()}}


def _resource(name: str, properties: Json, *required: str) -> Json:
    known = {"resourceType": {"const": name}, "id": _ID}
    return {"type": "object", "required": ["resourceType", *required], "properties": {**known, **properties}}


def _patient() -> Json:
    text = _TEXT
    name = {"type": "object", "properties": {"family": text, "given": {"type": "array", "items": text}}}
    identifier = {"type": "object", "properties": {"system": {"const": "urn:oid:2.999.1"}, "value": text}}
    return _resource(
        "Patient",
        {
            "birthDate": {"type": "string", "format": "date"},
            "gender": {"enum": ["male", "female", "other", "unknown", "x"]},
            "name": {"type": "array", "items": name},
            "identifier": {"type": "array", "items": identifier},
            "active": {"type": "boolean"},
        },
    )


def _observation() -> Json:
    code = {
        "type": "object",
        "properties": {"text": {"type": "string", "minLength": 1}},
        "required": ["text"],
    }
    value = {"type": "object", "properties": {"value": {"type": "number"}, "unit": {"type": "string"}}}
    status = {"enum": ["final", "preliminary", "banana"]}
    reference = {
        "type": "object",
        "properties": {"reference": {"type": "string", "pattern": "^Patient/[a-z]{1,4}$"}},
    }
    known = {"status": status, "code": code, "valueQuantity": value, "subject": reference}
    return _resource("Observation", known, "status", "code")


def _transaction() -> Json:
    request = {
        "type": "object",
        "required": ["method", "url"],
        "properties": {
            "method": {"enum": ["PUT", "POST", "DELETE", "GET", "PATCH"]},
            "url": {"type": "string", "pattern": "^(Patient|Observation|Encounter|Banana)(/[a-z]{1,4})?$"},
        },
    }
    resource = {"anyOf": [_patient(), _observation(), {"type": "object"}]}
    known = {"resource": resource, "request": request}
    entry = {"type": "object", "properties": known, "required": ["request", "resource"]}
    kind = {"enum": ["transaction", "batch", "message", "history"]}
    entries = {"type": "array", "items": entry, "maxItems": 3}
    return _resource("Bundle", {"type": kind, "entry": entries}, "type", "entry")


def _document(title: str, paths: Json, components: Json) -> Json:
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "components": components,
    }
