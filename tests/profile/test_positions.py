from __future__ import annotations

import tomllib
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.profile.positions import Path, Positions
from tests.profile.toml_writer import Writer

NAMES = st.one_of(st.sampled_from(["a", "b-1", "1.2", "PID-3", "", "ü"]), st.text(max_size=4))
SCALARS = st.one_of(st.text(max_size=12), st.integers(-9, 9), st.booleans())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(NAMES, inner, max_size=3),
        st.lists(st.dictionaries(NAMES, inner, max_size=2), min_size=1, max_size=3),
    ),
    max_leaves=12,
)
TREES = st.dictionaries(NAMES, VALUES, max_size=5)


def _paths(node: Any, path: Path = ()) -> set[Path]:
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    below = [_paths(value, (*path, step)) for step, value in inner]
    return ({path} if path else set()).union(*below)


@settings(max_examples=400, deadline=None)
@given(TREES, st.integers(0, 2**32))
def test_every_key_is_found_on_the_line_where_it_was_written(tree: dict[str, Any], seed: int) -> None:
    written = Writer(tree, Random(seed).choice)
    assert tomllib.loads(written.text) == tree
    positions = Positions(written.text)
    assert {path: positions.line(path) for path in written.lines} == written.lines
    assert positions.paths == _paths(tree)


@settings(max_examples=100, deadline=None)
@given(TREES, st.integers(0, 2**32))
def test_the_line_ends_of_windows_change_no_line(tree: dict[str, Any], seed: int) -> None:
    text = Writer(tree, Random(seed).choice).text
    plain, windows = Positions(text), Positions(text.replace("\n", "\r\n"))
    assert {path: plain.line(path) for path in plain.paths} == {
        path: windows.line(path) for path in windows.paths
    }


def test_a_column_is_that_of_the_key() -> None:
    positions = Positions("[a]\n  b.c = { d = 1, 'e f' = 2 }\n")
    assert positions.place(("a", "b", "c")) == (2, 3)
    assert positions.place(("a", "b", "c", "e f")) == (2, 18)


def test_a_table_stands_where_its_own_header_is() -> None:
    positions = Positions("[a.b]\nx = 1\n\n[a]\ny = 2\n")
    assert positions.line(("a",)) == 4
    assert positions.line(("a", "b")) == 1
    assert positions.line(("a", "y")) == 5


def test_what_is_not_there_is_on_the_line_of_the_table_around_it() -> None:
    positions = Positions("x = 1\n\n[a]\nb = 2\n")
    assert positions.line(("a", "missing", 3)) == 3
    assert positions.line(("missing",)) == 1


def test_tables_within_the_tables_of_an_array_belong_to_the_last_one() -> None:
    text = "[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\n[[a]]\n[a.d]\n[[a.b]]\nc = 3\n"
    positions = Positions(text)
    assert positions.line(("a", 0, "b", 1)) == 4
    assert positions.line(("a", 1, "d")) == 6
    assert positions.line(("a", 1, "b", 0, "c")) == 8


def test_dates_numbers_and_quotes_do_not_lead_it_astray() -> None:
    text = (
        "a = 1979-05-27 07:32:00.5\nb = [1e3, 0x_f, +inf]\nc = \"\"\"x\"\"\"\"\nd = ''''y'''\n"
        'e = "#\\""  # "\nf = 07:32:00\ng = 1979-05-27T07:32:00-08:00 # x\nh = 1'
    )
    text = text.replace("0x_f", "0xf")
    assert [Positions(text).line((name,)) for name in tomllib.loads(text)] == [1, 2, 3, 4, 5, 6, 7, 8]
