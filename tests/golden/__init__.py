"""Messages written for this project and what they are in FHIR: a change of the maps shows here.

``python -m tests.golden`` writes the expected files anew; read the difference before you commit it.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector.mapping import Translator

FOLDER = Path(__file__).with_name("messages")


def names() -> list[str]:
    """The golden messages, by file name without its end."""
    return sorted(path.stem for path in FOLDER.glob("*.hl7"))


def message(name: str) -> str:
    """A message as it is sent; in the file, a line is a segment."""
    return (FOLDER / f"{name}.hl7").read_text(encoding="utf-8").replace("\n", "\r")


def expected(name: str) -> Path:
    """The file of what a message is in FHIR, and of what is lost."""
    return FOLDER / f"{name}.json"


def written(name: str) -> str:
    """What the expected file holds, from the maps as they are."""
    said = Translator.default().to_fhir(message(name))
    content = {"lost": said.lost, "bundle": said.bundle}
    return json.dumps(content, indent=1, ensure_ascii=False, default=_number) + "\n"


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"decimal {value}"  # JSON's own numbers would lose the digits
    raise TypeError(type(value).__name__)
