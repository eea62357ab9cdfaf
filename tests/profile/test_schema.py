from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from connector.profile.schema import schema
from tests.profile.json_schema import faults
from tests.profile.planted import DEMO, FAULTS, Planted, text_of

SCHEMA = schema()


def _tables() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "", SCHEMA
    yield from SCHEMA["$defs"].items()


def test_the_schema_is_plain_json_of_draft_2020_12() -> None:
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_accepts_the_demo_profile() -> None:
    assert list(faults(SCHEMA, tomllib.loads(DEMO.read_text()))) == []


@pytest.mark.parametrize(
    "planted", [one for one in FAULTS if not one.spans], ids=lambda one: one.new.replace("\n", " ")[:50]
)
def test_the_schema_finds_the_faults_of_single_keys(planted: Planted) -> None:
    assert list(faults(SCHEMA, tomllib.loads(text_of(planted)))) != []


def test_every_key_is_described() -> None:
    silent = [
        f"{name}.{key}"
        for name, table in _tables()
        for key, value in table["properties"].items()
        if not value.get("description", "").endswith((".", "`"))
    ]
    assert silent == []


def test_no_table_takes_unknown_keys() -> None:
    assert [name for name, table in _tables() if table["additionalProperties"] is not False] == []


def test_the_schema_knows_no_null() -> None:
    assert "null" not in json.dumps(SCHEMA)
