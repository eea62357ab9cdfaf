"""The command line: what is printed where, and with which exit code. Real commands, real files."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import click
import pytest
from click.testing import CliRunner, Result

from connector.cli import COMMANDS, main, module_of
from connector.errors import ConfigurationError, StoreUnavailable
from tests.profile.planted import DEMO, FAULTS, line_of, text_of

ROOT: Final = Path(__file__).parent.parent
DAY: Final = ROOT / "connector" / "demo" / "day"
ADMIT: Final = (DAY / "01-admit.hl7").read_bytes()
CONNECTOR: Final = Path(sys.executable).parent / "connector"
SECRET: Final = "Geheimrat"


def run(*args: str | Path, given: bytes | str = b"") -> Result:
    content = given.encode() if isinstance(given, str) else given
    return CliRunner().invoke(main, [str(arg) for arg in args], input=content, prog_name="connector")


def bundle_of(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def kinds_of(bundle: dict[str, Any]) -> list[str]:
    return [entry["resource"]["resourceType"] for entry in bundle["entry"]]


# --- the listing --------------------------------------------------------------------------------------


def test_help_lists_every_command_in_the_order_of_use() -> None:
    said = run("--help").stdout
    assert [line.split()[0] for line in said.split("Commands:")[1].splitlines() if line[2:3].strip()] == [
        *COMMANDS
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_and_what_each_option_means(name: str) -> None:
    result = run(name, "--help")
    command: click.Command = importlib.import_module(module_of(name)).command
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert result.exit_code == 0
    assert command.help
    assert all(one.help and one.opts[0] in result.stdout for one in options)


def test_a_name_that_is_no_command_is_a_usage_error() -> None:
    result = run("sing")
    assert result.exit_code == 2
    assert "No such command 'sing'" in result.stderr


def test_help_comes_at_once_and_imports_none_of_the_heavy_libraries() -> None:
    code = (
        "import sys; from connector.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('pydantic', 'sqlalchemy', 'fastapi', 'msgspec', 'rich', 'hl7apy', 'fhir')])"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - started < 2  # 0.08 s; much more only on a machine that is very busy


def test_the_service_imports_neither_hl7apy_nor_the_fhir_models_before_a_profile_asks_for_them() -> None:
    code = (
        "import sys, connector.app; print([n for n in sys.modules if n.split('.')[0] in ('hl7apy', 'fhir')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_is_printed() -> None:
    assert run("--version").stdout.startswith("connector 0.")


def test_the_installed_script_runs() -> None:
    done = subprocess.run([CONNECTOR, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("connector ")


# --- errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "code", "said"),
    [
        (
            ConfigurationError("the table is wrong", fix="mend it", location="a.toml:7"),
            2,
            "a.toml:7: the table",
        ),
        (StoreUnavailable("no room"), 1, "no room"),
        (ValueError(SECRET), 1, "ValueError at "),
        (OSError(28, "No space left on device"), 1, "No space left"),
    ],
)
def test_every_failure_is_one_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, code: int, said: str
) -> None:
    def fail() -> None:
        raise failure

    module = importlib.import_module("connector.commands.serve")
    monkeypatch.setattr(module, "command", click.Command("serve", callback=fail))
    result = run("serve")
    assert result.exit_code == code
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert SECRET not in result.stderr


# --- translate ----------------------------------------------------------------------------------------


def test_a_message_becomes_a_bundle_and_what_is_lost_goes_to_stderr() -> None:
    result = run("translate", "--profile", DEMO, DAY / "06-z-segment.hl7")
    assert result.exit_code == 0
    assert "Patient" in kinds_of(bundle_of(result))
    assert result.stderr.splitlines() == ["lost: ZPI-1", "lost: ZPI-3", "lost: ZPI-4"]


def test_standard_input_is_the_same_as_a_file() -> None:
    assert run("translate", given=ADMIT).stdout == run("translate", DAY / "01-admit.hl7").stdout
    assert run("translate", "-", given=ADMIT).stdout == run("translate", DAY / "01-admit.hl7").stdout


def test_a_bundle_becomes_a_message_again() -> None:
    there = run("translate", given=ADMIT).stdout
    back = run("translate", "--to", "v2", given=there)
    assert back.exit_code == 0
    assert back.stdout_bytes.startswith(b"MSH|^~\\&|")
    assert b"\rPID|" in back.stdout_bytes


def test_over_the_prior_message_its_very_bytes_come_back() -> None:
    there = run("translate", given=ADMIT).stdout
    back = run("translate", "--prior", DAY / "01-admit.hl7", given=there)
    assert back.stdout_bytes == ADMIT


def test_a_message_goes_out_in_the_character_set_it_names() -> None:
    sent = (DAY / "07-person-latin1.hl7").read_bytes()
    back = run(
        "translate", "--prior", DAY / "07-person-latin1.hl7", given=run("translate", given=sent).stdout
    )
    assert back.stdout_bytes == sent


def test_where_msh_18_is_silent_the_profile_names_the_character_set(tmp_path: Path) -> None:
    profile = tmp_path / "latin.toml"
    profile.write_text(DEMO.read_text().replace('charset = "UNICODE UTF-8"   ', 'charset = "8859/1"   '))
    sent = "MSH|^~\\&|STVADT|STV|||20260101||ADT^A08|1|P|2.5\rPID|||1^^^STV||M\xfcller\r".encode("latin-1")
    assert "Müller" in run("translate", "--profile", profile, given=sent).stdout
    assert run("translate", given=sent).exit_code == 1


def test_known_resources_keep_what_the_message_does_not_say(tmp_path: Path) -> None:
    bundle = bundle_of(run("translate", given=ADMIT))
    patient = next(e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == "Patient")
    patient["photo"] = [{"title": "kept"}]
    prior = tmp_path / "prior.json"
    prior.write_text(json.dumps(bundle))
    assert '"photo":[{"title":"kept"}]' in run("translate", "--prior", prior, given=ADMIT).stdout


@pytest.mark.parametrize(
    "wrapped",
    [
        ADMIT + ADMIT,
        b"\x0b" + ADMIT + b"\x1c\r\x0b" + ADMIT + b"\x1c\r",
        b"FHS|^~\\&\rBHS|^~\\&\r" + ADMIT + ADMIT + b"BTS|2\rFTS|1\r",
    ],
    ids=["bare", "framed", "batch"],
)
def test_several_messages_become_bundles_one_a_line(wrapped: bytes) -> None:
    result = run("translate", given=wrapped)
    first, second = result.stdout.splitlines()
    assert first == second == run("translate", given=ADMIT).stdout.strip()
    assert "lost: -[2]: " in result.stderr


def test_one_bad_message_of_several_does_not_stop_the_others() -> None:
    broken = (DAY / "10-broken.hl7").read_bytes()
    result = run("translate", given=ADMIT + broken + ADMIT)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    assert "-[2]: SegmentSequence [100 structure] PID: no patient" in result.stderr


def test_lines_of_fhir_are_translated_one_by_one() -> None:
    line = run("translate", given=ADMIT).stdout
    result = run("translate", given=line + "{broken\n" + line)
    assert result.exit_code == 1
    assert result.stdout_bytes.count(b"MSH|") == 2
    assert "-[2]: InvalidJson [102 structure]" in result.stderr


def test_a_single_resource_is_taken_as_a_bundle_of_its_own() -> None:
    result = run("translate", given='{"resourceType": "Patient",\n "id": "a", "gender": "female"}')
    assert result.exit_code == 0
    assert b"|F" in result.stdout_bytes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (SECRET, "UnreadableMessage [100 structure]"),
        ('{"a": "' + SECRET, "InvalidJson [102 structure]"),
        (f'[{{"resourceType": "{SECRET}"}}]', "Invalid"),
        (f'{{"name": "{SECRET}"}}', "InvalidResource [102 invalid] resourceType"),
        (f'{{"resourceType": "Bundle", "entry": [{{"resource": "{SECRET}"}}]}}', "Bundle.entry[0].resource"),
        (f'{{"resourceType": "Bundle", "entry": ["{SECRET}"]}}', "-: "),
        (f'{{"resourceType": "Bundle", "entry": "{SECRET}"}}', "-: "),
        (f"MSH|^~\\&|A|B|||20260101||ADT^A01|1|P|2.5\rPV1|1|{SECRET}\r", "[100 structure] PID"),
        (
            b"MSH|^~\\&|A|B|||20260101||ADT^A01|1|P|2.5||||||8859/77\rPID|||\xff\r",
            "UndecodableText [102 structure] MSH-18",
        ),
        (b"", "nothing to translate"),
    ],
)
def test_bad_input_is_said_with_code_and_place_and_never_with_a_value(given: bytes | str, said: str) -> None:
    result = run("translate", given=given)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert SECRET not in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_side_that_the_input_is_on_already_is_a_misuse() -> None:
    assert run("translate", "--to", "v2", given=ADMIT).exit_code == 2
    assert run("translate", "--to", "fhir", given="{}").exit_code == 2


def test_options_that_lines_say_themselves_do_not_go_with_ndjson() -> None:
    result = run("translate", "--ndjson", "--to", "v2")
    assert result.exit_code == 2
    assert "--to does not go with --ndjson" in result.stderr


# --- profile ------------------------------------------------------------------------------------------


def test_a_good_profile_is_told_so() -> None:
    result = run("profile", "check", DEMO)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{DEMO}: good\n", "")


@pytest.mark.parametrize("planted", FAULTS[:6], ids=lambda planted: planted.said)
def test_a_fault_is_told_at_its_line(tmp_path: Path, planted: Any) -> None:
    path = tmp_path / "profile.toml"
    path.write_text(text_of(planted))
    result = run("profile", "check", path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{path}:{line_of(planted)}: ")
    assert planted.said in result.stderr


def test_every_fault_of_every_file_is_told_on_a_line_of_its_own(tmp_path: Path) -> None:
    bad, other = tmp_path / "bad.toml", tmp_path / "other.toml"
    text = DEMO.read_text().replace('"PID-19"', '"PID-99"').replace("HL70001", "HL79999")
    bad.write_text(text)
    other.write_text("name = 7\nnmae = 8\n")
    result = run("profile", "check", bad, DEMO, other)
    lines = result.stderr.splitlines()
    assert result.exit_code == 1
    assert result.stdout == f"{DEMO}: good\n"
    assert [line.partition(":")[0] for line in lines[:2]] == [str(bad)] * 2
    assert "PID-99" in lines[0]
    assert "HL79999" in lines[1]
    assert len(lines) > 3
    assert all(line.startswith(f"{other}:") for line in lines[2:])


def test_a_file_that_is_not_there_is_a_fault_as_well(tmp_path: Path) -> None:
    result = run("profile", "check", tmp_path / "none.toml")
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr


def test_the_schema_is_json_and_describes_every_key() -> None:
    schema = json.loads(run("profile", "schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"v2", "fhir", "mapping", "events"} <= schema["properties"].keys()
