"""What operators may ask over HTTPS: every query and body is of one of these forms, and of nothing else.

Unknown names, names that come twice and values of another form are refused; what a refusal says names the
place and what is taken there, and holds nothing of what was sent.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from connector.errors import OperatorError
from connector.fhir import json as fjson
from connector.pipeline.operate import BECAUSE

MOST: Final = 500  # what one page lists, and numbers named at once
REPLAYED: Final = 1000  # messages put back by one request

Because = Annotated[str, Meta(max_length=BECAUSE, pattern=r"^(?=.*\S)[^\x00-\x1f\x7f-\x9f]+\Z")]
Moment = Annotated[dt.datetime, Meta(tz=True)]  # RFC 3339, with its zone
Number = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Numbers = Annotated[tuple[Number, ...], Meta(max_length=MOST)]
Page = Annotated[int, Meta(ge=1, le=MOST)]
Behind = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Target = Literal["fhir", "v2", "answer"]
Form = TypeVar("Form", bound=Struct)

_AT: Final = re.compile(r"at `\$\.?([a-z0-9_.\[\]]+)`\Z")


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


class Ways(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link and a direction; all where none is named."""

    link: str | None = None
    to: Target | None = None


class Lanes(Ways, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lanes in which something waits, of each link and direction at most ``limit``."""

    limit: Page = 100


class Refused(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who was not let in within so many hours."""

    hours: Annotated[int, Meta(ge=1, le=24 * 31)] = 24
    limit: Page = 100


class Listing(Ways, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page of messages; ``after``: the number behind which to go on."""

    reason: str = ""
    kind: str = ""
    since: Moment | None = None
    until: Moment | None = None
    limit: Page = 50
    after: Behind = 0


class Messages(Listing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Received messages in a state."""

    state: Literal["dead", "waiting", "translated", "delivered", "replaced"] = "dead"


class Deliveries(Listing, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Made messages in a state."""

    state: Literal["dead", "refused", "queued", "sending", "delivered", "replaced"] = "dead"


class Conflicts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page of conflicts."""

    link: str | None = None
    state: Literal["held", "lost", "v2", "fhir"] = "held"
    limit: Page = 50
    after: Behind = 0


class Reason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why; the audit trail keeps it, so nothing of a patient belongs there."""

    because: Because


Identifier = Annotated[str, Meta(min_length=1, max_length=250)]


class Search(Reason, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom or what messages are about: one of the four, as `ID` or `ID^^^AUTHORITY`."""

    mrn: Identifier | None = None
    account: Identifier | None = None
    accession: Identifier | None = None
    control_id: Identifier | None = None
    limit: Page = 50
    after: Behind = 0


class Export(Reason, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A time of the audit log, or a filter over it: one link, one patient as `ID^^^AUTHORITY`, a tag or its
    first parts."""

    since: Moment | None = None
    until: Moment | None = None
    partner: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    patient: Identifier | None = None
    tag: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class Replay(Ways, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is put back: by number, all dead letters, or by where it stands and what it is."""

    because: Because
    messages: Numbers = ()
    deliveries: Numbers = ()
    dead: bool = False
    state: Literal["dead", "refused", "delivered"] | None = None
    reason: str = ""
    kind: str = ""
    since: Moment | None = None
    until: Moment | None = None
    limit: Annotated[int, Meta(ge=1, le=REPLAYED)] = REPLAYED


class Edit(Reason, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A corrected copy, in base64, of a received message or of a made one."""

    content: bytes
    message: Number | None = None
    delivery: Number | None = None


class Skip(Reason, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A refused delivery that is to stop its lanes no longer."""

    delivery: Number


class Pause(Reason, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goes out of a link or of one direction, or what comes in."""

    link: str
    to: Target | None = None
    intake: bool = False


class Emergency(Reason, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long an emergency is to last; as long as the settings allow where it is left out."""

    minutes: Number | None = None


class Drain(Reason, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link whose intake is closed until what it has is delivered."""

    link: str


class Decide(Reason, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose change stands."""

    winner: Literal["v2", "fhir"]


def query(form: type[Form], parameters: Iterable[tuple[str, str]]) -> Form:
    """The query of an address. Raises ``OperatorError``."""
    listed = list(parameters)
    named = dict(listed)
    if len(named) != len(listed):
        raise OperatorError("a parameter comes twice", fix=_taken(form), location="http.url")
    return _made(form, named, "http.url", strict=False)


def body(form: type[Form], content: bytes) -> Form:
    """The body of a request. Raises ``InvalidJson``, ``OperatorError``."""
    return _made(form, fjson.loads(content), "http.body", strict=True)


def _made(form: type[Form], value: Mapping[str, Any] | Any, where: str, *, strict: bool) -> Form:
    try:
        return msgspec.convert(value, form, strict=strict)
    except msgspec.ValidationError as error:
        place = _AT.search(str(error))
    location = f"{where}.{place[1]}" if place else where
    raise OperatorError("this is not what is taken here", fix=_taken(form), location=location)


def _taken(form: type[Struct]) -> str:
    needed = [one.encode_name for one in msgspec.structs.fields(form) if one.required]
    other = [one.encode_name for one in msgspec.structs.fields(form) if not one.required]
    said = [f"needed: {', '.join(needed)}"] if needed else []
    said += [f"may be given: {', '.join(other)}"] if other else []
    return "; ".join(said) or "send it without parameters"
