"""A text for every v2 datatype, and codes that the tables know."""

from __future__ import annotations

from functools import cache
from typing import Final

from connector.hl7v2 import definitions
from connector.mapping.codes import CodeTable, names

from .tables import TABLES

VERSION: Final = "2.8.2"

# {n} makes the values of different fields differ. Components are as HL7 v2.8.2 chapter 2A has them.
_TEXTS: Final = {
    "AUI": "AU{n}^20240101^Source{n}",
    "CCP": "0^{n}^ohm",
    "CNN": "N{n}^Cnn{n}^Given{n}^Mid^Jr^Dr^^HL70010^NAuth{n}^1.2.3.{n}^ISO",
    "CP": "{n}.50&USD^UP",
    "CQ": "{n}^mg&milligram&UCUM",
    "CX": "X{n}^^^CAuth{n}&1.2.4.{n}&ISO^MR^^20240101^20291231",
    "DLD": "Dest{n}^20240315101112+0000",
    "DLN": "L{n}^State{n}^20300101",
    "DR": "20240301^20240331",
    "DT": "20240315",
    "DTM": "202403151{m}1213+0000",
    "ED": "App^application^pdf^Base64^UERG",
    "EI": "E{n}^EAuth{n}^1.2.5.{n}^ISO",
    "EIP": "PE{n}&PAuth{n}&1.2.6.{n}&ISO^FE{n}&FAuth{n}&1.2.7.{n}&ISO",
    "ERL": "PID^1^3",
    "FC": "{code}^20240101",
    "FN": "Family{n}",
    "FT": "Free text {n}",
    "HD": "Place{n}^1.2.8.{n}^ISO",
    "JCC": "J{n}^C{n}^Job {n}",
    "MO": "{n}.25^USD",
    "MSG": "ADT^A01^ADT_A01",
    "NA": "1^2^3^{n}",
    "NDL": "N{n}&Ndl{n}&Given{n}&&&&&&NAuth{n}^20240101^20240102^Point{n}^Room^Bed^Hosp{n}",
    "NM": "{n}",
    "NR": "{n}^9{n}",
    "OG": "G{n}^2^3^4",
    "PL": "Ward{n}^Room{n}^Bed{n}^Hosp{n}&1.2.9.{n}&ISO^^N^Bldg{n}^Floor{n}^Where{n}",
    "PLN": "PL{n}^DN^State{n}^20300101",
    "PT": "P^T",
    "RI": "BID^0800",
    "RP": "http://example.org/{n}^App{n}^application^pdf",
    "RPT": "Q6H^^^^^^6^h",
    "SAD": "{n} Street&Street&{n}",
    "SI": "1",
    "SN": ">^{n}",
    "SNM": "{n}",
    "SPS": "BLD&Blood{n}&HL70070^^^ARM&Arm",
    "SRT": "1^A",
    "ST": "Text {n}",
    "TM": "101{n}",
    "TQ": "1&tab^Q6H^^20240315101112+0000^20240316101112+0000^S",
    "TS": "202403151{m}1213+0000",
    "TX": "Text {n}",
    "VID": "2.8.2",
    "XAD": "{n} Road&Road&{n}^Flat {n}^Town{n}^ST^1{n}^USA^H^^County{n}",
    "XCN": "C{n}^Xcn{n}&&&&^Given{n}^Mid^Jr^Dr^MD^^XAuth{n}&1.2.10.{n}&ISO^L^^^NPI",
    "XON": "Org {n}^L^^^^OAuth{n}&1.2.11.{n}&ISO^XX^^^O{n}",
    "XPN": "Xpn{n}^Given{n}^Mid^Jr^Dr^^L",
    "XTN": "^PRN^PH^^1^555^12{n}^9",
}
_SPARSE: Final = {
    "CX": "X{n}^^^CAuth{n}",
    "HD": "Place{n}",
    "PL": "Ward{n}",
    "XCN": "C{n}^Xcn{n}^Given{n}",
    "XON": "Org {n}",
    "EI": "E{n}^EAuth{n}",
    "RPT": "^^^^6^h",
    "TQ": "1&tab^Q6H^D5",
    "MSG": "ADT^A03^ADT_A03",
    "SN": "^{n}^^9{n}",
    "XTN": "^^PH^^^555^12{n}",
    "XAD": "^^Town{n}",
    "XPN": "Xpn{n}^Given{n}",
    "CQ": "{n}^min",
    "DTM": "20240315",
    "TS": "20240315",
}
_FULL: Final = {
    "CE": "A{n}^First {n}^99A^B{n}^Second {n}^99B",
    "CNN": "N{n}^Cnn{n}^Given{n}^Mid^Jr^Dr^MD^^NAuth{n}^1.2.3.{n}^ISO",
    "CQ": "{n}^min&minute&UCUM",
    "CX": "X{n}^3^M11^CAuth{n}&1.2.4.{n}&ISO^MR^CFac{n}&1.2.44.{n}&ISO^20240101^20291231^US^HOSP",
    "EI": "E{n}^EAuth{n}^1.2.5.{n}^ISO",
    "ERL": "PID^1^3^1^2^1",
    "FN": "Own{n}^van^Own{n}^de^Spouse{n}",
    "NDL": (
        "N{n}&Ndl{n}&Given{n}^20240101^20240102^Point{n}^Room{n}^Bed{n}^Hosp{n}&1.2.66.{n}&ISO^A^N^"
        "Bldg{n}^Fl{n}"
    ),
    "PL": (
        "Ward{n}^Room{n}^Bed{n}^Hosp{n}&1.2.9.{n}&ISO^A^N^Bldg{n}^Floor{n}^Where{n}^"
        "L{n}&LAuth{n}&1.2.99.{n}&ISO^LAuth{n}&1.2.98.{n}&ISO"
    ),
    "PLN": "PL{n}^DN^State{n}^20300101",
    "RPT": "BID^A^3^15^6^4^h^PCM^20^min^TW",
    "RI": "BID^0800",
    "SAD": "{n} Street^Street^{n}",
    "SN": ">^{n}^-^9{n}",
    "SPS": "BLD&Blood{n}&HL70070^ADD^Coll{n}^ARM&Arm^LEFT&Left^TN&Meth^ROLE",
    "TQ": "1&tab^Q6H&0800^D5^20240315101112+0000^20240316101112+0000^S^PRN^Note {n}^C^^^7",
    "XAD": "{n} Road&Road&{n}^Flat {n}^Town{n}^ST^1{n}^USA^H^Geo{n}^County{n}^Tract{n}^A^^20240101^20290101",
    "XCN": (
        "C{n}^Own{n}&van&Own{n}&de&Spouse{n}^Given{n}^Mid^Jr^Dr^MD^SRC^XAuth{n}&1.2.10.{n}&ISO^L^4^M11^"
        "NPI^XFac{n}&1.2.12.{n}&ISO^A^^20240101&20250101^F^20240101^20250101^PhD"
    ),
    "XON": "Org {n}^L^3{n}^4^M11^OAuth{n}&1.2.11.{n}&ISO^XX^OFac{n}&1.2.13.{n}&ISO^A^O{n}",
    "XPN": (
        "Own{n}&van&Own{n}&de&Spouse{n}^Given{n}^Mid^Jr^Dr^MD^L^A^ctx^20240101&20250101^F^20240101^"
        "20250101^PhD^Nick"
    ),
    "XTN": (
        "+1 555 12{n}^PRN^PH^me{n}@example.org^1^555^12{n}^9^any time^x^*9^+155512{n}^20240101^20250101^^^^2"
    ),
}
_CODED: Final = ("CE", "CF", "CNE", "CWE")
_BARE: Final = ("ID", "IS")


def text_of(
    datatype: str,
    number: int,
    table: str = "",
    vocabulary: str = "",
    choice: int = 0,
    sparse: bool = False,
) -> str:
    """A text of a datatype for the field of a number; a code of its table where it has one.

    ``vocabulary``: the guide's name for the table; ``choice``: which of the codes that mean
    different things; ``sparse``: no more than the components that say what is meant.
    """
    code = _code(table, vocabulary, choice) or f"C{number}"
    if datatype in _BARE:
        return code
    if datatype in _CODED:
        if sparse:
            return code
        return f"{code}^Words {number}" + ("" if vocabulary or len(table) != 4 else f"^HL7{table}")
    text = (_SPARSE if sparse else {}).get(datatype) or _TEXTS.get(datatype, "Text {n}")
    return text.format(n=number or 7, m=number % 10, code=code)


def full_text(datatype: str, number: int, table: str, vocabulary: str, sparse: bool = False) -> str:
    """A text with all the components of a datatype."""
    if datatype in _CODED and not sparse:
        code = _code(table, vocabulary, 0) or f"C{number}"
        rest = "B{n}^Second {n}^99B^1.{n}^2.{n}^Original {n}^K{n}^Third {n}^99C^3.{n}"
        return f"{code}^First {number}^{'HL7' + table if len(table) == 4 else '99A'}^" + rest.format(n=number)
    text = _FULL.get(datatype, "")
    if not text or sparse:
        return text_of(datatype, number, table, vocabulary, 0, sparse)
    return text.format(n=number or 7, m=number % 10)


@cache
def _code(table: str, vocabulary: str, choice: int) -> str:
    """A code of a table: the first, or another that means something else."""
    name = TABLES.get(vocabulary) or (f"HL7{table}" if table else "")
    if name in names():
        meanings: dict[object, str] = {}
        for code, meant in CodeTable.load(name).to_fhir.items():
            meanings.setdefault(meant, code)
        known = list(meanings.values())
    else:
        known = sorted(definitions.codes(table, VERSION) or ())
    return known[min(choice, len(known) - 1)] if known else ""
