"""A code table is refused at a line of it, or every code that it holds leads where its lines say."""

from __future__ import annotations

from typing import Final

from connector.mapping.codes import CodeTable, TableError

WORDS: Final = (
    b"system http://a\n", b"system urn:b\n", b"values a b c\n", b"A = a\n", b"A > b\n", b"B < c\n",
    b' "Name"', b" @ urn:c", b"# comment\n", b"=", b"<", b">", b"|", b"\t", b"\xc2\x85", b"\xe2\x80\xa8",
    b"\x0c",
)  # fmt: skip


def check(data: bytes) -> None:
    """Parsed, asked in both directions, and given a partner's own codes."""
    text = data.decode("utf-8", "replace")
    try:
        table = CodeTable.parse("HL79999", text)
    except TableError as error:
        name, _, line = error.location.rpartition(":")
        assert name == "HL79999.codes"
        assert 1 <= int(line) <= len(text.splitlines())
        return
    for v2, coded in table.to_fhir.items():
        assert v2 in text
        assert coded.code in text
        assert coded.system in text
        assert coded.system
        assert not table.values or coded.code in table.values
    for (system, code), v2 in table.to_v2.items():
        assert table.v2_code(system, code) == v2
        assert table.v2_code(None, code) in {other for key, other in table.to_v2.items() if key[1] == code}
        assert isinstance(table.keeps(system, code), bool)
    _extended(table, text.split())


def _extended(table: CodeTable, words: list[str]) -> None:
    codes = dict(zip(words, reversed(words)))
    try:
        more = table.extended(codes)
    except TableError:
        assert table.values
        return
    assert codes.keys() <= more.to_fhir.keys()
    assert set(table.to_fhir) <= set(more.to_fhir)
