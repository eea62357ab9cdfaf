"""What is an answer and what is none, however its bytes come; and that h11 reads no other."""

from __future__ import annotations

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.edges.http_reading import HEAD_LIMIT, Answer, AnswerReader
from connector.errors import AnswerNotUnderstood

LIMIT = 1000
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
UPGRADE = b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"


def read(content: bytes, piece: int = 100_000, *, closed: bool = True) -> tuple[Answer, bool]:
    """The answer that comes in pieces, and whether the connection can be used again."""
    reader = AnswerReader(LIMIT)
    for begin in range(0, len(content), piece):
        reader.feed(content[begin : begin + piece])
        if reader.whole:
            return reader.answer, not reader.last
    if closed:
        reader.end()
    assert reader.whole
    return reader.answer, not reader.last


WHOLE = {
    "with a length": (OK + b"content-length: 2\r\n\r\n{}", Answer(200, {}, b"{}"), True),
    "without content": (b"HTTP/1.1 204 X\r\n\r\n", Answer(204, {}, b""), True),
    "in chunks": (CHUNKED + b"1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", Answer(200, {}, b"{}"), True),
    "with trailers": (CHUNKED + b"2\r\n{}\r\n0\r\netag: x\r\n\r\n", Answer(200, {}, b"{}"), True),
    "to the end of the connection": (OK + b"\r\n{}", Answer(200, {}, b"{}"), False),
    "of a server that closes": (
        OK + b"connection: close\r\ncontent-length: 2\r\n\r\n{}", Answer(200, {}, b"{}"), False
    ),
    "of HTTP/1.0": (b"HTTP/1.0 200 X\r\ncontent-length: 2\r\n\r\n{}", Answer(200, {}, b"{}"), False),
    "after informational ones": (
        b"HTTP/1.1 103 X\r\netag: early\r\n\r\n" * 2 + OK + b"content-length: 0\r\n\r\n",
        Answer(200, {}, b""),
        True,
    ),
    "with what is read of its head": (
        OK + b'ETag: W/"1" \t\r\nX: y\r\nLOCATION: a\r\nlocation: b\r\ncontent-length: 0\r\n\r\n',
        Answer(200, {"etag": 'W/"1"', "location": "a, b"}, b""),
        True,
    ),
    "identity is no encoding": (
        OK + b"content-encoding: Identity\r\ncontent-length: 2\r\n\r\n{}", Answer(200, {}, b"{}"), True
    ),
}  # fmt: skip


@pytest.mark.parametrize("piece", [1, 7, 100_000])
@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_is_read_however_it_comes(name: str, piece: int) -> None:
    content, answer, again = WHOLE[name]
    assert read(content, piece) == (answer, again)


NONE = {
    "nothing": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "half a head": OK + b"content-length: 2\r\n",
    "only an informational one": b"HTTP/1.1 100 X\r\n\r\n",
    "another protocol from here on": UPGRADE + b"x",
    "a status that is none": b"HTTP/1.1 099 X\r\ncontent-length: 0\r\n\r\n",
    "cut short": OK + b"content-length: 3\r\n\r\n{}",
    "a chunk cut short": CHUNKED + b"3\r\n{}",
    "the last chunk missing": CHUNKED + b"2\r\n{}\r\n",
    "a chunk longer than it says": CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "two lengths": OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{} ",
    "a length and chunks": OK
    + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "a length that is none": OK + b"content-length: +2\r\n\r\n{}",
    "a coding of its own": OK + b"transfer-encoding: gzip\r\n\r\n{}",
    "two codings": OK + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "lines of another kind": OK.replace(b"\r", b"") + b"content-length: 0\n\n",
    "a folded header": OK + b"x: y\r\n z\r\ncontent-length: 0\r\n\r\n",
    "a space before the colon": OK + b"content-length : 0\r\n\r\n",
    "a zero byte": OK + b"x: \x00\r\ncontent-length: 0\r\n\r\n",
    "compressed": OK + b"content-encoding: gzip\r\ncontent-length: 0\r\n\r\n",
    "compressed twice": OK
    + b"content-encoding: identity\r\ncontent-encoding: br\r\ncontent-length: 0\r\n\r\n",
    "too long": OK + b"content-length: 1001\r\n\r\n" + b" " * 1001,
    "too long in chunks": CHUNKED + b"200\r\n" + b" " * 512 + b"\r\n200\r\n" + b" " * 512 + b"\r\n0\r\n\r\n",
    "too long a head": OK + b"x: y\r\n" * HEAD_LIMIT + b"content-length: 0\r\n\r\n",
    "too long a header": OK + b"x: " + b"y" * HEAD_LIMIT,
    "informational without end": b"HTTP/1.1 100 X\r\n\r\n" * (HEAD_LIMIT // 18 + 1),
}


@pytest.mark.parametrize("piece", [1, 7, 50_000])
@pytest.mark.parametrize("name", NONE)
def test_what_is_no_answer_is_refused_however_it_comes(name: str, piece: int) -> None:
    with pytest.raises(AnswerNotUnderstood):
        read(NONE[name], piece)


def test_a_compressed_answer_is_refused_before_its_content_comes() -> None:
    with pytest.raises(AnswerNotUnderstood, match="compressed"):
        AnswerReader(LIMIT).feed(OK + b"content-encoding: gzip\r\ncontent-length: 9\r\n\r\n")


def test_a_long_answer_is_refused_before_its_end() -> None:
    with pytest.raises(AnswerNotUnderstood, match="longer than 1000 bytes"):
        AnswerReader(LIMIT).feed(OK + b"content-length: 90000\r\n\r\n" + b" " * 1001)


@pytest.mark.parametrize(
    "more", [b"x", OK, OK + b"content-length: 0\r\n\r\n", b"\r\n\r\nHTTP/1.1 500 X\r\n\r\n"]
)
def test_nothing_that_was_not_asked_for_is_taken_for_an_answer(more: bytes) -> None:
    answer, again = read(WHOLE["with a length"][0] + more)
    assert answer == Answer(200, {}, b"{}")
    assert not again


def test_several_answers_come_over_one_connection() -> None:
    reader = AnswerReader(LIMIT)
    for number in range(3):
        reader.begin()
        reader.feed(OK + b'etag: "%d"\r\ncontent-length: %d\r\n\r\n' % (number, number) + b" " * number)
        assert reader.answer == Answer(200, {"etag": f'"{number}"'}, b" " * number)
        assert not reader.last


# --- beside h11 ------------------------------------------------------------------------------------------


def by_h11(content: bytes) -> tuple[int, bytes] | None:
    """Status and content as h11 reads them; None: it refuses."""
    wire = h11.Connection(h11.CLIENT)
    wire.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    wire.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        wire.receive_data(content)
        while not isinstance(event := wire.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                wire.receive_data(b"")
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.ConnectionClosed):
                return None
    except h11.RemoteProtocolError:
        return None
    return status, body


PARTS = [
    b"HTTP/1.1 ", b"HTTP/1.0 ", b"100", b"200", b"204", b"304", b"404", b" OK", b"\r\n", b"\r\n\r\n", b"\n",
    b"\r", b"content-length: ", b"Content-Length:", b"transfer-encoding: ", b"content-encoding: ", b"chunked",
    b"gzip", b"identity", b"connection: close", b"0", b"1", b"2", b"a", b"{}", b";x=y", b" ", b"\t", b":",
    b",", b"x: y", b"\x00", b"\xff",
]  # fmt: skip


@st.composite
def nearly(draw: st.DrawFn) -> bytes:
    """An answer with something changed in it."""
    content = draw(st.sampled_from([one[0] for one in WHOLE.values()] + [*NONE.values()][:19]))
    for _ in range(draw(st.integers(0, 3))):
        begin = draw(st.integers(0, len(content)))
        end = draw(st.integers(begin, min(len(content), begin + 12)))
        content = content[:begin] + draw(st.sampled_from([b"", *PARTS])) + content[end:]
    return content


@given(nearly() | st.lists(st.sampled_from(PARTS)).map(b"".join), st.integers(1, 40))
@example(CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", 1)
def test_h11_reads_no_other_answer(content: bytes, piece: int) -> None:
    try:
        answer, _ = read(content, piece)
    except AnswerNotUnderstood:
        return
    assert by_h11(content) in (None, (answer.status, answer.content))
