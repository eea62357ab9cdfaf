from __future__ import annotations

import io
import json
from typing import Any

import structlog

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
