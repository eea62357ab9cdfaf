"""Code tables: the arrows, what refuses to load, and the shipped tables against their laws."""

from __future__ import annotations

import pytest

from connector.mapping.codes import CodeTable, names


@pytest.mark.parametrize("name", names())
def test_a_shipped_table_loads(name: str) -> None:
    assert CodeTable.load(name).to_fhir or CodeTable.load(name).to_v2


@pytest.mark.parametrize("name", names())
def test_what_a_shipped_table_says_back_means_the_same(name: str) -> None:
    table = CodeTable.load(name)
    for coded in table.to_fhir.values():
        back = table.v2_code(coded.system, coded.code)
        assert back is None or table.to_fhir[back][:2] == coded[:2]
