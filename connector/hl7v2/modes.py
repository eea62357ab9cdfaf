"""Which acknowledgments a sender asks for (HL7 v2.5.1 sections 2.9.2 and 2.9.3; table 0155).

Where MSH-15 and MSH-16 are both empty the original mode rules: one answer, AA, AE or AR. Where one of them
is valued the enhanced mode does: an accept acknowledgment (CA, CE, CR) at once, as MSH-15 says, and an
application acknowledgment (AA, AE, AR) after processing, as MSH-16 says. A message that is not accepted is
never processed: where MSH-15 wants to hear nothing of that and MSH-16 does, the application acknowledgment
says it, at once.
"""

from __future__ import annotations

from typing import Final, Literal

Answers = Literal["by-message", "original", "enhanced"]
"""A profile's word: as the message asks, or always in one mode."""

COMMIT: Final = {"AA": "CA", "AE": "CE", "AR": "CR"}
"""The accept acknowledgment that says the same as an application acknowledgment."""

_ALWAYS: Final = frozenset({"AA", "AE", "AR"})
_CONDITIONS: Final = {
    "AL": _ALWAYS,
    "ER": frozenset({"AE", "AR"}),
    "SU": frozenset({"AA"}),
    "NE": frozenset[str](),
}
ACKNOWLEDGMENTS: Final = frozenset({"ACK", "MCF"})
"""Message codes (MSH-9.1) that are acknowledgments themselves, and so get none (MCF: deferred, v2.1-2.2)."""


def at_once(answers: Answers, code: str, accept: str, application: str) -> str:
    """The code to answer with before any processing; "" where this outcome is not to be answered now.

    ``code``: AA, AE or AR; ``accept`` and ``application``: MSH-15 and MSH-16.
    """
    accept, application = _asked(answers, accept, application)
    if _original(answers, accept, application):
        return code
    if code in _wanted(accept):
        return COMMIT[code]
    return code if code != "AA" and code in _wanted(application) else ""


def afterwards(answers: Answers, accept: str, application: str) -> frozenset[str]:
    """The application acknowledgments that are owed after processing: of AA, AE and AR, those wanted."""
    accept, application = _asked(answers, accept, application)
    return frozenset() if _original(answers, accept, application) else _wanted(application)


def _asked(answers: Answers, accept: str, application: str) -> tuple[str, str]:
    accept, application = (text.strip().strip('"').upper() for text in (accept, application))  # "": null
    return (accept or "AL" if answers == "enhanced" else accept), application


def _original(answers: Answers, accept: str, application: str) -> bool:
    return answers == "original" or not (accept or application)


def _wanted(condition: str) -> frozenset[str]:
    """What an unknown word asks for is everything: nobody is left waiting for an answer."""
    return _CONDITIONS.get(condition or "NE", _ALWAYS)
