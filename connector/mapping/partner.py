"""What a profile binds into the maps: names, code tables, the zone of times without an offset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote

from . import systems
from .codes import CodeTable

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
_LOCAL = "urn:id:"


@dataclass(frozen=True)
class Partner:
    """One partner's names and tables.

    ``namespace`` keeps its resource ids apart from those of other partners. ``authorities``: HD.1 to
    ``Identifier.system``. ``coding_systems``: CWE.3 to ``Coding.system``. ``tables``: code tables that
    stand in for the shipped ones. ``zone``: for times sent without an offset; ``None``: such a time cannot
    be said in FHIR. ``base``: the FHIR endpoint, for ``Bundle.entry.fullUrl``. ``lenses``: what rows were
    bound to it, for those who share them (see ``bound.compile_rows``).
    """

    namespace: str = "default"
    authorities: Mapping[str, str] = field(default_factory=dict)
    coding_systems: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, CodeTable] = field(default_factory=dict)
    zone: tzinfo | None = None
    base: str = "https://connector.invalid/fhir"
    lenses: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def table(self, name: str) -> CodeTable:
        """A code table by name, such as ``HL70001``; the partner's own where it has one."""
        return self.tables.get(name) or CodeTable.load(name)

    @cached_property
    def authority_names(self) -> dict[str, str]:
        """``Identifier.system`` to HD.1."""
        return {system: name for name, system in self.authorities.items()}

    @cached_property
    def _system_names(self) -> dict[str, str]:
        return {uri: name for name, uri in self.coding_systems.items()}

    def system_uri(self, name: str) -> str:
        """The URI of a coding system's v2 name; an unknown name becomes ``urn:id:`` and the name."""
        return self.coding_systems.get(name) or systems.to_uri(name) or local_uri(name)

    def system_name(self, uri: str) -> str:
        """The v2 name of a coding system's URI; without a name, the URI itself."""
        return self._system_names.get(uri) or systems.to_name(uri) or local_name(uri)

    def has_name(self, uri: str) -> bool:
        """Whether a coding system has a name in v2 that the standard or the partner gave it."""
        return uri in self._system_names or systems.to_name(uri) is not None


def local_uri(name: str) -> str:
    """A URI for a name that only the partner knows; a name that is a URI already stays as it is."""
    if name.startswith(("http://", "https://", "urn:")):
        return name
    return f"urn:oid:{name}" if is_oid(name) else _LOCAL + quote(name, safe="")


def local_name(uri: str) -> str:
    """The reverse of ``local_uri``."""
    if uri.startswith(_LOCAL):
        return unquote(uri[len(_LOCAL) :])
    return uri[8:] if uri.startswith("urn:oid:") else uri


def is_oid(text: str) -> bool:
    """Whether a text has the form of an ISO object identifier."""
    arcs = text.split(".")
    return (
        len(arcs) > 2
        and arcs[0] in ("0", "1", "2")
        and all(arc.isascii() and arc.isdigit() and (arc == "0" or arc[0] != "0") for arc in arcs)
    )
