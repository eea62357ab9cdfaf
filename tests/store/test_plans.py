"""Nothing is looked for by reading through a table: every statement of the store has its index."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import connector.store
from connector.store import Store
from connector.store.statement import Statement
from tests.store.site import queue, rows

SMALL = {"effective._ALL", "pauses._ALL", "tallies._ALL"}  # a row or two for each link


def _statements() -> Iterator[tuple[str, Statement]]:
    for module in pkgutil.iter_modules(connector.store.__path__):
        found = vars(importlib.import_module(f"connector.store.{module.name}"))
        for name, value in found.items():
            kept = value.values() if isinstance(value, dict) else [value]
            for each in kept:
                if isinstance(each, Statement):
                    yield f"{module.name}.{name}", each


STATEMENTS = [one for one in _statements() if one[0] not in SMALL and not one[1].text.startswith("INSERT")]


def _plan(folder: Path, statement: Statement) -> str:
    values = [1] * statement.text.count("?")
    return " | ".join(row[3] for row in rows(folder, f"EXPLAIN QUERY PLAN {statement.text}", values))


def test_there_are_statements() -> None:
    assert len(STATEMENTS) > 40
    assert len({name for name, _ in _statements()} & SMALL) == len(SMALL)


@pytest.mark.parametrize(("name", "statement"), STATEMENTS, ids=[name for name, _ in STATEMENTS])
async def test_no_statement_reads_through_a_table(
    name: str, statement: Statement, store: Store, tmp_path: Path
) -> None:
    await queue(store, b"x")
    plan = _plan(tmp_path, statement)
    if not (name == "inbox._RECENT" and plan == "SCAN inbox"):  # from its end, as far as the limit
        assert not re.search(r"SCAN (?!CONSTANT ROW)", plan), plan
    assert "TEMP B-TREE" not in plan, plan


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("inbox._PENDING", "inbox_waiting"),
        ("inbox._DEAD", "inbox_dead"),
        ("inbox._OWED", "inbox_owed"),
        ("inbox._SEEN", "inbox_once"),
        ("outbox._DEAD", "outbox_dead"),
        ("outbox._STATES", "outbox_of_inbox"),
        ("outbox._REPLACE", "outbox_of_inbox"),
        ("lanes._AT_ONCE", "lane_due"),
        ("lanes._AGAIN", "lane_due"),
        ("lanes._NEXT", "lane_due"),
        ("pruning._OLD", "inbox_done"),
    ],
)
async def test_what_is_looked_for_often_has_an_index_of_its_own(
    name: str, index: str, store: Store, tmp_path: Path
) -> None:
    await queue(store, b"x")
    assert f"INDEX {index} " in _plan(tmp_path, dict(_statements())[name])
