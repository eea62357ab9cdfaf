"""JSON lines in, JSON lines out: the form in which other programs use the translator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec

from connector.errors import ConnectorError, InvalidJson
from connector.fhir import bundle, json

if TYPE_CHECKING:
    from connector.mapping.translator import Translator

Json = dict[str, Any]

_CHUNK: Final = 1 << 16


class Line(msgspec.Struct):
    """One line of input; unknown members are not looked at."""

    id: msgspec.Raw = msgspec.Raw(b"null")
    hl7: str | None = None
    bundle: msgspec.Raw = msgspec.Raw(b"null")
    prior: msgspec.Raw = msgspec.Raw(b"null")


class _Named(msgspec.Struct):
    """What is still read of a line that is otherwise not understood."""

    id: msgspec.Raw = msgspec.Raw(b"null")


_read = msgspec.json.Decoder(Line).decode
_read_id = msgspec.json.Decoder(_Named).decode


def stream(translator: Translator, source: BinaryIO, out: BinaryIO) -> None:
    """Answer every line that is not blank with one line, in order; a bad line never ends the stream.

    What came in together is answered together: whoever waits for an answer before the next line gets it.
    """
    for lines in _arrivals(source):
        for line in lines:
            if line.strip():
                out.write(answer(translator, line))
        out.flush()


def _arrivals(source: BinaryIO) -> Iterator[list[bytes]]:
    """The whole lines of each read, and at the end what has no line feed."""
    begun: list[bytes] = []
    read = getattr(source, "read1", source.read)
    while chunk := read(_CHUNK):
        first, *more = chunk.split(b"\n")
        begun.append(first)
        if more:
            yield [b"".join(begun), *more[:-1]]
            begun = [more[-1]]
    yield [b"".join(begun)]


def answer(translator: Translator, line: bytes) -> bytes:
    """The line that answers ``line``."""
    try:
        read = _read(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return _written(_id_of(line), {"error": described(_UNREADABLE)})
    return _written(bytes(read.id), _answered(translator, read))


def described(error: ConnectorError) -> Json:
    """An error for programs: the FHIR issue code, the condition of table 0357, where, what and what to do."""
    told = {
        "code": error.answer.issue,
        "condition": error.answer.condition,
        "error": type(error).__name__,
        "location": error.location,
        "what": error.what,
        "fix": error.fix,
    }
    return {name: text for name, text in told.items() if text or name == "location"}


_UNREADABLE = InvalidJson(
    "the line is not one of the two forms", fix='send {"id":..,"hl7":".."} or {"id":..,"bundle":{..}}'
)


def _answered(translator: Translator, line: Line) -> Json:
    try:
        return _translated(translator, line)
    except ConnectorError as error:
        return {"error": described(error)}
    except Exception as error:  # a fault of ours: named by its type, since its text may hold values
        return {"error": described(ConnectorError(f"the translation failed ({type(error).__name__})"))}


def _translated(translator: Translator, line: Line) -> Json:
    if line.hl7 is not None:
        made = translator.to_fhir(line.hl7, prior=_resources(line.prior))
        return {"bundle": made.bundle, "lost": made.lost}
    said = json.loads(bytes(line.bundle))
    if said is None:
        return {"error": described(_UNREADABLE)}
    back = translator.to_v2(said, _words(line.prior))
    return {"hl7": str(back.message), "lost": back.lost}


def _words(prior: msgspec.Raw) -> str | None:
    """The v2 message whose words are kept."""
    words: Any = json.loads(bytes(prior))
    if words is None or isinstance(words, str):
        return words
    raise InvalidJson("the prior is no v2 message", fix="send its text", location="prior")


def _resources(prior: msgspec.Raw) -> list[Json] | None:
    """Known FHIR resources: a list of them, or a Bundle."""
    known: Any = json.loads(bytes(prior))
    if known is None:
        return None
    if isinstance(known, dict):
        return bundle.resources(known) if known.get("resourceType") == "Bundle" else [known]
    if isinstance(known, list) and all(isinstance(one, dict) and "resourceType" in one for one in known):
        return known
    raise InvalidJson("the prior is no FHIR", fix="send a Bundle or a list of resources", location="prior")


def _written(identity: bytes, members: Json) -> bytes:
    return b'{"id":' + identity + b"," + json.dumps(members)[1:] + b"\n"


def _id_of(line: bytes) -> bytes:
    try:
        return bytes(_read_id(line).id)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return b"null"
