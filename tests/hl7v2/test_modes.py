"""Original and enhanced mode: which answers MSH-15 and MSH-16 ask for."""

from __future__ import annotations

import pytest

from connector.hl7v2.modes import Answers, afterwards, at_once


@pytest.mark.parametrize(
    ("answers", "code", "accept", "application", "expected"),
    [
        ("by-message", "AA", "", "", "AA"),
        ("by-message", "AE", "", "", "AE"),
        ("by-message", "AR", " ", "", "AR"),
        ("by-message", "AA", '""', '""', "AA"),
        ("by-message", "AA", "AL", "NE", "CA"),
        ("by-message", "AE", "AL", "AL", "CE"),
        ("by-message", "AR", "ER", "NE", "CR"),
        ("by-message", "AA", "ER", "NE", ""),
        ("by-message", "AA", "SU", "NE", "CA"),
        ("by-message", "AR", "SU", "NE", ""),
        ("by-message", "AR", "SU", "AL", "AR"),
        ("by-message", "AA", "NE", "NE", ""),
        ("by-message", "AE", "NE", "NE", ""),
        ("by-message", "AA", "NE", "AL", ""),
        ("by-message", "AA", "", "AL", ""),
        ("by-message", "AE", "NE", "AL", "AE"),
        ("by-message", "AE", "NE", "ER", "AE"),
        ("by-message", "AE", "NE", "SU", ""),
        ("by-message", "AA", "al", "ne", "CA"),
        ("by-message", "AA", "??", "", "CA"),
        ("original", "AA", "AL", "NE", "AA"),
        ("original", "AE", "NE", "AL", "AE"),
        ("enhanced", "AA", "", "", "CA"),
        ("enhanced", "AR", "", "", "CR"),
        ("enhanced", "AA", "NE", "NE", ""),
    ],
)
def test_the_code_follows_msh_15_and_msh_16(
    answers: Answers, code: str, accept: str, application: str, expected: str
) -> None:
    assert at_once(answers, code, accept, application) == expected


@pytest.mark.parametrize(
    ("answers", "accept", "application", "expected"),
    [
        ("by-message", "", "", ""),
        ("by-message", "AL", "", ""),
        ("by-message", "AL", "NE", ""),
        ("by-message", "AL", "AL", "AA AE AR"),
        ("by-message", "NE", "AL", "AA AE AR"),
        ("by-message", "", "AL", "AA AE AR"),
        ("by-message", "AL", "ER", "AE AR"),
        ("by-message", "AL", "SU", "AA"),
        ("by-message", "AL", "what", "AA AE AR"),
        ("original", "AL", "AL", ""),
        ("enhanced", "", "AL", "AA AE AR"),
        ("enhanced", "", "", ""),
    ],
)
def test_application_acknowledgments_are_owed_as_msh_16_says(
    answers: Answers, accept: str, application: str, expected: str
) -> None:
    assert afterwards(answers, accept, application) == frozenset(expected.split())


@pytest.mark.parametrize("answers", ["by-message", "original", "enhanced"])
@pytest.mark.parametrize("accept", ["", "AL", "NE", "ER", "SU"])
@pytest.mark.parametrize("application", ["", "AL", "NE", "ER", "SU"])
def test_nobody_gets_two_application_acknowledgments(answers: Answers, accept: str, application: str) -> None:
    if at_once(answers, "AA", accept, application) == "AA":
        assert afterwards(answers, accept, application) == frozenset()
