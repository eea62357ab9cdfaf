"""A profile is taken, or refused at lines of its file in words that hold none of its values."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from connector.errors import ConfigurationError, ProfileError
from connector.mapping.messages.registry import known_messages
from connector.mapping.verbs import known_rows, known_tables
from connector.profile import Profile
from connector.profile.check import judged
from connector.profile.reading import Document
from connector.settings import Settings

WORDS: Final = (
    b"[v2]\n", b"[v2.from]\n", b"[v2.to]\n", b"[fhir]\n", b"[fhir.from]\n", b"[fhir.token]\n",
    b"[mapping]\n", b"[[mapping.extension]]\n", b"[[mapping.identifier]]\n", b"[mapping.codes.HL70001]\n",
    b"[events]\n", b"[limits]\n", b"[retry]\n", b"[delivery]\n", b'name = "x"\n', b"drop = [", b"'''",
    b'"""', b"inf", b"nan", b"0x", b"1979-05-27T07:32:00Z", b"{ a.b = 1 }", b'"\\u0000"', b"sha256:",
    b"urn:oid:2.999", b"https://a/b",
)  # fmt: skip


@cache
def _maps() -> dict[str, Any]:
    return {"rows": known_rows(), "tables": known_tables(), "messages": known_messages()}


def check(data: bytes) -> None:
    """As a profile with all that the maps can tell of it, and as settings."""
    path = Path("profile.toml")
    lines = data.count(b"\n") + 1
    try:
        document = Document.of(data, path, ProfileError)
    except ProfileError as error:
        _at_a_line(error, lines)
        return
    for error in judged(document, **_maps()):
        _at_a_line(error, lines)
    found = document.read(Profile)
    for fault in found if isinstance(found, list) else _named(found):
        _at_a_line(fault, lines)
    settings = Document.of(data, path, ConfigurationError).read(Settings)
    for one in settings if isinstance(settings, list) else []:
        _at_a_line(one, lines)


def _named(profile: Profile) -> list[ProfileError]:
    assert profile.name
    assert set(profile.directions) <= {"to_fhir", "to_v2"}
    return []


def _at_a_line(error: ConfigurationError, lines: int) -> None:
    name, _, line = error.location.rpartition(":")
    assert name == "profile.toml"
    assert 1 <= int(line) <= lines
