"""Messages as senders write them: realistic fields, and what real feeds do to them.

A message follows from one seed that Hypothesis draws: ``written(Random(seed))`` writes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
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
    "20240818093000+0200", "20240818093000-0730", "19991231235959Z", "20241301", "20240230", "soon", "0000",
)  # fmt: skip
NUMBERS = ("1", "0.40", "-3.5", "+7", "1e5", ".5", "120", "007", "twelve")
_STRUCTURED = ("<^10", "^1^-^5", "^1^:^128", ">=^3", "^4", "^1^+", "<>^3")
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

    def patient_identifiers(self) -> str:
        """Seldom none that says who it is."""
        more = self.maybe(lambda: self.d.repetition + self.repeated(self.cx))
        return (
            self.repeated(self.cx)
            if self.chance(6)
            else self.comps("P-1", "", "", self.authority(), "MR") + more
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

    def licence(self) -> str:
        return self.comps("L99", "NY", self.time())

    def cnn(self) -> str:
        return self.subs(f"{self.one(('5', '', 'D9'))}&{self.one(('Roe', 'Li'))}&Jane")

    def value(self, kind: str) -> str:
        makers: dict[str, Callable[[], str]] = {
            "NM": self.number,
            "SN": lambda: self.comps(*self.one(_STRUCTURED).split("^")),
            **dict.fromkeys(("CWE", "CE"), self.cwe),
            "IS": self.code,
            **dict.fromkeys(("DT", "TS", "DTM"), self.time),
            "TM": lambda: self.one(("0930", "093001", "0930+0100", "2561")),
            "DR": lambda: self.comps(self.time(), self.time()),
            "NR": lambda: self.comps(self.number(), self.number()),
            "ED": lambda: self.comps("", "text", "plain", "A", "aGk="),
        }
        return makers.get(kind, self.text)()


# number, datatype (a method of Writer), and * where it repeats
_FIELDS = {
    "EVN": "1 code, 2 time, 3 time, 4 code, 5 xcn*, 6 time, 7 hd",
    "PID": "1 number, 2 cx, 3 patient_identifiers, 4 cx, 5 xpn*, 6 xpn, 7 time, 8 code, 9 xpn, 10 cwe, "
    "11 xad*, 12 code, 13 xtn*, 14 xtn*, 15 cwe, 16 cwe, 17 cwe, 18 cx, 19 text, 20 licence, 21 "
    "cx, 22 cwe, 23 text, 24 code, 25 number, 26 cwe, 27 cwe, 28 cwe, 29 time, 30 code, 31 code, "
    "32 code, 33 time, 35 cwe, 36 cwe, 39 cwe, 40 xtn",
    "PD1": "3 xon, 4 xcn*, 6 cwe, 12 code, 14 text",
    "NK1": "1 number, 2 xpn*, 3 cwe, 4 xad, 5 xtn*, 6 xtn, 7 cwe, 8 time, 9 time, 12 cx, 13 xon, 15 "
    "code, 16 time, 20 cwe, 33 cx*, 37 number, 40 xtn",
    "PV1": "1 number, 2 code, 3 pl, 4 cwe, 5 cx, 6 pl, 7 xcn*, 8 xcn, 9 xcn*, 10 code, 11 pl, 13 code, "
    "14 code, 15 code, 16 code, 17 xcn, 18 code, 19 cx, 36 code, 37 code, 38 cwe, 42 pl, 44 time, "
    "45 time, 50 cx, 52 xcn",
    "PV2": "1 pl, 3 cwe, 8 time, 9 time, 11 number, 13 xcn, 25 code, 38 cwe",
    "AL1": "1 number, 2 code, 3 cwe, 4 code, 5 text*, 6 time",
    "DG1": "1 number, 2 code, 3 cwe, 4 text, 5 time, 6 code, 15 number, 16 xcn*, 19 time, 20 ei, 21 code",
    "PR1": "1 number, 3 cwe, 4 text, 5 time, 6 code, 7 number, 8 xcn, 11 xcn, 12 xcn, 15 cwe, 19 ei, 23 pl",
    "IN1": "1 number, 2 cwe, 3 cx*, 4 xon, 5 xad, 7 xtn, 8 text, 9 xon, 12 time, 13 time, 15 code, 16 "
    "xpn, 17 code, 18 time, 19 xad, 36 text, 43 code, 49 cx",
    "ORC": "1 code, 2 ei, 3 ei, 4 ei, 5 code, 9 time, 12 xcn",
    "OBR": "1 number, 2 ei, 3 ei, 4 cwe, 5 code, 7 time, 8 time, 16 xcn*, 22 time, 24 code, 25 code, 31 "
    "cwe, 32 cnn",
    "OBX": "1 number, 4 number, 6 cwe, 7 text, 8 code*, 10 code, 11 code, 14 time, 15 cwe, 16 xcn*, 17 "
    "cwe, 19 time, 20 cwe, 21 ei, 23 xon, 25 xcn",
    "NTE": "1 number, 2 code, 3 text*, 6 time",
}
_ALWAYS = {("PID", 3), ("OBR", 4)}
_VALUES = ("NM", "ST", "TX", "SN", "CWE", "CE", "DT", "TS", "TM", "DR", "NR", "ED", "", "IS", "FT")


def _segment(w: Writer, name: str) -> str:
    texts: dict[int, str] = {}
    for number, kind in _spec(name):
        always = (name, number) in _ALWAYS
        if always or w.chance(3):
            make: Callable[[], str] = getattr(w, kind.rstrip("*"))
            texts[number] = w.repeated(make) if kind.endswith("*") else make()
            texts[number] = '""' if not always and w.chance(20) else texts[number]
    if name == "OBX":
        kind = w.one(_VALUES)
        texts |= {2: kind, 3: w.cwe(), 5: w.repeated(lambda: w.value(kind))}
    if w.chance(12):
        texts[w.random.randrange(1, 60)] = w.text()
    return _written(w, name, texts)


@cache
def _spec(name: str) -> tuple[tuple[int, str], ...]:
    pairs = (entry.split() for entry in _FIELDS[name].split(","))
    return tuple((int(number), kind) for number, kind in pairs)


def _written(w: Writer, name: str, texts: dict[int, str]) -> str:
    numbers = range(1, max(texts, default=0) + 1)
    return w.d.field.join((name, *(texts.get(number, "") for number in numbers)))


def _header(w: Writer, code: str, event: str) -> str:
    structure = w.one(("", "", "ADT_A01", "ORU_R01", "WRONG"))
    texts = {
        3: w.hd(), 4: w.hd(), 5: w.hd(), 6: w.hd(), 7: w.time(), 9: w.comps(code, event, structure),
        10: w.one(("", "MSG1", "C-00042", "a b")), 11: w.one(("P", "T", "")), 12: w.one(("2.3", "2.5.1", "")),
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
    return st.integers(0, 2**32 - 1).map(lambda seed: written(Random(seed)))
