"""Who saw or looked for what messages say, and what else people did, each with the reason that was given."""

from __future__ import annotations

from typing import Final

from audit.review.plain import Entry, because, partner, person, shown, who
from audit.review.report import Section, table
from audit.review.tally import Tally

VIEWED: Final = "operator:content:viewed"
SEARCHED: Final = "operator:content:searched"
LOOKS: Final = frozenset({VIEWED, SEARCHED})
_ACTS: Final = ("operator:", "conflict:decided")
_LEAD: Final = (
    "The reason is what the person gave before anything was shown; without one nothing is. Alike lines of "
    "one person are put together. A patient is a pseudonym that only this site's key makes of an identifier.",
)


class Content:
    """Views and searches, and the acts of people."""

    def __init__(self) -> None:
        self.looks, self.acts = Tally(keeps=1), Tally(keeps=1)

    def wants(self, tag: str) -> bool:
        """What people do to messages and links."""
        return tag.startswith(_ACTS)

    def see(self, entry: Entry) -> None:
        """One entry of the period."""
        if entry["outcome"] != "success":
            return  # see the refused
        glass = "yes" if entry["actor"].get("emergency") is True else "no"
        name = person(entry) or who(entry)
        if entry["tag"] in LOOKS:
            self.looks.add((name, _looked(entry), partner(entry), because(entry), glass), entry)
        else:
            self.acts.add((name, entry["tag"], partner(entry), because(entry), glass), entry)

    def section(self) -> Section:
        """In the order in which they began."""
        end = ("Link", "Reason given", "By broken glass", "Times", "First", "Last")
        tables = (
            table(
                "Content that was seen or looked for",
                ("Person", "What", *end),
                self.looks.rows(),
                self.looks.note,
            ),
            table(
                "What else people did to messages and links",
                ("Person", "Act", *end),
                self.acts.rows(),
                self.acts.note,
            ),
        )
        return Section("content", "Content views, searches and acts of people", _LEAD, tables)


def _looked(entry: Entry) -> str:
    what = entry["object"]
    if entry["tag"] == VIEWED:
        return f"saw the content of a {shown(what.get('kind', 'message'))}"
    return f"looked for {shown(what.get('kind', 'identifier'))} {shown(what.get('pseudonym', ''))}"


def patients(entry: Entry) -> list[str]:
    """The pseudonyms of whom an entry is about, as far as it says so; else of what was looked for."""
    what = entry["object"]
    named = what.get("patient") or []
    found = [named] if isinstance(named, str) else list(named)
    if not found and isinstance(what.get("pseudonym"), str):
        found.append(what["pseudonym"])
    return [shown(one) for one in dict.fromkeys(found)]
