"""Whatever an entry says, both forms of its event are well formed, and say it exactly in their details."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import xmlschema
from fhir.resources.R4B.auditevent import AuditEvent
from hypothesis import given, settings
from hypothesis import strategies as st

import audit
from audit import atna, balp, balp_rules, parties
from audit.canonical import GREATEST
from audit.entry import Tag
from audit.parties import Source
from tests.audit.bare import bare

SCHEMA: Final = xmlschema.XMLSchema10(Path(audit.__file__).parent / "atna.xsd")
TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)  # canonical JSON has no halves
WORDS: Final = st.one_of(TEXT, st.sampled_from(["10.0.0.1:99", "[::1]:5", "x", " ", "\n", "urn:x", "\x00"]))
VALUES: Final = st.one_of(WORDS, st.booleans(), st.integers(-GREATEST, GREATEST), st.lists(WORDS, max_size=4))
ACTOR: Final = st.fixed_dictionaries(
    {"role": st.sampled_from(["connector", "peer", "partner", "client", "operator"])},
    optional=dict.fromkeys(("certificate", "subject", "address", "client", "name", "realm", "session"), WORDS)
    | {"emergency": st.booleans()},
)
OBJECT: Final = st.fixed_dictionaries(
    {},
    optional={
        "link": WORDS,
        "kind": WORDS,
        "pseudonym": WORDS,
        "resource": WORDS,
        "interaction": st.sampled_from(["create", "update", "transaction"]),
        "patient": st.lists(WORDS, max_size=3),
        "records": st.lists(st.integers(1, 9), max_size=3),
        "because": WORDS,
        "lost": st.lists(WORDS, max_size=9),
    },
)
ENTRIES: Final = st.builds(
    lambda tag, actor, what, outcome, reason, correlation, rest: bare(
        tag,
        actor=actor,
        object=rest | what,
        outcome=outcome,
        reason=reason,
        correlation=correlation,
    ),
    st.sampled_from(sorted(map(str, Tag))),
    ACTOR,
    OBJECT,
    st.sampled_from(["success", "refused", "failure"]),
    WORDS,
    WORDS,
    st.dictionaries(st.sampled_from(["size", "count", "element", "what", "before"]), VALUES, max_size=3),
)


def _wanted(entry: dict[str, Any]) -> list[tuple[str, str]]:
    return list(parties.details(entry, bytes(32)))[2:]  # beside the number and the hash


@settings(max_examples=150, deadline=None)
@given(ENTRIES, WORDS, WORDS)
def test_any_entry_is_a_valid_message(entry: dict[str, Any], site: str, host: str) -> None:
    root = ET.fromstring(atna.message(entry, Source(site, host)))  # noqa: S314 - our own
    SCHEMA.validate(root)
    said = [(one.get("type", ""), b64decode(one.get("value", ""))) for one in root.iter(_DETAIL)]
    wanted = [(kind, value.encode("utf-8")) for kind, value in _wanted(entry)]
    assert said[-len(wanted) :] == wanted


_DETAIL: Final = "ParticipantObjectDetail"


def _empty(value: Any, path: str = "") -> list[str]:
    """Where there is an empty text, list or object: FHIR has none."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return [one for key, inner in pairs for one in _empty(inner, f"{path}.{key}")] or [path] * (not value)
    return [path] * (value == "")


@settings(max_examples=150, deadline=None)
@given(ENTRIES, WORDS, WORDS)
def test_any_entry_is_a_valid_event(entry: dict[str, Any], site: str, host: str) -> None:
    for event in balp.events_of(entry, Source(site, host)):
        AuditEvent.model_validate(json.loads(json.dumps(event)))
        assert balp_rules.broken(event) == []
        assert _empty(event) == []
        said = [
            one.get("valueString") or b64decode(one["valueBase64Binary"]).decode("utf-8")
            for one in event["entity"][-1]["detail"]
        ]
        assert said[2:] == [value for _, value in _wanted(entry)]
