"""The section [v2.to]: how we send, which acknowledgments we ask for, what the answers mean."""

from __future__ import annotations

import pytest

from connector.errors import ProfileError
from connector.hl7v2.ack import CONDITIONS
from connector.pipeline.replies import FAILURES, REFUSED, WAYS
from connector.profile import parse
from connector.profile.receiver import ReplyWay, V2Receiver

TO = '[v2.to]\nhost = "his"\nport = 2575\nreceiving_application = "HIS"\nreceiving_facility = "H"\n'


def receiver(more: str = "") -> V2Receiver:
    found = parse(f'name = "small"\n{TO}{more}').v2.receiver
    assert found is not None
    return found


def test_without_a_word_one_kept_connection_speaks_original_mode() -> None:
    to = receiver()
    assert (to.connections, to.keep, to.idle_seconds, to.duplicates) == (1, True, 0.0, "delivered")
    assert (to.acknowledgments.accept, to.acknowledgments.application) == ("", "")
    assert dict(to.replies) == {}


def test_every_row_that_the_cycle_knows_may_be_written() -> None:
    conditions = [one for one in CONDITIONS if one != "0"]
    keys = [*REFUSED, *(f"{code}.{one}" for code in REFUSED for one in conditions), *FAILURES.values()]
    rows = "".join(f'"{key}" = "stop"\n' for key in keys)
    assert set(receiver(f"[v2.to.replies]\n{rows}").replies) == set(keys)
    assert set(WAYS) == set(ReplyWay.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "row", ['AA = "dead"', '"AE.99" = "retry"', '"AE.0" = "retry"', 'silence = "hold"', 'AE = "forget"']
)
def test_a_row_that_nothing_reads_is_a_fault(row: str) -> None:
    with pytest.raises(ProfileError, match=r"small|:\d+"):
        receiver(f"[v2.to.replies]\n{row}\n")


@pytest.mark.parametrize(
    ("accept", "application", "delivered"),
    [
        ("AL", "NE", "commit"),
        ("SU", "NE", "commit"),
        ("AL", "AL", "application"),
        ("ER", "SU", "application"),
        ("NE", "AL", "application"),
        ("AL", "ER", "commit"),
    ],
)
def test_what_says_that_a_message_is_delivered_is_asked_for(
    accept: str, application: str, delivered: str
) -> None:
    asked = f'accept = "{accept}"\napplication = "{application}"\ndelivered = "{delivered}"\n'
    assert receiver(f"[v2.to.acknowledgments]\n{asked}").acknowledgments.delivered == delivered


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ('accept = "AL"', "set the other too"),
        ('application = "AL"\ndelivered = "application"', "set the other too"),
        ('accept = "NE"\napplication = "NE"', "never comes"),
        ('accept = "ER"\napplication = "AL"', "never comes"),
        ('accept = "AL"\napplication = "ER"\ndelivered = "application"', "never comes"),
        ('delivered = "application"', "never comes"),
        ('accept = "XX"\napplication = "AL"', "'AL'"),
    ],
)
def test_a_delivery_that_could_never_end_is_a_fault(asked: str, said: str) -> None:
    with pytest.raises(ProfileError) as raised:
        receiver(f"[v2.to.acknowledgments]\n{asked}\n")
    assert said in str(raised.value)
