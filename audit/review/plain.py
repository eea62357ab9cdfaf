"""Words out of entries: made harmless to show, whoever chose them.

Names of clients, subjects of certificates and reasons come from outside. What does not print, and what turns
the direction of writing or hides, is shown as its code point, so that no terminal and no reader is fooled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from audit.cells import harmless

LONGEST: Final = 240  # characters of one value; a reader of a table wants no more
ITEMS: Final = 6  # of a list

Entry = Mapping[str, Any]


def shown(value: Any) -> str:
    """Any value of an entry as one line of text that prints, shortened with an ellipsis."""
    text = _text(value)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 1]}…"
    if (
        text.isprintable()
    ):  # neither control, nor format (bidirectional, invisible), nor half a surrogate pair
        return text
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "-", True: "yes", False: "no"}[value]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple):
        more = f" and {len(value) - ITEMS} more" if len(value) > ITEMS else ""
        return ", ".join(_text(one) for one in value[:ITEMS]) + more
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(one)}" for name, one in value.items())
    return str(value)


def moment(time: str) -> str:
    """``2026-11-23 10:15:00``: a time of an entry as it is shown; UTC, as the page says once."""
    return shown(time[:19].replace("T", " "))


def said(entry: Entry, *leaves: str) -> str:
    """What an entry's object holds, as ``name: value``; without its place and what ``leaves`` names."""
    out = {"link", "direction", "because", *leaves}
    found = sorted(entry["object"].items())
    return shown("; ".join(f"{name}: {_text(value)}" for name, value in found if name not in out))


def because(entry: Entry) -> str:
    """The reason that a person gave."""
    return shown(entry["object"].get("because", ""))


def partner(entry: Entry) -> str:
    """The link that an entry is about; "" where it is about none."""
    link = entry["object"].get("link", "")
    return "" if link in ("", "(all)") else shown(link)


def person(entry: Entry) -> str:
    """The person behind an entry and whose name that is (of a login, a client, or a user of the machine)."""
    actor = entry["actor"]
    if actor.get("role") != "operator":
        return ""
    name = shown(actor.get("name") or "(not known)")
    return f"{name} ({realm(entry)})" if actor.get("name") else name


def realm(entry: Entry) -> str:
    """Whose names a person's name belongs to: the same name in two of them may be two people."""
    actor = entry["actor"]
    return shown(actor.get("realm") or ("client" if actor.get("client") else "machine"))


def who(entry: Entry) -> str:
    """Whoever acted, by the best name there is."""
    actor = entry["actor"]
    if actor.get("name"):
        return person(entry) or shown(actor["name"])
    found = next((actor[name] for name in ("client", "subject", "certificate") if actor.get(name)), "")
    return shown(found or ("connector" if actor.get("role") == "connector" else "(not known)"))


def host(entry: Entry) -> str:
    """Where from: the address without its port."""
    address = shown(entry["actor"].get("address", ""))
    before, colon, port = address.rpartition(":")
    return before if colon and port.isdigit() and before else address


def cell(value: str | int) -> str:
    """A field of CSV that no spreadsheet takes for a formula."""
    text = shown(value)
    return harmless(text) if isinstance(value, str) else text
