"""MSA <-> ``MessageHeader.response`` and the OperationOutcome it refers to (guide: MSA[MessageHeader])."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..datatypes.kept import Kept
from ..datatypes.primitives import Code
from ..emit import Leaf
from ..fields import Field, One
from ..lens import Bound, Item
from ..partner import Partner
from ..places import Comps, Json, write_comp
from ..scope import Scope
from ..units import Around, Segments
from .err import ERR_ISSUE
from .rows import DATA_ABSENT, SD, absent

_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}\Z")
_RENDERED: Final = SD + "rendered-value"
_TEXT: Final = {"code": "informational"}


@dataclass(frozen=True, slots=True)
class Answered:
    """A control id <-> ``identifier``; one that is no FHIR id stands beside it, as a text to be shown."""

    def compile(self, partner: Partner) -> Bound:
        def get(sent: str, node: Json) -> bool:
            if _ID.match(sent):
                node["identifier"] = sent
            elif not sent.isspace():
                absence = {"url": DATA_ABSENT, "valueCode": "unsupported"}
                node["_identifier"] = {"extension": [absence, {"url": _RENDERED, "valueString": sent}]}
            return not sent.isspace()

        def said(node: Json) -> str:
            extensions = (node.get("_identifier") or {}).get("extension", ())
            shown = (str(one.get("valueString", "")) for one in extensions if one.get("url") == _RENDERED)
            return str(node.get("identifier") or next(shown, ""))

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if said(target) != said(base):
                write_comp(comps, 0, scope.escape(said(target)))

        return Bound(put, leaves={0: Leaf(get)}, elements=frozenset({"identifier", "_identifier"}))


def is_text(issue: Json) -> bool:
    """Whether an issue is only what MSA-3 says, a text for people."""
    details = issue.get("details")
    return issue.get("code") == "informational" and isinstance(details, dict) and details.keys() == {"text"}


MSA_MESSAGEHEADER = (
    One("MSA-1", "response", (Kept(Item("1", "code", Code("HL70008")), "HL70008", "_code", unknown=False),)),
    One("MSA-2", "response", (Answered(),)),
)
MSA_OUTCOME = (
    Field(
        "MSA-3",
        "issue",
        (Item("1", "details.text"),),
        tag=_TEXT,
        default={"severity": "information"},
        only=is_text,
        most=1,
    ),
    Segments("ERR", "issue", ERR_ISSUE, only=lambda issue: not is_text(issue)),
)


def complete_response(node: Json) -> None:
    """What a response must say of the message it answers."""
    if "response" in node:
        absent(node["response"], "identifier")
        absent(node["response"], "code")


def complete(node: Json, around: Around) -> None:
    """The text of a refusal speaks of an error."""
    if around.value("MSA-1") not in ("AA", "CA"):
        _severity(node, "error")


def undone(node: Json) -> Json:
    """What the rows alone said."""
    issues = [{**one, "severity": "information"} if is_text(one) else one for one in node.get("issue", ())]
    return {**node, "issue": issues} if issues else node


def _severity(node: Json, severity: str) -> None:
    for issue in node.get("issue", ()):
        if is_text(issue):
            issue["severity"] = severity
