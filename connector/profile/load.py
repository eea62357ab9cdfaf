"""Reading a profile from its file."""

from __future__ import annotations

from pathlib import Path

from connector.errors import ProfileError
from connector.profile.model import Profile
from connector.profile.reading import Document, refusal


def load(path: str | Path) -> Profile:
    """The profile in a TOML file.

    Raises one ``ProfileError``: the fault, or a list of all of them; ``location`` is ``file:line``, of the
    first. What only the maps can tell (whether a place exists in them) is ``check.check``'s.
    """
    return _profile(Document.open(Path(path), ProfileError))


def parse(text: str | bytes, path: str | Path = "profile.toml") -> Profile:
    """As ``load``, of a text; ``path`` is what faults name, and its folder is where paths start from."""
    raw = text.encode() if isinstance(text, str) else text
    return _profile(Document.of(raw, Path(path), ProfileError))


def _profile(document: Document[ProfileError]) -> Profile:
    found = document.read(Profile)
    if isinstance(found, list):
        raise refusal(found)
    return found
