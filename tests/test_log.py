from __future__ import annotations

import ast
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from connector import log
from connector.errors import RequiredFieldMissing


def _logged(**fields: Any) -> dict[str, Any]:
    stream = io.StringIO()
    log.setup("info", stream)
    structlog.get_logger().info("message received", **fields)
    line: dict[str, Any] = json.loads(stream.getvalue())
    return line


def test_a_field_on_the_list_is_logged() -> None:
    assert _logged(link="demo", code="AA")["link"] == "demo"


def test_a_field_that_is_not_on_the_list_is_dropped_and_counted() -> None:
    line = _logged(link="demo", patient="DOE^JANE", payload="MSH|")
    assert "patient" not in line
    assert line["dropped"] == 2
    assert "DOE" not in json.dumps(line)


def test_the_text_of_a_foreign_exception_is_not_logged() -> None:
    line = _logged(exc=ValueError("bad value DOE^JANE"))
    assert line["error"] == "ValueError"
    assert "DOE" not in json.dumps(line)


def test_an_error_of_ours_is_logged_with_where_and_what_to_do() -> None:
    line = _logged(exc=RequiredFieldMissing("the patient identifier is empty", location="PID-3"))
    assert (line["error"], line["location"]) == ("RequiredFieldMissing", "PID-3")


def test_lines_under_the_level_are_not_written() -> None:
    stream = io.StringIO()
    log.setup("warning", stream)
    structlog.get_logger().info("message received")
    assert stream.getvalue() == ""


# --- nothing that is logged can begin a line of its own ------------------------------------------------

ROOT: Final = Path(__file__).parent.parent
LEVELS: Final = ("debug", "info", "warning", "error", "critical", "exception")
EVIL: Final = (
    'x\n{"event": "all is well"}', "a\r\nb", "\x1b[2J\x1b]0;title\x07", "\x00\x7f\x9b", "\u2028\u2029\x85",
    "\u202egnp.exe", "\ud800", "x" * 100_000, 10**400, -(10**400), float("inf"), float("nan"), b"\n",
    object(), ["\n"], {"\n": "\n"}, Path("a\nb"), ValueError("DOE^JANE\n"),
)  # fmt: skip


class Call(NamedTuple):
    """One call of a logger: where, its event, and the fields that it names."""

    place: str
    event: ast.expr | None
    fields: tuple[str, ...]
    spread: tuple[str, ...]  # what is spread into it


def _calls() -> Iterator[Call]:
    for path in sorted(path for room in ("connector", "audit") for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _is_of_a_logger(node.func):
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                named = tuple(word.arg for word in node.keywords if word.arg)
                spread = tuple(ast.unparse(word.value) for word in node.keywords if word.arg is None)
                yield Call(place, node.args[0] if node.args else None, named, spread)


def _is_of_a_logger(called: ast.expr) -> bool:
    if not isinstance(called, ast.Attribute) or called.attr not in LEVELS:
        return False
    return ast.unparse(called.value) in ("_log", "log", "logger", "logging", "self._log")


CALLS: Final = tuple(_calls())


def _lines(event: str, **fields: Any) -> list[str]:
    stream = io.StringIO()
    log.setup("debug", stream)
    structlog.get_logger().warning(event, **fields)
    text = stream.getvalue()
    assert text.endswith("\n")
    return text[:-1].split("\n")


def _is_one_short_line(event: str, **fields: Any) -> bool:
    (line,) = _lines(event, **fields)
    said = json.loads(line)
    short = all(len(str(value)) < log.LONGEST * 10 + 100 for value in said.values())
    return short and line.isprintable() and all(str(value).isprintable() for value in said.values())


def test_every_call_of_a_logger_has_words_of_our_own_and_fields_of_the_list() -> None:
    assert len(CALLS) >= 15
    for call in CALLS:
        assert isinstance(call.event, ast.Constant), call.place
        assert isinstance(call.event.value, str), call.place
        assert set(call.fields) <= log.ALLOWED | {"exc"}, call.place
        assert set(call.spread) <= {"place_of(error)", "raised"}, call.place


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.place)
def test_whatever_its_fields_hold_a_call_is_one_line(call: Call) -> None:
    assert isinstance(call.event, ast.Constant)
    for evil in EVIL:
        assert _is_one_short_line(call.event.value, **dict.fromkeys(call.fields, evil))


@given(st.text(), st.sampled_from(sorted(log.ALLOWED - {"event", "level", "timestamp"})))
def test_any_text_in_any_field_is_one_line(text: str, name: str) -> None:
    assert _is_one_short_line("message received", **{name: text})
    assert _is_one_short_line(text)


def test_an_error_of_ours_is_one_line_whatever_it_says() -> None:
    evil = RequiredFieldMissing("a\nb", fix="c\x1b[2J", location="PID-3\r\n")
    assert _is_one_short_line("message received", exc=evil)


def test_on_a_terminal_nothing_is_sent_that_moves_the_cursor() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    log.setup("info", stream)
    structlog.get_logger().info("message received", link="a\n\x1b[2Jb")
    assert "\\x1b[2Jb" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_libraries_are_logged_without_their_words() -> None:
    stream = io.StringIO()
    log.setup("info", stream)
    handler = log.Foreign()
    record = logging.LogRecord(
        "asyncio", logging.ERROR, "/a/base_events.py", 7, "DOE^JANE %s", ("\n",),
        (ValueError, ValueError("DOE^JANE"), None),
    )  # fmt: skip
    handler.handle(record)
    said = json.loads(stream.getvalue())
    assert (said["task"], said["location"], said["error"]) == ("asyncio", "base_events.py:7", "ValueError")
    assert "DOE" not in stream.getvalue()


@pytest.mark.parametrize(
    "failing",
    [
        "raise ValueError('DOE^JANE')",
        "import threading; t = threading.Thread(target=lambda: 1 / int('DOE^JANE')); t.start(); t.join()",
        "class A:\n    def __del__(self): raise ValueError('DOE^JANE')\na = A(); del a",
        "import logging; logging.getLogger('uvicorn.error').error('DOE^JANE')",
        "import warnings; warnings.warn('DOE^JANE')",
        "import asyncio\nasync def main():\n    asyncio.get_running_loop().call_exception_handler("
        "{'message': 'DOE^JANE', 'exception': ValueError('DOE^JANE')})\nasyncio.run(main())",
    ],
)
def test_no_way_to_die_writes_the_text_of_an_exception(failing: str) -> None:
    code = f"from connector import log\nlog.setup()\nlog.take_over()\n{failing}\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(lines) == 1
    assert "DOE" not in done.stderr + done.stdout
