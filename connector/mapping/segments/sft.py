"""SFT <-> Device, and the Provenance that names it as a source (guide: SFT[Device], MSH[Provenance-Source]).

The first software is the one that made the message; those behind it have handled it since. The first is also
what MessageHeader calls the software of the source (guide: SFT[MessageHeader]).
"""

from __future__ import annotations

from typing import Final

from ..assembly import canonical
from ..datatypes.primitives import date_time
from ..fields import One
from ..lens import Item
from ..places import Json
from ..units import Around
from .evn import recorded, sender
from .rows import Constant, absent, value

_INSTALLED: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Device.version.installDate"
_AUTHOR: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
    "code": "author",
}

SFT_DEVICE = (
    value("SFT-1", "manufacturer"),
    value("SFT-2", "version.0.value"),
    One("SFT-3", "deviceName.0", (Item("1", "name"), Constant({"type": "manufacturer-name"}))),
    value("SFT-4", "modelNumber"),
    value("SFT-5", "note.0.text"),
    One(
        "SFT-6",
        "version.0.extension.0",
        (Item("1", "valueDateTime", date_time), Constant({"url": _INSTALLED})),
    ),
)


def complete_device(node: Json, around: Around) -> None:
    """A version needs a value, whenever it was installed."""
    for version in node.get("version", ()):
        absent(version, "value")


def device_identity(node: Json, around: Around) -> str:
    """A product is all that is said of it."""
    return f"software|{canonical(node)}"


def complete(node: Json, around: Around) -> None:
    """The message has been recorded by who sent it; the first software is its source."""
    header = around.resource("header") or {}
    source = header.get("source", {})
    first = not source.keys() & {"software", "version"}
    for name, location in (("version", "SFT-2"), ("software", "SFT-3")):
        text = around.value(location)
        if first and text and not text.isspace() and text != '""':
            source[name] = text
    node["entity"][0]["role"] = "source" if first else "derivation"
    message = "^".join(filter(None, (around.value(f"MSH-9.{n}") for n in (1, 2, 3))))
    if message:
        node["activity"] = {"coding": [{"display": f"message - {message}"}]}
    node["agent"] = [{"type": {"coding": [dict(_AUTHOR)]}, "who": sender(around)}]
    recorded(node, around)


def identity(node: Json, around: Around) -> str:
    """The message and the software."""
    return f"software|{around.message_key}|{node['entity'][0]['what']['reference']}"


def is_source(node: Json) -> bool:
    """Whether a Provenance names what has handled a message, not an event."""
    return any("what" in one for one in node.get("entity", ()))
