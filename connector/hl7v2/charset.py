"""From bytes to text by MSH-18 (HL7 table 0211), then the profile, then a cautious fallback. Never a guess:
bytes that are not text in the named character set are refused, and nothing is ever replaced."""

from __future__ import annotations

import codecs
import re
from typing import Final, Literal, NamedTuple

from connector.errors import UndecodableText, UnreadableMessage
from connector.hl7v2.delimiters import Delimiters

Source = Literal["MSH-18", "profile", "fallback"]

CODECS: Final = {
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    "ISO IR6": "ascii",
    "ISO IR14": "iso2022_jp_ext",
    "ISO IR87": "iso2022_jp_ext",
    "ISO IR159": "iso2022_jp_ext",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UNICODE UTF-16": "utf-16",
    "UNICODE UTF-32": "utf-32",
    "WINDOWS-1252": "cp1252",
}
"""Names of table 0211 (and the one outside it that feeds often say) to Python's codecs."""

_ALIASES: Final = {
    "UTF8": "UNICODE UTF-8",
    "UTF16": "UNICODE UTF-16",
    "UTF32": "UNICODE UTF-32",
    "USASCII": "ASCII",
    "GB18030": "GB 18030-2000",
    "LATIN1": "8859/1",
    "CP1252": "WINDOWS-1252",
    **{f"ISO{name}".replace("/", ""): name for name in CODECS if name.startswith("8859")},
}
_SWITCHED: Final = frozenset({"ISO IR14", "ISO IR87", "ISO IR159"})  # by escape sequences (ISO 2022)
_UNKNOWN: Final = "the character set is not known"
_NAME_IT: Final = "use a name of table 0211"
_HEADER: Final = re.compile(rb"(?:\A|[\r\n])(MSH[^\r\n]*)")
_UTF8_MARK: Final = codecs.BOM_UTF8


def _folded(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", name.upper())


_NAMES: Final = {_folded(name): name for name in CODECS} | _ALIASES


class Decoded(NamedTuple):
    """The text, the name of its character set (table 0211) and who named it."""

    text: str
    charset: str
    source: Source


def decode(raw: bytes, *, profile_charset: str | None) -> Decoded:
    """The text of a message. A byte order mark is not part of it.

    MSH-18 rules where it names a known set, then ``profile_charset``; without either, ASCII (the standard's
    default) and UTF-8 are tried. Raises ``UnreadableMessage`` where no MSH can be read, and
    ``UndecodableText`` where the bytes are not text in that set; then every byte of MSH can still be read.
    """
    if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return _wide(raw)
    raw = raw.removeprefix(_UTF8_MARK)
    named = _named(raw)
    if named and (charset := known(named)):
        return Decoded(_text(raw, charset, "MSH-18"), charset, "MSH-18")
    if profile_charset:
        charset = known(profile_charset) or profile_charset
        return Decoded(_text(raw, charset, ""), charset, "profile")
    if raw.isascii():
        return Decoded(raw.decode("ascii"), "ASCII", "fallback")
    if named:
        raise UndecodableText(_UNKNOWN, fix=_NAME_IT, location="MSH-18")
    return Decoded(_text(raw, "UNICODE UTF-8", ""), "UNICODE UTF-8", "fallback")


def encode(text: str, charset: str) -> bytes:
    """The bytes of a text in a set named as in MSH-18, repetitions (``ASCII~ISO IR87``) included.

    Raises ``UndecodableText`` where the set is not known or lacks a character.
    """
    try:
        return text.encode(_codec(known(charset) or charset))
    except UnicodeEncodeError:
        fault = UndecodableText(
            "a character is not in the character set", fix="use UNICODE UTF-8", location="MSH-18"
        )
    raise fault


def known(named: str) -> str:
    """The names of table 0211 for the repetitions of MSH-18, joined by ``~``; "" where one is not known."""
    names = [_NAMES.get(_folded(name), "") for name in named.split("~") if name.strip()]
    return "~".join(names) if all(names) else ""


def _named(raw: bytes) -> str:
    """MSH-18 with ``~`` between its repetitions."""
    found = _HEADER.search(raw)
    if not found:
        raise UnreadableMessage("there is no MSH", fix="start the message with MSH")
    header = found[1].decode("latin-1")
    delimiters = Delimiters.of(header)
    field = (header.split(delimiters.field, 18) + [""] * 18)[17]
    return field.replace(delimiters.repetition, "~").strip()


def _text(raw: bytes, charset: str, location: str) -> str:
    try:
        return raw.decode(_codec(charset))
    except UnicodeDecodeError:
        fault = UndecodableText(
            "the bytes are not text in the character set", fix="name the set in MSH-18", location=location
        )
    raise fault


def _codec(charset: str) -> str:
    """Python's codec for one name, or for several of which the last ones are switched to within the text."""
    names = charset.split("~")
    name = next((name for name in names if name in _SWITCHED), names[0])
    if name not in CODECS:
        raise UndecodableText(_UNKNOWN, fix=_NAME_IT, location="MSH-18")
    return CODECS[name]


def _wide(raw: bytes) -> Decoded:
    """UTF-16 with its mark: MSH itself can only be read once the whole is decoded."""
    try:
        text = raw.decode("utf-16")
    except UnicodeDecodeError:
        text = ""
    if not _HEADER.search(text.encode("utf-8")):
        raise UnreadableMessage("there is no MSH", fix="start the message with MSH")
    return Decoded(text, "UNICODE UTF-16", "fallback")
