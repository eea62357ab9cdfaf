"""AIS, AIG, AIL, AIP <-> what an Appointment is for, who and what takes part (guide: AIS[Appointment])."""

from __future__ import annotations

from ..datatypes.coded import Concept
from ..datatypes.durations import Lasting, later, seconds
from ..datatypes.kept import Kept
from ..datatypes.primitives import Code
from ..datatypes.references import Place, practitioner
from ..fields import Field, One
from ..lens import Codec, Item
from ..partner import Partner
from ..places import Json, includes
from ..units import Around, Complete
from .rows import absent
from .sch import CONTACTS, settle


def system_name(partner: Partner) -> Codec:
    """The name of a coding system <-> its URI (guide: CWE[Identifier])."""
    return Codec(
        lambda sent: partner.system_uri(sent) if sent.strip() else None,
        lambda uri: partner.system_name(uri) if isinstance(uri, str) else None,
    )


def _status(at: str) -> One:
    row = Item("1", "status", Code("HL70278-participant"))
    return One(at, "", (Kept(row, "HL70278", under="_status"),))


AIS_SERVICETYPE = (One("AIS-3", "", (Concept(),)), Lasting("AIS", 4, 7, 8))

AIG_PARTICIPANT = (
    One(
        "AIG-3",
        "actor",
        (Item("1", "identifier.value"), Item("2", "display"), Item("3", "identifier.system", system_name)),
    ),
    Field("AIG-4", "type", (Concept(),), most=1),
    Lasting("AIG", 8, 11, 12),
    _status("AIG-14"),
)

AIL_PARTICIPANT = (
    One("AIL-3", "actor", (Place(""),)),
    Lasting("AIL", 6, 9, 10),
    _status("AIL-12"),
)

AIP_PARTICIPANT = (
    One("AIP-3", "actor", practitioner("")),
    Field("AIP-4", "type", (Concept(),), most=1),
    Lasting("AIP", 6, 9, 10),
    _status("AIP-12"),
)


def _refers(element: Json) -> str:
    return str((element.get("actor") or {}).get("reference", "")).partition("/")[0]


def is_thing(element: Json) -> bool:
    """Whether a participant is something that has no resource of its own: equipment, a group of things."""
    actor = element.get("actor")
    return isinstance(actor, dict) and "reference" not in actor


def is_place(element: Json) -> bool:
    """Whether a participant is a place."""
    return _refers(element) == "Location"


def is_person(element: Json) -> bool:
    """Whether a participant is a person who takes part, and not one whom SCH names."""
    kind = (element.get("type") or [{}])[0]
    named = any(
        includes(kind, one) or str(kind.get("text", "")).startswith(str(one.get("text", "-")))
        for one in CONTACTS
    )
    return _refers(element) == "Practitioner" and not named


_STATUS = {"AIG": 14, "AIL": 12, "AIP": 12}


def complete(node: Json, around: Around) -> None:
    """``status`` is required; what is taken off an appointment (action ``D``) does not take part any more."""
    for name, number in _STATUS.items():
        if around.value(f"{name}-2") == "D":
            node["status"] = "declined"
            node.pop("_status", None)
            around.note(f"{name}-{number}", said=False)
    absent(node, "status")


def starts(segment: str, start: int) -> Complete:
    """What an offset from the time of the appointment means."""
    offset, units = f"{segment}-{start + 1}", f"{segment}-{start + 2}"

    def affects(node: Json, around: Around) -> None:
        begins = (around.resource("appointment") or {}).get("start")
        by = seconds(around.value(offset), around.value(units))
        if "period" not in node and begins and by is not None and (moment := later(begins, by)):
            node["period"] = {"start": moment}
            around.note(offset, units, said=True)

    return affects


def demand(node: Json, around: Around) -> None:
    """A service that is not named is none."""
    if not node.keys() & {"coding", "text"}:
        node.clear()


def serve(node: Json, around: Around) -> None:
    """An appointment that does not say its time has that of its service; its order asks for the service."""
    appointment, order = around.resource("appointment") or {}, around.resource("appointment", 1)
    period = node.pop("period", {})
    lend(appointment, period)
    for at, (end, said) in enumerate(period.items()):
        if appointment.get(end) != said:
            around.note(*(("AIS-7", "AIS-8") if at else ("AIS-4",)), said=False)
    if order is None:
        return
    order.setdefault("code", dict(node))
    if "start" in appointment:
        when = {end: appointment[end] for end in ("start", "end") if end in appointment}
        order.setdefault("occurrencePeriod", when)


def lend(appointment: Json, period: Json) -> None:
    """Give an appointment without a time that of what it is for."""
    start = period.get("start", "")
    if "start" in appointment or "T" not in start:
        return
    appointment.pop("_start", None)
    appointment["start"] = start
    if "end" not in appointment:
        appointment.pop("_end", None)
        if "end" in period:
            appointment["end"] = period["end"]
    settle(appointment)
