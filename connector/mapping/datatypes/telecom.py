"""XTN <-> ContactPoint (guide: XTN[ContactPoint])."""

from __future__ import annotations

from dataclasses import dataclass

from ..lens import SAID, At, Bound, Case, Codec, Item, OneOf, Row, Unsaid, compile_rows
from ..partner import Partner
from ..places import Comps, Json, comp, write_comp
from ..scope import Scope
from .identifiers import Extension
from .kept import Kept
from .primitives import Code, End, date_time, positive

_SD = "http://hl7.org/fhir/StructureDefinition/"


def period(start: str, end: str) -> At:
    """The dates from and until which a name, an address or a number holds."""
    return At("period", (Item(start, "start", date_time), End(end, date_time)))


_PARTS = {
    "5": "contactpoint-country",
    "6": "contactpoint-area",
    "7": "contactpoint-local",
    "8": "contactpoint-extension",
}
_URLS = tuple(_SD + name for name in _PARTS.values())


@dataclass(frozen=True, slots=True)
class Number:
    """XTN.5 to XTN.8 <-> ``value``, the parts in extensions so that they find their places again."""

    def compile(self, partner: Partner) -> Bound:
        rows = compile_rows(tuple(Extension(at, _SD + name) for at, name in _PARTS.items()), partner)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            if scope.plain:
                return _plainly(comps, node)
            unsaid = rows.get([""] * 4 + comps[4:8], node, scope)
            if value := _value(node):
                node["value"] = value
            return unsaid

        return Bound(
            rows.put,
            whole=get,
            reads=frozenset({4, 5, 6, 7}),
            elements=frozenset({"value", "extension"}),
            marks=rows.marks,
        )


def _plainly(comps: Comps, node: Json) -> Unsaid | None:
    """The usual case: parts that can be taken as they are."""
    sent = comps[4:8]
    unsaid = [str(at) for at, text in enumerate(sent, 5) if text.isspace()]
    if unsaid:
        sent = ["" if text.isspace() else text for text in sent]
    parts = [{"url": url, "valueString": text} for url, text in zip(_URLS, sent) if text]
    if parts:
        node["extension"] = parts
        if len(sent) > 3 and sent[3]:
            sent[3] = f"x{sent[3]}"
        node["value"] = " ".join([text for text in sent if text])
    return unsaid or None


def _value(node: Json) -> str:
    """The number that the extensions say, as one text."""
    extensions = (one for one in node.get("extension", ()) if isinstance(one, dict))
    parts = {str(one.get("url")): str(one.get("valueString") or "") for one in extensions}
    said = [parts[url] for url in _URLS[:3] if parts.get(url)]
    if extension := parts.get(_URLS[3]):
        said.append(f"x{extension}")
    return " ".join(said)


_NET = "NET"  # says no more of an address than that it is one of the net


def _mail_use(partner: Partner) -> Codec:
    codec = Code("HL70201")(partner)
    return Codec(
        lambda sent: codec.to_fhir(sent) or (SAID if sent == _NET else None), codec.to_v2, silent=True
    )


@dataclass(frozen=True, slots=True)
class MailUse:
    """XTN.2 of an e-mail address <-> ``use``; one without a use is written as an address of the net."""

    def compile(self, partner: Partner) -> Bound:
        inner = Item("2", "use", _mail_use).compile(partner)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            unreached = target and "value" not in target
            if target.get("use") or base or unreached:
                inner.put(target, base, comps, scope)
            else:
                write_comp(comps, 1, _NET)

        return inner._replace(put=put)


def _mail_system(_: Partner) -> Codec:
    """XTN.3 of an e-mail address; what else senders write there is not the system of XTN.4."""
    return Codec(
        lambda sent: "email" if sent in _MAIL else None, lambda value: _MAIL[0] if value == "email" else None
    )


_MAIL = ("Internet", "X.400")
_NOTHING = ("", '""')
_XTN_COMMON: tuple[Row, ...] = (
    period("13", "14"),
    Item("18", "rank", positive),
)
_USE = Kept(Item("2", "use", Code("HL70201")), "HL70201", under="_use")
_SYSTEM = Kept(Item("3", "system", Code("HL70202")), "HL70202", under="_system")
_MAIL_USE = Kept(MailUse(), "HL70201", under="_use")
_MAIL_SYSTEM = Kept(Item("3", "system", _mail_system), "HL70202", under="_system")


def _mail(comps: Comps) -> bool:
    if len(comps) < 4 or comps[3] in _NOTHING:
        return False
    return comps[2] in _MAIL or not (comp(comps, 0) or comp(comps, 6) or comp(comps, 11))


def _parted(comps: Comps) -> bool:
    return len(comps) > 6 and comps[6] not in _NOTHING and not comp(comps, 0) and not comp(comps, 11)


def _mail_in(at: str) -> Case:
    """An e-mail address where a number belongs, called one by XTN.3: understood, not written."""
    component = int(at) - 1

    def when(comps: Comps) -> bool:
        first = not component or not comp(comps, 0)
        return first and bool(comp(comps, component)) and comp(comps, 2) in _MAIL

    rows = (*_XTN_COMMON, _MAIL_USE, _MAIL_SYSTEM, Item(at, "value"))
    return Case(rows, when, tag=_EMAIL, writes=False)


_EMAIL = {"system": "email"}
_PHONE = {"system": "phone"}

XTN_CONTACTPOINT: tuple[Row, ...] = (
    OneOf(
        (
            Case(
                (*_XTN_COMMON, _MAIL_USE, _MAIL_SYSTEM, Item("4", "value")),
                _mail,
                says=lambda node: not _value(node),
                tag=_EMAIL,
            ),
            Case(
                (*_XTN_COMMON, _USE, _SYSTEM, Number()),
                _parted,
                says=lambda node: bool(_value(node)) and _value(node) == node.get("value"),
                default=_PHONE,
            ),
            *(_mail_in(at) for at in ("1", "12")),
            Case(
                (*_XTN_COMMON, _USE, _SYSTEM, Item("12", "value")),
                lambda comps: bool(comp(comps, 11)) and not comp(comps, 0),
                default=_PHONE,
                writes=False,
            ),
            Case((*_XTN_COMMON, _USE, _SYSTEM, Item("1", "value")), default=_PHONE),
        )
    ),
)
