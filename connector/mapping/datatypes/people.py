"""XPN, XAD, XTN, XCN, XON <-> HumanName, Address, ContactPoint, Practitioner, Organization."""

from __future__ import annotations

from dataclasses import dataclass

from ..lens import At, Bound, Item, Joint, Nested, Row, Spread, Unsaid, compile_rows
from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from .coded import Concept
from .identifiers import CHECK_DIGIT, CHECK_SCHEME, Authority, Extension
from .kept import Kept
from .primitives import Code, IdentifierType, date_time, ends_before
from .telecom import XTN_CONTACTPOINT as XTN_CONTACTPOINT
from .telecom import period

_SD = "http://hl7.org/fhir/StructureDefinition/"

FN_HUMANNAME: tuple[Row, ...] = (
    Item("1", "family"),
    Extension("2", _SD + "humanname-own-prefix", under="_family"),
    Extension("3", _SD + "humanname-own-name", under="_family"),
    Extension("4", _SD + "humanname-partner-prefix", under="_family"),
    Extension("5", _SD + "humanname-partner-name", under="_family"),
)


@dataclass(frozen=True, slots=True)
class ValidityRange:
    """DR (sub-components) <-> ``period``, where no other component of the repetition says a period."""

    at: str
    unless: tuple[str, ...]

    def compile(self, partner: Partner) -> Bound:
        component = int(self.at) - 1
        others = [int(at) - 1 for at in self.unless]
        codec = date_time(partner)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            if len(comps) <= component or not (sent := comp(comps, component)):
                return None
            if any(comp(comps, at) for at in others):
                return [self.at]
            ends = [
                (end, codec.to_fhir(text), text)
                for end, text in zip(("start", "end"), sent.split(scope.subcomponent))
            ]
            period = {end: value for end, value, _ in ends if value}
            if len(period) > 1 and ends_before(period["start"], period["end"]):
                del period["end"]
            if period:
                node["period"] = period
            return [
                f"{self.at}.{n}" for n, (end, _, text) in enumerate(ends, 1) if text and end not in period
            ] or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if comp(comps, component) and not same(target.get("period"), base.get("period")):
                comps[component] = ""  # the dates of their own say it from now on

        return Bound(put, whole=get, reads=frozenset({component}), elements=frozenset({"period"}))


def _name_type(at: str) -> Row:
    """Table 0200 <-> ``use``; the sender's own code stays where several share one use, or none is its own."""
    return Kept(Item(at, "use", Code("HL70200")), "HL70200", under="_use")


XPN_HUMANNAME: tuple[Row, ...] = (
    Nested("1", FN_HUMANNAME),
    Spread(("2", "3"), "given"),
    Spread(("4", "6", "14"), "suffix"),
    Spread(("5",), "prefix"),
    _name_type("7"),
    ValidityRange("10", ("12", "13")),
    Extension("11", _SD + "humanname-assembly-order", "valueCode", codec=Code("HL70444")),
    period("12", "13"),
)

_LINE_PARTS = ("iso21090-ADXP-streetName", "iso21090-ADXP-houseNumber")


@dataclass(frozen=True, slots=True)
class Lines:
    """Street (SAD.1 of XAD.1), other designation (XAD.2) and addressee (XAD.19) <-> ``line``.

    Street name and house number, which SAD.1 holds too, are extensions of the first line.
    """

    def compile(self, partner: Partner) -> Bound:
        spread = Spread(("1.1", "2", "19"), "line", ", ").compile(partner)
        parts = compile_rows(
            tuple(Extension(at, _SD + name) for at, name in zip(("2", "3"), _LINE_PARTS)), partner
        )
        first = spread.leaves[0]

        def street(sent: str, node: Json, scope: Scope) -> Unsaid | None:
            line, *rest = sent.split(scope.subcomponent)
            said = bool(line) and line != '""' and first.take(scope.unescape(line), node)
            unsaid = ["1"] if line and line != '""' and not said else []
            if not any(rest):
                return unsaid or None
            if not said:
                return unsaid + [str(n) for n, text in enumerate(rest, 2) if text and text != '""']
            inside: Json = {}
            unsaid += parts.get(["", *rest], inside, scope) or []
            if inside:
                node["_line"] = [inside]
            return unsaid or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            spread.put(target, base, comps, scope)
            new, old = (_first_line(node) for node in (target, base))
            if not same(new, old):
                subs = comp(comps, 0).split(scope.subcomponent)
                scope.beware()
                parts.put(new, old, subs, scope)
                write_comp(comps, 0, scope.subcomponent.join(subs).rstrip(scope.subcomponent))

        return Bound(
            put,
            leaves={at: leaf for at, leaf in spread.leaves.items() if at},
            inner={0: street},
            firsts={0: first},
            elements=spread.elements | {"_line"},
        )


def _first_line(node: Json) -> Json:
    lines = node.get("_line")
    return lines[0] if isinstance(lines, list) and lines and isinstance(lines[0], dict) else {}


_KIND = Joint("7", (("use", "HL70190-use"), ("type", "HL70190-type")))

XAD_ADDRESS: tuple[Row, ...] = (
    Lines(),
    Item("3", "city"),
    Item("4", "state"),
    Item("5", "postalCode"),
    Item("6", "country"),
    Kept(_KIND, "HL70190-use", own={"HV": _SD + "iso21090-AD-use"}),
    Item("9", "district"),
    Extension("10", _SD + "iso21090-ADXP-censusTract"),
    ValidityRange("12", ("13", "14")),
    period("13", "14"),
)


@dataclass(frozen=True, slots=True)
class Either:
    """Two components for one element, of which the second counts only where the first is empty."""

    at: str
    old: str
    path: str

    def compile(self, partner: Partner) -> Bound:
        new, old = Item(self.at, self.path).compile(partner), Item(self.old, self.path).compile(partner)
        ((first, take),), ((second, other),) = new.leaves.items(), old.leaves.items()

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            sent, instead = (_leaf(comps, at, scope) for at in (first, second))
            unsaid = [str(first + 1)] if sent and not take.take(sent, node) else []
            if instead and (sent or not other.take(instead, node)):
                unsaid.append(str(second + 1))
            for at in (first, second):
                subs = comp(comps, at).split(scope.subcomponent)[1:]
                unsaid += [f"{at + 1}.{n}" for n, sub in enumerate(subs, 2) if sub]
            return unsaid or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            (old if comp(comps, second) and not comp(comps, first) else new).put(target, base, comps, scope)

        reads = frozenset({first, second})
        return Bound(put, whole=get, reads=reads, elements=frozenset({self.path}))


def _leaf(comps: Comps, at: int, scope: Scope) -> str:
    """The first leaf of a component, unescaped; ``""`` says nothing."""
    text = comp(comps, at)
    if not text or scope.plain:
        return text
    first = text.split(scope.subcomponent)[0]
    return "" if first == '""' else scope.unescape(first)


# A degree (table 0360) is a qualification; as a suffix of the name it could not be told from XCN.5.
DEGREE: Row = Nested("7", (At("qualification.0.code", (Concept("HL70360"),)),))

XCN_NAME: tuple[Row, ...] = (
    Nested("2", FN_HUMANNAME),
    Spread(("3", "4"), "given"),
    Spread(("5", "21"), "suffix"),
    Spread(("6",), "prefix"),
    _name_type("10"),
    ValidityRange("17", ("19", "20")),
    Extension("18", _SD + "humanname-assembly-order", "valueCode", codec=Code("HL70444")),
    period("19", "20"),
)
XCN_IDENTIFIER: tuple[Row, ...] = (
    Item("1", "value"),
    Nested("9", (Authority(),), shared=True),
    Extension("11", CHECK_DIGIT),
    Extension("12", CHECK_SCHEME),
    Item("13", "type", IdentifierType()),
)
XCN_PRACTITIONER: tuple[Row, ...] = (
    At("identifier.0", XCN_IDENTIFIER),
    At("name.0", XCN_NAME),
    DEGREE,
)

XON_IDENTIFIER: tuple[Row, ...] = (
    Extension("4", CHECK_DIGIT),
    Extension("5", CHECK_SCHEME),
    Nested("6", (Authority(),), shared=True),
    Item("7", "type", IdentifierType()),
    Either("10", "3", "value"),
)
XON_ORGANIZATION: tuple[Row, ...] = (Item("1", "name"), At("identifier.0", XON_IDENTIFIER))


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Rows about an address or a number that is at nobody's home (FHIR R4 invariants org-2 and org-3).

    ``at``: the component that would say so.
    """

    at: str
    rows: tuple[Row, ...]

    def compile(self, partner: Partner) -> Bound:
        lens = compile_rows(self.rows, partner)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            unsaid = lens.get(comps, node, scope)
            if node.get("use") != "home":
                return unsaid
            del node["use"]
            return [*(unsaid or ()), self.at]

        return Bound(
            lens.put, whole=get, reads=frozenset(range(32)), elements=lens.elements, marks=lens.marks
        )


ORGANIZATION_ADDRESS: tuple[Row, ...] = (Elsewhere("7", XAD_ADDRESS),)
ORGANIZATION_CONTACTPOINT: tuple[Row, ...] = (Elsewhere("2", XTN_CONTACTPOINT),)
