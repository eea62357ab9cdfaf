"""The page of events says what the code says, of every tag, both ways."""

from __future__ import annotations

import re

import pytest

from audit.entry import Tag
from audit.events import EVENTS
from audit.fields import FIELDS
from audit.vocabulary import BY_TAG
from tests.audit.events_page import PAGE, rendered

_LINE = re.compile(r"^\| `([a-z0-9:]+)` \| (.*) \|$", re.MULTILINE)


def _lines() -> dict[str, str]:
    found = _LINE.findall(PAGE.read_text(encoding="utf-8"))
    return {name: rest for name, rest in found if ":" in name}


def test_the_page_is_that_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == rendered(), "run python -m tests.audit.events_page"


def test_each_tag_has_a_line_and_each_line_a_tag() -> None:
    assert set(_lines()) == {str(tag) for tag in Tag} == set(BY_TAG)


@pytest.mark.parametrize("tag", sorted(map(str, Tag)))
def test_a_line_names_the_event_the_pattern_and_the_fields(tag: str) -> None:
    cells = _lines()[tag].split(" | ")
    assert len(cells) == 5
    meaning, roles, fields, atna, balp = cells
    assert meaning == BY_TAG[tag].meaning.replace("|", "&#124;")
    assert set(roles.split(", ")) == set(BY_TAG[tag].roles)
    named = set(re.findall(r"`\[?([a-z0-9_]+)\]?`", fields))
    assert named == BY_TAG[tag].required | BY_TAG[tag].optional <= FIELDS.keys()
    assert EVENTS[tag].id.code in atna
    assert all(str(one) in balp for one in EVENTS[tag].patterns if one)
