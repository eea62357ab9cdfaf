"""No fate of a row of the guide is a mere claim: each is held against what translations show."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.guide.accounting import contradicts, decisions
from tests.guide.judge import Judge
from tests.guide.rows import DONE, NOT_DONE, OTHERWISE, Row, of_guide, rows
from tests.guide.trials import SAID

GUIDE = Path(__file__).resolve().parents[3] / "shared" / "v2-to-fhir" / "mappings"
MAPS = sorted({(row.kind, row.map) for row in rows()})


@cache
def judge() -> Judge:
    return Judge(rows())


@pytest.mark.parametrize(("kind", "name"), MAPS, ids=[name for _, name in MAPS])
def test_the_fates_of_a_map_are_what_translations_show(kind: str, name: str) -> None:
    mine = [row for row in rows() if (row.kind, row.map) == (kind, name)]
    outcomes = {row.key: judge().outcome(row) for row in mine}
    assert [f"{row}: {outcomes[row.key]}" for row in mine if contradicts(row.fate, outcomes[row.key])] == []


def test_every_row_has_a_fate_and_every_fate_but_done_a_reason() -> None:
    for row in rows():
        assert row.fate in (DONE, OTHERWISE, NOT_DONE), row
        assert bool(row.why) == (row.fate != DONE), row


def test_the_accounting_is_of_the_whole_guide() -> None:
    counts = Counter(row.kind for row in rows())
    assert counts == {"message": 402, "segment": 1056, "datatype": 617, "code": 2323}


def test_few_rows_of_the_segment_maps_are_not_done() -> None:
    segments = [row for row in rows() if row.kind == "segment"]
    assert sum(row.fate == NOT_DONE for row in segments) < 0.05 * len(segments)


def test_no_decision_is_left_over() -> None:
    undone = [row for row in rows() if row.fate != DONE]
    assert [one for one in decisions() if not any(one.fits(row) for row in undone)] == []


def test_a_fate_that_says_done_without_an_effect_is_found() -> None:
    row = next(row for row in rows() if row.kind == "segment" and row.identifier == "PID-5")
    assert judge().outcome(row) == SAID
    other = row._replace(fhir_attribute="photo.url")
    assert contradicts(DONE, judge().outcome(other))


@pytest.mark.skipif(not GUIDE.is_dir(), reason="the guide's folder ../shared/v2-to-fhir is not there")
def test_the_rows_are_those_of_the_guide() -> None:
    own = [row._replace(fate="", why="") for row in rows()]
    assert own == [Row(*row) for row in of_guide(GUIDE)]
