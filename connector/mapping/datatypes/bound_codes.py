"""A coded value without a table of HL7 <-> the codes that FHIR demands; senders use FHIR's own words."""

from __future__ import annotations

from dataclasses import dataclass

from ..lens import Binder, Bound, Codec, Unsaid
from ..partner import Partner
from ..places import Comps, Json, same
from ..scope import Scope
from .coded import Concept


@dataclass(frozen=True, slots=True)
class Among:
    """A CWE <-> a CodeableConcept of which one coding is of this system (a required binding).

    A code of the sender's own system stands beside it; what has no such code stays unsaid.
    """

    system: str
    codes: frozenset[str]

    def compile(self, partner: Partner) -> Bound:
        inner = Concept().compile(partner)
        look, system, codes = inner.whole, self.system, self.codes
        assert look is not None  # noqa: S101 - Concept looks at the whole

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            said: Json = {}
            unsaid = look(comps, said, scope)
            codings = said.get("coding") or [{}]
            code = str(codings[0].get("code", "")).lower()
            if code not in codes:
                return [str(n) for n, text in enumerate(comps, 1) if text and text != '""']
            if codings[0].get("system", system) == system and codings[0]["code"] == code:
                codings[0]["system"] = system
            else:
                codings.append({"system": system, "code": code})
            node.update(said)
            return unsaid

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if same(target, base):
                return
            codings = [one for one in target.get("coding") or () if isinstance(one, dict)]
            own = [one for one in codings if one.get("system") != system]
            if own and all(_meant(one) == _meant(own[0]) for one in codings):
                codings = own
            inner.put({**target, "coding": codings} if target else {}, {}, comps, scope)

        return Bound(put, whole=get, reads=inner.reads, elements=inner.elements)


def _meant(coding: Json) -> str:
    return str(coding.get("code", "")).lower()


def among(*codes: str) -> Binder:
    """A code of a required binding <-> the same word, in small letters."""
    known = frozenset(codes)

    def codec(_: Partner) -> Codec:
        return Codec(
            lambda sent: sent.lower() if sent.lower() in known else None,
            lambda value: value if value in known else None,
        )

    return codec
