"""HL7 v2 over MLLP and FHIR R4 over HTTPS, point to point, both ways.

from connector import Translator
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.profile.translator import Translator

__all__ = ["Translator"]


def __getattr__(name: str) -> object:
    """Imported when first asked for, so that ``import connector`` stays light."""
    if name == "Translator":
        from connector.profile.translator import Translator

        return Translator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
