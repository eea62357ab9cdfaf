"""The golden messages say what they said before."""

from __future__ import annotations

import pytest

from connector.fhir import validate
from tests import golden
from tests.shipped import TRANSLATOR


@pytest.mark.parametrize("name", golden.names())
def test_a_golden_message_is_what_it_was(name: str) -> None:
    assert golden.written(name) == golden.expected(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", golden.names())
def test_a_golden_message_comes_back_word_for_word(name: str) -> None:
    text = golden.message(name)
    assert TRANSLATOR.to_v2(TRANSLATOR.to_fhir(text).bundle, text).message == text


@pytest.mark.parametrize("name", golden.names())
def test_a_golden_message_is_valid_fhir(name: str) -> None:
    bundle = TRANSLATOR.to_fhir(golden.message(name)).bundle
    assert [str(error) for error in validate.fast(bundle)] == []
    assert [str(error) for error in validate.models(bundle)] == []


def test_every_golden_message_has_its_expected_file() -> None:
    files = {path.name for path in golden.FOLDER.iterdir()}
    assert files == {f"{name}.{end}" for name in golden.names() for end in ("hl7", "json")}
    assert len(golden.names()) >= 8
