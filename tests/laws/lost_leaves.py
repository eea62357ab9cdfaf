"""The judge of "lost is complete": what may change in v2 without being seen on the FHIR side, nor listed."""

from __future__ import annotations

from connector.hl7v2.tree import Message
from connector.mapping import Translator
from connector.mapping.messages import registry
from tests.laws import oracles

STRUCTURAL = {at for unit in registry.units() for at in unit.structural}


def unlisted(translator: Translator, text: str) -> list[str]:
    """The populated leaves that neither say something in FHIR nor are listed as lost."""
    said = translator.to_fhir(text)
    message = Message.parse(text)
    faults = [entry for entry in said.lost if "-" not in entry and not entry.startswith("line ")]
    for leaf in oracles.leaves(message):
        if f"{leaf.label[:3]}-{leaf.field}" in STRUCTURAL or oracles.covers(said.lost, leaf):
            continue
        faults += [
            f"{leaf.location} {leaf.text!r} -> {fresh!r}"
            for fresh in oracles.others(leaf.text)
            if not _noticed(translator, message, leaf, fresh, said.bundle)
        ]
    return faults


def _noticed(
    translator: Translator, message: Message, leaf: oracles.Leaf, fresh: str, before: oracles.Json
) -> bool:
    after = translator.to_fhir(oracles.mutated(message, leaf, fresh))
    return after.bundle != before or oracles.covers(after.lost, leaf)
