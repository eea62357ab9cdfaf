"""NA <-> SampledData (guide: NA[SampledData]); a repetition is a row of several values at one time.

v2 says neither how long a sample takes nor where zero lies: ``period`` says that it is not known, ``origin``
has the units and no value.
"""

from __future__ import annotations

from typing import Any

from ..lens import Codec
from ..places import Json

_ABSENT = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    ]
}


def said_samples(rows: list[list[str]], number: Codec, units: Json) -> Json | None:
    """Rows of numbers as SampledData; ``None`` where they are no numbers or not equally long."""
    width = len(rows[0])
    if any(len(row) != width for row in rows) or any(
        number.to_fhir(one) is None or one.startswith("+") for row in rows for one in row
    ):
        return None
    return {
        "origin": dict(units) or dict(_ABSENT),
        "_period": dict(_ABSENT),
        "dimensions": width if len(rows) > 1 else 1,
        "data": " ".join(one for row in rows for one in row),
    }


def written_samples(samples: Any) -> list[list[str]]:
    """SampledData as rows of numbers; a single row of one dimension stands in one repetition."""
    data = samples.get("data") if isinstance(samples, dict) else None
    values = data.split(" ") if isinstance(data, str) else []
    width = samples.get("dimensions", 1) if values else 1
    if not isinstance(width, int) or width < 2 or len(values) % width:
        return [values] if values else []
    return [values[at : at + width] for at in range(0, len(values), width)]
