"""``connector translate --ndjson``: one line in, one line out, whatever the line is."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any, Final

import pytest

from tests.profile.planted import DEMO
from tests.test_cli import ADMIT, CONNECTOR, DAY, SECRET, run

TEXT: Final = ADMIT.decode()


def lines(*given: Any, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    raw = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in given)
    result = run("translate", "--ndjson", *options, given=raw)
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_both_directions_stand_in_one_stream_in_order() -> None:
    (there,) = lines({"id": 1, "hl7": TEXT})
    first, second, third = lines(
        {"id": "a", "hl7": TEXT},
        {"id": 2, "bundle": there["bundle"], "prior": TEXT},
        {"id": None, "bundle": there["bundle"]},
    )
    assert first["bundle"] == there["bundle"]
    assert second == {"id": 2, "hl7": TEXT, "lost": []}
    assert third["hl7"].startswith("MSH|")
    assert third["id"] is None


def test_prior_resources_are_taken_as_a_list_or_as_a_bundle() -> None:
    (there,) = lines({"id": 1, "hl7": TEXT})
    bundle = there["bundle"]
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    patient["photo"] = [{"title": "kept"}]
    for prior in (bundle, [patient], patient):
        (again,) = lines({"id": 1, "hl7": TEXT, "prior": prior})
        assert '"title": "kept"' in json.dumps(again)


def test_the_profile_counts() -> None:
    sent = (DAY / "06-z-segment.hl7").read_text()
    (said,) = lines({"id": 1, "hl7": sent}, options=("--profile", str(DEMO)))
    assert said["lost"] == ["ZPI-1", "ZPI-3", "ZPI-4"]


BROKEN: Final = [
    ("{\n", None),
    (f"{SECRET}\n", None),
    ("[]\n", None),
    ("7\n", None),
    ('{"id": 5}\n', 5),
    ('{"id": 6, "hl7": 7}\n', 6),
    (f'{{"id": 7, "hl7": "{SECRET}"}}\n', 7),
    ('{"id": 8, "hl7": null, "bundle": null}\n', 8),
    ('{"id": 9, "bundle": []}\n', 9),
    (f'{{"id": 10, "bundle": {{"resourceType": "{SECRET}", "resourceType": 1}}}}\n', 10),
    ('{"id": 11, "bundle": {"resourceType": "Bundle", "entry": [1]}}\n', 11),
    ('{"id": 12, "hl7": "MSH|^~\\\\&|A|B|||1||ADT^A01|1|P|2.5\\rPV1|1"}\n', 12),
    ('{"id": 13, "hl7": "MSH|", "prior": 7}\n', 13),
    ('{"id": 14, "bundle": {"resourceType": "Patient"}, "prior": 7}\n', 14),
    ('{"id": 15, "bundle": {"resourceType": "Patient"}, "prior": "' + SECRET + '"}\n', 15),
    ('{"id": 16, "hl7": "\\ud800"}\n', None),
    ('{"id": 17, "bundle": ' + "[" * 5000 + "]" * 5000 + "}\n", None),
    ('{"id": {"x": [1]}, "hl7": ""}\n', {"x": [1]}),
]


@pytest.mark.parametrize(("line", "identity"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_line_is_answered_with_its_error_and_the_next_one_is_translated(
    line: str, identity: Any
) -> None:
    bad, good = lines(line, {"id": "next", "hl7": TEXT})
    assert bad["id"] == identity
    assert bad.keys() == {"id", "error"}
    assert {"code", "location", "error", "what"} <= bad["error"].keys()
    assert SECRET not in json.dumps(bad)
    assert good["bundle"]["resourceType"] == "Bundle"


def test_bytes_that_are_no_text_are_answered_too() -> None:
    result = run("translate", "--ndjson", given=b'{"id": 1, "hl7": "\xff\xfe"}\n{"id": "\xff"}\n\n')
    assert len(result.stdout_bytes.splitlines()) == 2
    assert all(b'"error"' in line for line in result.stdout_bytes.splitlines())


def test_an_error_says_code_and_location() -> None:
    broken = (DAY / "10-broken.hl7").read_text()
    (said,) = lines({"id": 1, "hl7": broken})
    assert said["error"]["code"] == "structure"
    assert said["error"]["condition"] == "100"
    assert said["error"]["location"] == "PID"


def test_a_last_line_without_a_line_feed_and_blank_lines_are_fine() -> None:
    first, second = lines("\n\n", {"id": 1, "hl7": TEXT}, "  \n", '{"id": 2}')
    assert "bundle" in first
    assert second["id"] == 2


def test_a_line_longer_than_any_buffer_is_one_line() -> None:
    (said,) = lines({"id": 1, "hl7": TEXT + "NTE|1||" + "x" * 1_000_000 + "\r"})
    assert said["id"] == 1


def test_decimals_keep_their_digits() -> None:
    sent = "MSH|^~\\&|A|B|||20260101||ORU^R01|1|P|2.5\rPID|||1\rOBR|1|||1\rOBX|1|NM|2||0.40|g\r"
    result = run("translate", "--ndjson", given=json.dumps({"id": 1, "hl7": sent}))
    assert '"value":0.40' in result.stdout


def test_whoever_waits_for_an_answer_before_the_next_line_gets_it() -> None:
    command = [str(CONNECTOR), "translate", "--ndjson"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(3):
            process.stdin.write(json.dumps({"id": number, "hl7": TEXT}).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_thousand_lines_are_answered_within_seconds() -> None:
    started = time.perf_counter()
    found = lines(*({"id": n, "hl7": TEXT} for n in range(1000)))
    assert [one["id"] for one in found] == list(range(1000))
    assert time.perf_counter() - started < 20  # about half a second; this catches only what grows wrongly
