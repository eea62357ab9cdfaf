"""The table of what is recorded is that of the code, both ways."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from audit.entry import EntryRefused, Tag
from audit.vocabulary import check
from connector.profile.roles import Permission
from tests.audit.emitted import written
from tests.audit.samples import sample


def test_each_tag_of_the_table_is_written_somewhere() -> None:
    patterns = [re.compile(one) for one in written()]
    silent = [str(tag) for tag in Tag if not any(one.fullmatch(tag) for one in patterns)]
    assert not silent, f"nothing writes these: {silent}"


def test_each_tag_that_is_written_stands_in_the_table() -> None:
    subjects = "|".join({str(tag).partition(":")[0] for tag in Tag})
    tagged = re.compile(rf"(?:{subjects}):(?:[a-z0-9]+:)?[a-z]+")
    plain = {one.replace("\\", "") for one in written()}
    others = {one for some in get_args(Permission) for one in get_args(some)}
    tags = {str(tag) for tag in Tag}
    starts = {one for one in plain if any(tag.startswith(f"{one}:") for tag in tags)}
    assert {one for one in plain if tagged.fullmatch(one)} - tags - starts - others == set()


def test_a_tag_that_stands_nowhere_cannot_be_written() -> None:
    with pytest.raises(EntryRefused):
        check(sample(Tag.SERVICE_STARTED)._replace(tag="service:paused"))


def test_a_tag_that_nothing_writes_would_be_noticed() -> None:
    patterns = [re.compile(one) for one in written()]
    for planted in ("service:hidden", "keys:borrowed", "audit:shard:painted", "oauth:token:lent"):
        assert not any(one.fullmatch(planted) for one in patterns)
