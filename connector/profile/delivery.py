"""The section ``[delivery]``: in which lanes messages go out, how many at once, and what a refusal does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connector.profile.section import Count, Section
from connector.profile.windows import Windows


class DeliveryRules(Section):
    """How what was translated goes out, in both directions."""

    lane: Literal["link", "patient"] = "link"
    """What keeps its order: every message of the link and direction behind the one before, or those of
    each patient. A message about two patients, such as a merge, stands in the lanes of both."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 8
    """How many lanes are sent from at once."""
    on_refusal: Literal["step over", "stop"] = "step over"
    """What a message does that the partner will never take: it becomes a dead letter and the lane goes on
    (`step over`), or its lane stops until a person decides (`stop`)."""
    breaker_failures: Count = 5
    """After how many failures in a row that are of the whole partner nothing but one probe at a time goes
    out, until one gets through."""
    windows: Windows = Field(default_factory=Windows)
    """When messages go out."""
    keep_done_days: Annotated[int, Field(ge=0, le=36_500)] = 0
    """After how many days a message that is done is forgotten, and with it that it was taken; `0`: never.
    What waits, is held, was refused or is a dead letter is never forgotten."""
