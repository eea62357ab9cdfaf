"""The rows of ``audit.events`` in words, for documents."""

from __future__ import annotations

from typing import Final, NamedTuple

from audit.codes import Code
from audit.events import EVENTS, INTERACTIONS, OF_A_PATIENT, Participant, Party, Pattern

_PARTIES: Final = {
    Party.SELF: "this application",
    Party.PEER: "the other end",
    Party.PERSON: "the person",
    Party.SITE: "the site",
}


class Described(NamedTuple):
    """One event, a cell of a table each."""

    event: str  # EventID: "Import (110107, DCM)"
    action: str  # EventActionCode
    kinds: str  # EventTypeCode, beside the tag itself
    participants: str  # who, in which role; the first one asked for it
    subject: str  # what it was done to, and the stage of its life cycle
    failing: str  # EventOutcomeIndicator of what was refused or failed
    balp: str  # the profile of an event about a patient, and of one about none


def described(tag: str) -> Described:
    """The row of a tag in words. Raises ``KeyError``."""
    row = EVENTS[tag]
    lifecycle = f", stage {row.lifecycle}" if row.lifecycle else ""
    return Described(
        event=_coded(row.id),
        action=row.action,
        kinds=", ".join(map(_coded, row.types)),
        participants="; ".join(map(_participant, row.shape)),
        subject=f"{row.subject.name} (role {row.subject.role.code}{lifecycle})",
        failing=str(row.failing),
        balp=_profiles(tag, row.patterns),
    )


def _coded(code: Code) -> str:
    return f"{code.display.removesuffix(' Record Lifecycle Event')} ({code.code}, {code.system.name})"


def _participant(one: Participant) -> str:
    return f"{_PARTIES[one.party]} as {one.role.display.removesuffix(' Role ID').lower()}"


def _profiles(tag: str, patterns: tuple[Pattern | None, Pattern | None]) -> str:
    """``PatientRead; without a patient Read``."""
    about, alone = patterns
    said = [str(about)] if about else []
    said += [f"without a patient {alone}"] if alone else []
    if tag == "message:fhir:received":
        said += [
            f"{OF_A_PATIENT[basic]} or {basic} for one resource to {interaction}"
            for interaction, basic in INTERACTIONS.items()
        ]
    return "; ".join(said)


def atna(tag: str) -> str:
    """The event of ATNA in one cell: event, action, kinds."""
    said = described(tag)
    return f"{said.event}, {said.action}" + (f"; {said.kinds}" if said.kinds else "")


def balp(tag: str) -> str:
    """What its AuditEvent keeps of BALP in one cell."""
    return described(tag).balp or "none"
