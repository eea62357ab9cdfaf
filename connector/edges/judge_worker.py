"""The process in which hl7apy judges copies of messages: ``python -m connector.edges.judge_worker``.

It reads a length (4 bytes, big endian) and a message (UTF-8), answers a length and a JSON list of findings
``[kind, location]``, again and again until its input ends. A finding holds no value of the message, and what
hl7apy prints or raises goes nowhere. Segments are placed by our own tables: hl7apy's grouping errs (a second
ORC in ORU, say); fields, components, datatypes and tables are judged by hl7apy, segment by segment.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any, Final

from hl7apy import validation
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.factories import datatype_factory
from hl7apy.parser import parse_segment

from connector.hl7v2 import definitions, structure
from connector.hl7v2.delimiters import Delimiters
from connector.hl7v2.location import Location
from connector.hl7v2.tree import Message, Segment

MOST_FINDINGS: Final = 50
MEMORY: Final = 2 * 1024**3  # bytes of address space, so that one message cannot starve the machine

Finding = tuple[str, str]  # kind (see ``judge.KINDS``), location

_LINES: Final = (
    ("required", re.compile(r"Error: Missing required child (\S+)\.(\S+)")),
    ("repeats", re.compile(r"Error: Child limit exceeded (\S+)\.(\S+)")),
    ("surplus", re.compile(r"Error: (?:Invalid children|Unknown element|Invalid element)")),
    ("datatype", re.compile(r"Error: Datatype \S+ is not correct for (\S+)\.(\S+) ")),
    ("table", re.compile(r"Warning: Value .* not in table HL7(\w+) in element (\S+)\.(\S+)", re.DOTALL)),
    ("datatype", re.compile(r"Warning: Exceeded max length \(\d+\) of (\S+)\.(\S+)")),
)
_NULL: Final = '""'
_OPEN_TABLES: Final = frozenset({"0396"})  # coding systems: grows all the time, and local ones are allowed
_OLD: Final = ("2.1", "2.2")  # where hl7apy asks for both components of every TS
_CHECKED: Final = frozenset({"DT", "TM", "DTM", "NM", "SI"})


class _Report:
    """Stands where hl7apy opens a file, which would put values of the message on the disk."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, *_: object) -> _Report:
        self.lines = []
        return self

    def __enter__(self) -> _Report:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def write(self, line: str) -> None:
        self.lines.append(line.rstrip("\n"))


_report = _Report()
validation.open = _report


def findings(text: str) -> list[Finding]:
    """What is wrong in a message, each finding once, in the order of the segments."""
    message = Message.parse(text)
    found = dict.fromkeys([*_structural(message), *_substantial(message)])
    return list(found)[:MOST_FINDINGS]


# --- segments -----------------------------------------------------------------------------------------


def _structural(message: Message) -> Iterator[Finding]:
    shape = structure.of(message.version, message.message_code, message.trigger_event, message.structure)
    if shape is None:
        yield "structure", "MSH-9"
        return
    names = tuple(segment.name for segment in message.segments if str(segment).strip())
    for name in structure.missing(shape, names):
        yield "segment-missing", name
    known = definitions.of(message.version)["segments"]
    seen: Counter[str] = Counter()
    for name, place in zip(names, structure.assign(shape, names)):
        seen[name] += 1
        if not place.expected and not name.startswith("Z"):
            kind = "segment-place" if name in known else "segment-unknown" if name else "line"
            yield kind, str(Location(name, seen[name])) if name else ""


def _substantial(message: Message) -> Iterator[Finding]:
    version = definitions.nearest(message.version)
    known = definitions.of(version)["segments"]
    seen: Counter[str] = Counter()
    for segment in message.segments:
        seen[segment.name] += 1
        if segment.name in known:
            yield from _judged(segment, seen[segment.name], version)


# --- fields -------------------------------------------------------------------------------------------


def _judged(segment: Segment, ordinal: int, version: str) -> Iterator[Finding]:
    chars = _encoding(segment.delimiters)
    tolerant = VALIDATION_LEVEL.TOLERANT
    element = parse_segment(str(segment), version, chars, tolerant)
    for kind, parent, number in _said(element):
        if parent == segment.name and number:
            yield kind, str(Location(segment.name, ordinal, number))
    for number in range(1, len(segment.texts)):
        if segment.field(number) and definitions.field(segment.name, number, version) is None:
            yield "surplus", str(Location(segment.name, ordinal, number))
    repetitions: Counter[str] = Counter()
    for child in element.children:
        repetitions[child.name] += 1
        number = _number(child.name)
        if number and not (segment.name == "MSH" and number <= 2):
            at = Location(segment.name, ordinal, number, repetitions[child.name])
            yield from _field(child, at, segment, version)


def _field(element: Any, at: Location, segment: Segment, version: str) -> Iterator[Finding]:
    """One repetition of a field."""
    texts = segment.repetitions(at.field)
    raw = texts[at.repetition - 1] if at.repetition <= len(texts) else ""
    if raw in ("", _NULL):
        return
    for kind, parent, number in _said(element):
        if not (kind == "required" and version in _OLD):
            yield kind, str(_within(at, element.name, parent, number))
    if at.segment == "OBX" and at.field == 5:
        yield from _leaf(segment.value(2), raw, at, version)
        return
    for part in _leaves(element):
        yield from _leaf(part[1], part[2], _deeper(at, part[0]), version)


def _leaves(element: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], str, str]]:
    """(component, sub-component), datatype and text of every leaf."""
    inner = [(n, child) for child in element.children if (n := _number(child.name))]
    if element.datatype in _CHECKED or not inner:
        yield path, element.datatype or "", element.to_er7()
        return
    for number, child in inner:
        yield from _leaves(child, (*path, number))


def _leaf(datatype: str, text: str, at: Location, version: str) -> Iterator[Finding]:
    """Whether hl7apy reads the text as what it should be."""
    if datatype not in _CHECKED or text in ("", _NULL):
        return
    try:
        datatype_factory(datatype, text, version, VALIDATION_LEVEL.STRICT)
    except Exception:  # hl7apy raises whatever happens to go wrong inside
        yield "datatype", str(at)


# --- what hl7apy says ---------------------------------------------------------------------------------


def _said(element: Any) -> Iterator[tuple[str, str, int]]:
    """(kind, the name of the parent, the number of the child) of each line of hl7apy's report."""
    with contextlib.suppress(validation.ValidationError):  # the first of the lines once more
        validation.Validator.validate(element, report_file="-")
    for line in _report.lines:
        for kind, form in _LINES:
            if found := form.match(line):
                *_, parent, child = ("", "", *found.groups())
                if not (kind == "table" and _allowed(line, found[1])):
                    yield kind, parent, _number(child)
                break


def _allowed(line: str, table: str) -> bool:
    """Whether a code may stand although hl7apy does not find it: in an open table, or the explicit null."""
    value = line.removeprefix("Warning: Value ").rpartition(" not in table ")[0]
    return value in ("", _NULL) or table in _OPEN_TABLES


def _within(at: Location, own: str, parent: str, number: int) -> Location:
    """The place of a child of the field (``PID_3``) or of a component (``CX_4``), or the field as a whole."""
    if not number or parent == at.segment:
        return at
    return _deeper(at, (number,) if parent == own else (_number(parent), number))


def _deeper(at: Location, path: tuple[int, ...]) -> Location:
    component, sub = (*path, 0, 0)[:2]
    return Location(at.segment, at.ordinal, at.field, at.repetition, component, sub if component else 0)


def _number(name: str | None) -> int:
    """3 of ``PID_3``; 0 where there is none."""
    end = (name or "").rpartition("_")[2]
    return int(end) if end.isdigit() else 0


def _encoding(d: Delimiters) -> dict[str, str]:
    return {
        "GROUP": "\r",
        "SEGMENT": "\r",
        "FIELD": d.field,
        "COMPONENT": d.component,
        "SUBCOMPONENT": d.subcomponent,
        "REPETITION": d.repetition,
        "ESCAPE": d.escape,
        "TRUNCATION": d.truncation or "#",
    }


# --- the process --------------------------------------------------------------------------------------


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Answer until the input ends. A message that cannot be judged at all is one finding."""
    sink.write(b"+")
    sink.flush()
    while len(header := source.read(4)) == 4:
        text = source.read(struct.unpack(">I", header)[0]).decode("utf-8", "surrogatepass")
        try:
            answer = findings(text)
        except (
            Exception
        ):  # whatever hl7apy stumbles over (it raises IndexError, say) is a fault of this message
            answer = [("unread", "")]
        body = json.dumps(answer).encode()
        sink.write(struct.pack(">I", len(body)) + body)
        sink.flush()


def main() -> None:
    """Serve standard input and output, with no core dumps and bounded memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    sink, sys.stdout = sys.stdout.buffer, sys.stderr
    serve(sys.stdin.buffer, sink)


if __name__ == "__main__":
    main()
