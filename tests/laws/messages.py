"""Messages as senders write them: realistic fields, and what real feeds do to them.

Everything comes from one ``random.Random`` that Hypothesis drives, so that a failing message shrinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from connector.hl7v2.delimiters import Delimiters

FAMILIES = ("Larsen", "Okafor", "d'Ambrosio", "van den Berg", "Núñez", "O^Shea", "Li", "Smith & Sons")
GIVENS = ("Anna", "Bo", "Chidi", "J.", "Zoë", "Mary Ann", "K|M")
WORDS = (
    "Fever",
    "Main St 5",
    "Ward\\8",
    "two  blanks",
    "Oslo",
    "~tilde~",
    " padded ",
    "naïve",
    "line one\nline two",
)
TIMES = (
    "20240818", "202408", "2024", "20240818093000", "202408180930", "2024081809", "20240818093000.1234",
    "20240818093000+0200", "20240818093000-0730", "19991231235959Z", "20241301", "20240230", "yesterday", "00000000",
)  # fmt: skip
NUMBERS = ("1", "0.40", "-3.5", "+7", "1e5", ".5", "120", "007", "twelve")
CODES = ("A", "F", "M", "U", "O", "I", "E", "Y", "N", "H", "L", "C", "MTH", "SPO", "W", "final", "zz", "12-3")
SYSTEMS = ("", "LN", "SCT", "HL70001", "L", "99LAB", "2.16.840.1.113883.6.1", "ICD-10")
AUTHORITIES = (
    "",
    "HOSP",
    "HOSP&1.2.3.4&ISO",
    "&1.2.3.4&ISO",
    "A B",
    "LAB&lab.example&DNS",
    "X&&ISO",
    "N&5b9c&UUID",
)


@dataclass(slots=True)
class Writer:
    """Writes the parts of one message with the sender's delimiters."""

    random: Random
    d: Delimiters

    def one(self, pool: Sequence[str]) -> str:
        return pool[self.random.randrange(len(pool))]

    def chance(self, out_of: int) -> bool:
        return self.random.randrange(out_of) == 0

    def text(self, pool: Sequence[str] = WORDS) -> str:
        """A text of the pool, escaped; seldom nothing, blanks, a delete, or an escape of another kind."""
        kind = self.random.randrange(24)
        e = self.d.escape
        odd = {0: "", 1: "", 2: '""', 3: " ", 4: f"{e}H{e}bold{e}N{e}", 5: f"x{e}X41{e}{e}Zq{e}", 6: "half\\"}
        return odd.get(kind) if kind in odd else self.d.escape_text(self.one(pool))  # type: ignore[return-value]

    def comps(self, *parts: str) -> str:
        return self.d.component.join(parts).rstrip(self.d.component)

    def subs(self, text: str) -> str:
        return text.replace("&", self.d.subcomponent)

    def maybe(self, make: Callable[[], str], out_of: int = 3) -> str:
        return make() if self.chance(out_of) else ""

    def repeated(self, make: Callable[[], str]) -> str:
        count = self.one(("1", "1", "1", "2", "3"))
        return self.d.repetition.join(make() for _ in range(int(count))).rstrip(self.d.repetition)

    # --- datatypes

    def time(self) -> str:
        return self.one(TIMES)

    def code(self) -> str:
        return self.text(CODES)

    def number(self) -> str:
        return self.one(NUMBERS)

    def authority(self) -> str:
        return self.subs(self.one(AUTHORITIES))

    def cwe(self) -> str:
        first = (self.code(), self.maybe(self.text, 2), self.one(SYSTEMS))
        if self.chance(4):
            rest = (
                self.code(),
                self.maybe(self.text),
                self.one(SYSTEMS),
                self.maybe(self.number),
                "",
                self.maybe(self.text),
            )
            return self.comps(*first, *rest, *(("", "", "", "", "1.2.3.4") if self.chance(4) else ()))
        return self.comps(*first)

    def cx(self) -> str:
        kind = self.one(("MR", "DL", "SS", "VN", "", "XYZ", "PI"))
        dates = (self.time(), self.time()) if self.chance(5) else ()
        check = ("4", "M11") if self.chance(8) else ("", "")
        return self.comps(
            self.text(("123", "A-77", "00042", "9 9")),
            *check,
            self.authority(),
            kind,
            self.maybe(self.text, 9),
            *dates,
        )

    def ei(self) -> str:
        return self.comps(
            self.text(("ORD1", "F-22", "X 3")),
            *self.one(("", "LAB", "LAB^1.2.3^ISO", "^1.2.3^ISO")).split("^"),
        )

    def xpn(self) -> str:
        family = self.text(FAMILIES) + (self.subs("&van&Berg") if self.chance(8) else "")
        more = (
            self.maybe(self.text, 6),
            self.maybe(self.text, 6),
            self.maybe(self.text, 6),
            self.one(("", "L", "M", "N", "Q")),
        )
        tail = ("", "", "", "G", self.time(), self.time()) if self.chance(8) else ()
        return self.comps(family, self.text(GIVENS), self.maybe(lambda: self.text(GIVENS)), *more, *tail)

    def xad(self) -> str:
        street = self.text() + (self.subs("&High&5") if self.chance(8) else "")
        tail = ("", self.maybe(self.text), "", "", self.time(), self.time()) if self.chance(6) else ()
        return self.comps(
            street, self.maybe(self.text), self.text(("Oslo", "York")), self.maybe(self.text),
            self.text(("0150", "90 210")), self.code(), self.one(("", "H", "B", "M", "BA", "C")), *tail,
        )  # fmt: skip

    def xtn(self) -> str:
        use, kind = (
            self.one(("", "PRN", "WPN", "NET", "ORN", "??")),
            self.one(("", "PH", "CP", "FX", "Internet", "BP")),
        )
        shape = self.random.randrange(4)
        if shape == 0:
            return self.comps(self.text(("555-1234", "+47 22 22 22 22")), use, kind)
        if shape == 1:
            return self.comps("", use, kind, "a.b@example.org")
        if shape == 2:
            return self.comps(
                "", use, kind, "", self.maybe(self.number), "555", "8473", self.maybe(self.number)
            )
        return self.comps(
            *self.one(("^^^x@y.z^^^^^^^^5551", "^^^^1", "^^^^^^^^note", "1^^^^2^3^4")).split("^")
        )

    def xcn(self) -> str:
        identifier = self.text(("77", "D-5", "")) if not self.chance(4) else ""
        tail = (
            ("", self.authority(), self.one(("", "L")), "", "", self.one(("", "NPI", "DN")))
            if self.chance(2)
            else ()
        )
        return self.comps(
            identifier,
            self.text(FAMILIES),
            self.text(GIVENS),
            "",
            "",
            self.maybe(self.text),
            self.maybe(self.code, 6),
            *tail,
        )

    def pl(self) -> str:
        first = (
            self.text(("W1", "ICU")),
            self.maybe(lambda: self.text(("12", "R 3")), 2),
            self.maybe(self.number, 2),
        )
        facility = self.subs(self.one(("", "HOSP", "HOSP&1.2.3&ISO", "&1.2.3&ISO", "A&B&C&D")))
        return self.comps(
            *first, facility, *(("", "N", "B1", "2", self.maybe(self.text)) if self.chance(4) else ())
        )

    def hd(self) -> str:
        return self.comps(
            *self.one(("APP", "FAC", "APP^1.2.3^ISO", "^1.2.3^ISO", "X^foo^DNS", "", "F C")).split("^")
        )

    def xon(self) -> str:
        tail = ("", "", "", "", self.authority(), "XX", "", "", self.text(("88",))) if self.chance(2) else ()
        return self.comps(self.text(("GP North", "Lab & Co")), *tail)

    def cnn(self) -> str:
        return self.subs(f"{self.one(('5', '', 'D9'))}&{self.one(('Roe', 'Li'))}&Jane")

    def value(self, kind: str) -> str:
        makers: dict[str, Callable[[], str]] = {
            "NM": self.number,
            "SN": lambda: self.comps(*self.one(("<^10", "^1^-^5", "^1^:^128", ">=^3", "^4", "^1^+", "<>^3")).split("^")),
            "CWE": self.cwe, "CE": self.cwe, "IS": self.code, "DT": self.time, "TS": self.time, "DTM": self.time,
            "TM": lambda: self.one(("0930", "093001", "0930+0100", "2561")),
            "DR": lambda: self.comps(self.time(), self.time()),
            "NR": lambda: self.comps(self.number(), self.number()),
            "ED": lambda: self.comps("", "text", "plain", "A", "aGk="),
        }  # fmt: skip
        return makers.get(kind, self.text)()


_FIELDS: dict[str, dict[int, Callable[[Writer], str]]] = {
    "EVN": {1: Writer.code, 2: Writer.time, 3: Writer.time, 4: Writer.code, 5: lambda w: w.repeated(w.xcn), 6: Writer.time, 7: Writer.hd},
    "PID": {
        1: Writer.number, 2: Writer.cx, 3: lambda w: w.repeated(w.cx), 4: Writer.cx, 5: lambda w: w.repeated(w.xpn),
        6: Writer.xpn, 7: Writer.time, 8: Writer.code, 9: Writer.xpn, 10: Writer.cwe, 11: lambda w: w.repeated(w.xad),
        12: Writer.code, 13: lambda w: w.repeated(w.xtn), 14: lambda w: w.repeated(w.xtn), 15: Writer.cwe, 16: Writer.cwe,
        17: Writer.cwe, 18: Writer.cx, 19: lambda w: w.text(("999-12",)), 20: lambda w: w.comps("L99", "NY", w.time()),
        21: Writer.cx, 22: Writer.cwe, 23: Writer.text, 24: Writer.code, 25: Writer.number, 26: Writer.cwe, 27: Writer.cwe,
        28: Writer.cwe, 29: Writer.time, 30: Writer.code, 31: Writer.code, 32: Writer.code, 33: Writer.time, 35: Writer.cwe,
        36: Writer.cwe, 40: Writer.xtn,
    },
    "PD1": {3: Writer.xon, 4: lambda w: w.repeated(w.xcn), 6: Writer.cwe, 12: Writer.code, 14: Writer.text},
    "NK1": {
        1: Writer.number, 2: lambda w: w.repeated(w.xpn), 3: Writer.cwe, 4: Writer.xad, 5: lambda w: w.repeated(w.xtn),
        6: Writer.xtn, 7: Writer.cwe, 8: Writer.time, 9: Writer.time, 12: Writer.cx, 15: Writer.code, 16: Writer.time,
        20: Writer.cwe, 33: lambda w: w.repeated(w.cx), 37: Writer.number, 40: Writer.xtn,
    },
    "PV1": {
        1: Writer.number, 2: Writer.code, 3: Writer.pl, 4: Writer.cwe, 5: Writer.cx, 6: Writer.pl,
        7: lambda w: w.repeated(w.xcn), 8: Writer.xcn, 9: lambda w: w.repeated(w.xcn), 10: Writer.code, 11: Writer.pl,
        13: Writer.code, 14: Writer.code, 15: Writer.code, 16: Writer.code, 17: Writer.xcn, 18: Writer.code, 19: Writer.cx,
        36: Writer.code, 37: Writer.code, 38: Writer.cwe, 42: Writer.pl, 44: Writer.time, 45: Writer.time, 50: Writer.cx,
        52: Writer.xcn,
    },
    "PV2": {1: Writer.pl, 3: Writer.cwe, 8: Writer.time, 9: Writer.time, 11: Writer.number, 13: Writer.xcn, 25: Writer.code, 38: Writer.cwe},
    "AL1": {1: Writer.number, 2: Writer.code, 3: Writer.cwe, 4: Writer.code, 5: lambda w: w.repeated(w.text), 6: Writer.time},
    "DG1": {
        1: Writer.number, 2: Writer.code, 3: Writer.cwe, 4: Writer.text, 5: Writer.time, 6: Writer.code, 15: Writer.number,
        16: lambda w: w.repeated(w.xcn), 19: Writer.time, 20: Writer.ei, 21: Writer.code,
    },
    "PR1": {
        1: Writer.number, 3: Writer.cwe, 4: Writer.text, 5: Writer.time, 6: Writer.code, 7: Writer.number, 8: Writer.xcn,
        11: Writer.xcn, 12: Writer.xcn, 15: Writer.cwe, 19: Writer.ei, 23: Writer.pl,
    },
    "IN1": {
        1: Writer.number, 2: Writer.cwe, 3: lambda w: w.repeated(w.cx), 4: Writer.xon, 5: Writer.xad, 7: Writer.xtn,
        8: Writer.text, 9: Writer.xon, 12: Writer.time, 13: Writer.time, 15: Writer.code, 16: Writer.xpn, 17: Writer.code,
        18: Writer.time, 19: Writer.xad, 36: Writer.text, 43: Writer.code, 49: Writer.cx,
    },
    "ORC": {1: Writer.code, 2: Writer.ei, 3: Writer.ei, 4: Writer.ei, 5: Writer.code, 9: Writer.time, 12: Writer.xcn},
    "OBR": {
        1: Writer.number, 2: Writer.ei, 3: Writer.ei, 4: Writer.cwe, 5: Writer.code, 7: Writer.time, 8: Writer.time,
        16: lambda w: w.repeated(w.xcn), 22: Writer.time, 24: Writer.code, 25: Writer.code, 31: Writer.cwe, 32: Writer.cnn,
    },
    "NTE": {1: Writer.number, 2: Writer.code, 3: lambda w: w.repeated(w.text), 6: Writer.time},
}  # fmt: skip
_ALWAYS = {("PID", 3), ("OBR", 4), ("OBX", 3)}


def _segment(w: Writer, name: str) -> str:
    if name == "OBX":
        return _observation(w)
    texts: dict[int, str] = {}
    for number, make in _FIELDS[name].items():
        if (name, number) in _ALWAYS or w.chance(3):
            texts[number] = '""' if w.chance(20) else make(w)
    if w.chance(12):
        texts[w.random.randrange(1, 60)] = w.text()
    return _written(w, name, texts)


def _observation(w: Writer) -> str:
    kind = w.one(("NM", "ST", "TX", "SN", "CWE", "CE", "DT", "TS", "TM", "DR", "NR", "ED", "", "IS", "FT"))
    makers: dict[int, Callable[[], str]] = {
        1: w.number, 4: lambda: w.one(("1", "1.2", "a")), 6: w.cwe, 7: lambda: w.one(("1-5", "<3", "")), 8: lambda: w.repeated(w.code),
        11: w.code, 14: w.time, 15: w.cwe, 16: lambda: w.repeated(w.xcn), 17: w.cwe, 19: w.time, 20: w.cwe, 21: w.ei, 23: w.xon,
        25: w.xcn,
    }  # fmt: skip
    texts = {number: make() for number, make in makers.items() if w.chance(3)}
    texts |= {2: kind, 3: w.cwe(), 5: w.repeated(lambda: w.value(kind))}
    return _written(w, "OBX", texts)


def _written(w: Writer, name: str, texts: dict[int, str]) -> str:
    numbers = range(1, max(texts, default=0) + 1)
    return w.d.field.join((name, *(texts.get(number, "") for number in numbers)))


def _header(w: Writer, code: str, event: str) -> str:
    structure = w.one(("", "", "ADT_A01", "ORU_R01", "WRONG"))
    texts = {
        3: w.hd(), 4: w.hd(), 5: w.hd(), 6: w.hd(), 7: w.time(), 9: w.comps(code, event, structure),
        10: w.one(("", "MSG1", "C-00042", "a b")), 11: w.one(("P", "T", "")), 12: w.one(("2.3", "2.5.1", "2.8", "")),
        18: w.one(("", "UNICODE UTF-8")), 19: w.one(("", "en", "nb-NO")),
    }  # fmt: skip
    encoding = w.d.component + w.d.repetition + w.d.escape + w.d.subcomponent
    return w.d.field.join(("MSH", encoding, *(texts.get(number, "") for number in range(3, 20))))


def written(random: Random) -> str:
    """One ADT or ORU message."""
    d = Delimiters() if random.randrange(5) else Delimiters("$", "*", "!", "/", "%")
    w = Writer(random, d)
    results = w.chance(3)
    names = _oru(w) if results else _adt(w)
    lines = [
        _header(w, "ORU", "R01")
        if results
        else _header(w, "ADT", w.one(("A01", "A02", "A03", "A04", "A08", "A28", "A31")))
    ]
    for name in names:
        lines.append(_segment(w, name))
        if w.chance(12):
            lines.append(d.field.join(("ZQQ", "1", w.text(), w.cwe())))
    end = w.one(("\r", "\r", "\r", "\n", "\r\n"))
    return end.join(lines) + (end if not w.chance(4) else "")


def _adt(w: Writer) -> list[str]:
    names = ["EVN"] if w.chance(2) else []
    names += ["PID", *(["PD1"] if w.chance(3) else []), *(["NK1"] * w.random.randrange(3))]
    if not w.chance(4):
        names += ["PV1", *(["PV2"] if w.chance(3) else [])]
    for name in ("OBX", "AL1", "DG1", "PR1", "IN1"):
        names += [name] * (w.random.randrange(3) if w.chance(2) else 0)
    return names


def _oru(w: Writer) -> list[str]:
    names = ["PID", *(["PV1"] if w.chance(2) else [])]
    for _ in range(w.random.randrange(3)):
        names += [*(["ORC"] if w.chance(2) else []), "OBR", *(["NTE"] if w.chance(3) else [])]
        for _ in range(w.random.randrange(4)):
            names += ["OBX", *(["NTE"] * w.random.randrange(3) if w.chance(3) else [])]
    return names


def messages() -> st.SearchStrategy[str]:
    """ADT and ORU messages."""
    return st.builds(written, st.randoms(use_true_random=False))
