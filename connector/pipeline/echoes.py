"""What came from one side is not sent back to it: our own words, told to us again.

The FHIR side tells of every version, also of those that our deliveries made; a v2 system may broadcast what
it was told. Neither is a change of theirs.
"""

from __future__ import annotations

from typing import Final

from connector.hl7v2.tree import Message
from connector.pipeline.changes import Change
from connector.pipeline.versions import Seen

_OF_THE_SENDER: Final = frozenset({"MSH", "SFT", "UAC", "EVN"})  # about the message, not about the patient


def of_our_write(change: Change, last: Seen | None) -> bool:
    """Whether the FHIR side tells of a version that one of our deliveries made, however late it does.

    ``last``: the resource as last seen there, with the versions that were ours.
    """
    if last is None or change.resource is None:
        return False
    return str((change.resource.get("meta") or {}).get("versionId", "")) in last.ours


def of_our_message(message: Message, prior: str, sends_as: str) -> bool:
    """Whether a v2 message says nothing but what we said to its sender last.

    ``prior``: the last message of its family about the same; ``sends_as``: MSH-3.1 of ours.
    """
    ours = Message.parse(prior)
    said = ours.get("MSH-3.1") == sends_as and ours.trigger_event == message.trigger_event
    return said and _content(ours) == _content(message)


def _content(message: Message) -> list[str]:
    return [str(segment) for segment in message.segments if segment.name not in _OF_THE_SENDER]
