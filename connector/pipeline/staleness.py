"""An update that is older than what is known: found by when the partner says that it happened.

EVN-2 says when the event happened, MSH-7 when the message was made (HL7 v2.5.1 sections 3.4.1.2, 2.15.9.7).
Only messages of one family are compared, and only by the resources that they are about: a laboratory's clock
says nothing about admissions.
"""

from __future__ import annotations

import datetime as dt

from connector.errors import StaleUpdate
from connector.hl7v2.times import dtm_to_fhir
from connector.hl7v2.tree import Message


def told_at(message: Message, zone: dt.tzinfo | None) -> dt.datetime | None:
    """When it happened, to the second; None where the message does not say.

    ``zone``: of times that are sent without an offset; without one they are compared as if they were of UTC.
    """
    for location in ("EVN-2.1", "MSH-7.1"):
        said = dtm_to_fhir(message.get(location).strip(), zone or dt.UTC)
        if said is not None and "T" in said:
            return dt.datetime.fromisoformat(said)
    return None


def check(told: dt.datetime | None, known: dt.datetime | None, *, refuse: bool) -> bool:
    """Whether an update is older than what is known. Raises ``StaleUpdate`` where it is and ``refuse``."""
    stale = told is not None and known is not None and told < known
    if stale and refuse:
        raise StaleUpdate(
            "the message tells of something older than what is known",
            fix="look at both; send it again as a new event if it is right",
            location="EVN-2",
        )
    return stale
