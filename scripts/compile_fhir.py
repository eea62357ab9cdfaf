"""Compile the official FHIR R4 definitions (CC0) into connector/fhir/elements.json.

    python scripts/compile_fhir.py EXAMPLES EXPANSIONS > connector/fhir/elements.json

EXAMPLES and EXPANSIONS are the unpacked folders of the npm packages ``hl7.fhir.r4.examples`` 4.0.1 (it holds
every StructureDefinition, ValueSet and CodeSystem) and ``hl7.fhir.r4.expansions`` 4.0.1. The output is the
same for the same input; nothing of this runs with the connector.

One line per type, one text per element: ``TYPE[MARK][ =VALUESET][ ~CHOICE]``. TYPE is a datatype, a
backbone element (``Patient.contact``), ``Resource`` or ``Reference(Patient|Group)``; MARK is ``!`` (1..1),
``*`` (0..*) or ``+`` (1..*), and nothing for 0..1; CHOICE is the element that several types share
(``value`` for ``valueQuantity``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKS = {("0", "1"): "", ("1", "1"): "!", ("0", "*"): "*", ("1", "*"): "+"}
BACKBONES = ("BackboneElement", "Element")
TOO_OPEN = 300  # a value set with more codes than this is a terminology, not an enumeration


def definitions(folder: Path) -> Iterator[dict[str, Any]]:
    """Every StructureDefinition of a type (no profiles, no logical models)."""
    for path in sorted(folder.glob("StructureDefinition-*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.get("derivation", "specialization") == "specialization" and found["kind"] in (
            "resource",
            "complex-type",
        ):
            yield found


def value_sets(folder: Path) -> dict[str, list[str]]:
    """The codes of every value set that has a full expansion."""
    found = {}
    for path in sorted(folder.glob("ValueSet-*.json")):
        valueset = json.loads(path.read_text(encoding="utf-8"))
        codes = list(expanded(valueset.get("expansion", {}).get("contains", [])))
        if codes and len(codes) <= TOO_OPEN:
            found[valueset["url"]] = sorted(set(codes))
    return found


def expanded(contains: list[dict[str, Any]]) -> Iterator[str]:
    for one in contains:
        if "code" in one and not one.get("abstract"):
            yield one["code"]
        yield from expanded(one.get("contains", []))


def type_name(element: dict[str, Any], kind: dict[str, Any]) -> str:
    code: str = kind["code"]
    if code.startswith("http://hl7.org/fhirpath/System."):
        return "string"  # the id of an element and the url of an extension
    if code in BACKBONES and "contentReference" not in element:
        return str(element["path"])
    targets = [profile.rsplit("/", 1)[1] for profile in kind.get("targetProfile", [])]
    return (
        f"{code}({'|'.join(targets)})"
        if code == "Reference" and targets and targets != ["Resource"]
        else code
    )


def rows(element: dict[str, Any], codes: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """(JSON name, text) of one ElementDefinition: several for a choice of types."""
    name = element["path"].rsplit(".", 1)[1]
    mark = MARKS["1" if element["min"] else "0", "1" if element["max"] == "1" else "*"]
    if "contentReference" in element:
        yield name, element["contentReference"].lstrip("#") + mark
        return
    binding = element.get("binding", {})
    url = binding.get("valueSet", "").split("|")[0]
    for kind in element["type"]:
        text = type_name(element, kind) + mark
        if kind["code"] == "code" and binding.get("strength") == "required" and url in codes:
            text += " =" + url.rsplit("/", 1)[1]
        if name.endswith("[x]"):
            yield name[:-3] + kind["code"][0].upper() + kind["code"][1:], f"{text} ~{name[:-3]}"
        else:
            yield name, text


def compiled(examples: Path, expansions: Path) -> dict[str, Any]:
    codes = value_sets(expansions)
    types: dict[str, dict[str, str]] = {}
    resources = []
    for definition in definitions(examples):
        if definition["kind"] == "resource" and not definition["abstract"]:
            resources.append(definition["type"])
        for element in definition["snapshot"]["element"]:
            owner = element["path"].rpartition(".")[0]
            if owner and element["max"] != "0":
                types.setdefault(owner, {}).update(rows(element, codes))
        if definition["kind"] == "resource":
            types[definition["type"]]["id"] = "id"
    return {"resources": sorted(resources), "types": types, "codes": used(types, codes)}


def used(types: dict[str, dict[str, str]], codes: dict[str, list[str]]) -> dict[str, list[str]]:
    """The value sets that an element names."""
    words = {word for texts in types.values() for text in texts.values() for word in text.split()}
    tables = {url.rsplit("/", 1)[1]: members for url, members in codes.items()}
    return {name: members for name, members in tables.items() if f"={name}" in words}


def main() -> None:
    table = compiled(Path(sys.argv[1]), Path(sys.argv[2]))
    lines = [f'"resources":{json.dumps(table["resources"])}']
    for part in ("types", "codes"):
        inner = ",\n".join(f"{json.dumps(key)}:{json.dumps(table[part][key])}" for key in sorted(table[part]))
        lines.append(f'"{part}":{{\n{inner}\n}}')
    sys.stdout.write("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
