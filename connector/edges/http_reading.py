"""HTTP/1.1 answers out of the bytes of a connection, bounded in size, without any I/O.

llhttp (by way of httptools) reads the syntax, strictly; what is asked of an answer beyond that is ours: it is
no longer than the limit, not encoded, and ends where it says. Sources: RFC 9110, RFC 9112.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from connector.errors import AnswerNotUnderstood

HEAD_LIMIT: Final = 100 * 1024  # bytes before the content
_TOLD: Final = frozenset({"content-type", "etag", "location", "retry-after"})
_READ: Final = _TOLD | {"content-encoding", "content-length", "transfer-encoding"}


class Answer(NamedTuple):
    """A status, the headers that anybody reads (names in lower case), and the content."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class AnswerReader:
    """Reads the answers that come over one connection, one after the other. ``limit``: bytes of a content.

    ``status``: of the answer, 0 before its head is complete; ``whole``: whether all of it is there; ``last``:
    whether the connection is of no use after it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parser = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """A request is sent: its answer comes next."""
        self._head_size, self._fault = 0, ""
        self._headers: dict[str, str] = {}
        self._content = bytearray()
        self.status, self.whole, self.last = 0, False, False

    @property
    def answer(self) -> Answer:
        """What was read, once it is whole."""
        told = {name: value for name, value in self._headers.items() if name in _TOLD}
        return Answer(self.status, told, bytes(self._content))

    def feed(self, data: bytes) -> None:
        """Take what came. Raises AnswerNotUnderstood, and is of no use after that."""
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self.last = True
            self._fault = self._fault or "is not HTTP or was cut short"
        if not self.status:
            self._head_size += len(data)
            if self._head_size > HEAD_LIMIT:
                self._fault = "has a head without end"
        if self._fault and not self.whole:
            raise AnswerNotUnderstood(f"the partner's answer {self._fault}")

    def end(self) -> None:
        """The connection is closed, as some answers end. Raises AnswerNotUnderstood: not this one."""
        if not self.status or "content-length" in self._headers or "transfer-encoding" in self._headers:
            raise AnswerNotUnderstood("the partner's answer is not HTTP or was cut short")
        self.whole = self.last = True

    # --- called by the parser, which goes on until its bytes are used up ------------------------------------

    def on_message_begin(self) -> None:
        """The answer begins, or the next part of it after an informational one; or what nobody asked for."""
        if self.whole:
            self.last = True
        else:
            self._headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        key = name.decode("latin-1").lower()
        if key in _READ and not self.status:
            text, before = value.decode("latin-1").strip(), self._headers.get(key)
            self._headers[key] = text if before is None else f"{before}, {text}"

    def on_headers_complete(self) -> None:
        """A head, the last one unless it is informational."""
        status = self._parser.get_status_code()
        if 100 <= status <= 199 or self.whole:
            return
        self.status = status
        if self._headers.get("content-encoding", "identity").lower() != "identity":
            self._fault = "is compressed, which was not asked for"
        elif status < 100 or self._headers.get("transfer-encoding", "chunked").lower() != "chunked":
            self._fault = "is not HTTP or was cut short"

    def on_body(self, piece: bytes) -> None:
        """More of the content."""
        if not self._fault and not self.whole:
            self._content += piece
            if len(self._content) > self._limit:
                self._fault = f"is longer than {self._limit} bytes"

    def on_message_complete(self) -> None:
        """The end of the answer, or of an informational one."""
        if self.status and not self._fault and not self.whole:
            self.whole = True
            self.last = not self._parser.should_keep_alive()
