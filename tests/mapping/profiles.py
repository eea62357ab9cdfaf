"""Translators of profiles that tests write as TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector import Translator
from connector.errors import ProfileError

Json = dict[str, Any]


def translator(folder: Path, toml: str) -> Translator:
    """The translator of a profile with these tables."""
    path = folder / "p.toml"
    path.write_text(f'name = "p"\n{toml}')
    return Translator.load(path)


def refusal(folder: Path, toml: str) -> str:
    """What a profile that cannot be followed is refused with."""
    with pytest.raises(ProfileError) as refused:
        translator(folder, toml)
    return str(refused.value).replace(f"{folder}/", "")


def message(*segments: str, event: str = "ADT^A01") -> str:
    """A message of these segments."""
    header = f"MSH|^~\\&|HIS|STV|CON|DEMO|20261123101500+0100||{event}|1|P|2.5.1"
    return "\r".join((header, *segments)) + "\r"


def of_type(bundle: Json, kind: str) -> list[Json]:
    """The resources of one type."""
    found = [entry["resource"] for entry in bundle["entry"]]
    return [one for one in found if one["resourceType"] == kind]


def only(bundle: Json, kind: str) -> Json:
    """The only resource of a type."""
    (one,) = of_type(bundle, kind)
    return one


def lines(text: str) -> dict[str, str]:
    """The first segment of each name."""
    found: dict[str, str] = {}
    for line in text.split("\r"):
        found.setdefault(line[:3], line)
    return found


def lawful(made: Translator, text: str) -> Json:
    """The bundle of a message for which the laws hold: words kept, and nothing changed on the way round."""
    there = made.to_fhir(text).bundle
    assert made.to_v2(there, text).message == text
    again = made.to_fhir(made.to_v2(there).message).bundle
    assert again["entry"] == there["entry"]
    return there
