"""The JSON Schema (draft 2020-12) of a profile, for editors: completion, descriptions and faults."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from connector.profile.model import Profile


class _TomlSchema(GenerateJsonSchema):
    """What TOML has no null for is left out; keys that do not have the form of a table's keys are faults."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default", ...) is None:
            del found["default"]
        return found

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        for pattern, values in found.pop("patternProperties", {}).items():
            found |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schema() -> dict[str, Any]:
    """The schema of a profile file. What spans several keys is only said by ``check.check``."""
    return {**schema_of(Profile), "title": "A partner profile of the connector"}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a file for ``model``."""
    found = model.model_json_schema(by_alias=True, schema_generator=_TomlSchema)
    return {"$schema": _TomlSchema.schema_dialect, **_on_one_line(found)}


def _on_one_line(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: " ".join(value.split())
            if key == "description" and isinstance(value, str)
            else _on_one_line(value)
            for key, value in node.items()
        }
    return [_on_one_line(child) for child in node] if isinstance(node, list) else node
