"""``python -m audit witness``: a new witness, its settings, what it keeps, and what an operator sees."""

from __future__ import annotations

import fcntl
import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import notes, witness_keys, witness_settings, witness_state
from audit.__main__ import main
from audit.notes import Kind
from audit.primitives import check
from audit.signing import Trust, opened
from audit.witness_keys import KeyFileRefused
from audit.witness_settings import SettingsRefused
from audit.witness_state import State, StateRefused
from tests.audit.signers import FIRST, LOG, ORIGIN, SECOND
from tests.audit.witness_site import FORK, Running, body, witness

ROOT = Path(__file__).parents[2]
PLAIN = f"""
name = "w.example/1"
key = "witness.key"
state = "state"
port = 1

[[log]]
origin = "ward.example/*"
keys = ["{LOG.key}"]
"""


def settings(folder: Path, text: str = PLAIN) -> Path:
    (path := folder / "witness.toml").write_text(text)
    return path


def test_a_new_witness_prints_its_public_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = str(settings(tmp_path))
    assert main(["witness", "key", "--ml-dsa-44", "--config", config]) == 0
    printed = [notes.parse_key(line) for line in capsys.readouterr().out.splitlines()]
    assert [(key.name, key.kind) for key in printed] == [
        ("w.example/1", Kind.COSIGNATURE),
        ("w.example/1", Kind.ML_DSA_44),
    ]
    assert (tmp_path / "witness.key").stat().st_mode & 0o777 == 0o600
    assert main(["witness", "show", "--config", config]) == 0
    assert capsys.readouterr().out.splitlines() == [str(key) for key in printed]


def test_a_key_is_never_written_over_and_a_state_never_begun_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(settings(tmp_path))
    assert main(["witness", "key", "--config", config]) == 0
    before = (tmp_path / "witness.key").read_bytes()
    assert main(["witness", "key", "--config", config]) == 1
    (tmp_path / "witness.key").rename(tmp_path / "old.key")
    assert main(["witness", "key", "--config", config]) == 1
    assert not (tmp_path / "witness.key").exists()
    assert (tmp_path / "old.key").read_bytes() == before
    assert "not empty" in capsys.readouterr().err


def test_an_operator_sees_what_it_holds_and_what_it_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = Running(tmp_path, None)
    assert running.witness.add(body(0, 8)).status == 200
    assert running.witness.add(body(8, 9, FORK)).status == 422
    running.close()
    config = settings(
        tmp_path, PLAIN.replace("w.example/1", "third.example/w").replace("witness.key", "cosigning.key")
    )
    assert main(["witness", "show", "--config", str(config)]) == 0
    key, held, refused = capsys.readouterr().out.splitlines()
    assert key == running.vkey
    assert held.startswith(f"{ORIGIN}  size 8  root ")
    assert refused.startswith(f"{ORIGIN}  REFUSED, see {tmp_path}")


def test_it_serves_until_it_is_told_to_end_and_goes_on_from_there(tmp_path: Path) -> None:
    config = settings(tmp_path, PLAIN.replace("port = 1", f"port = {_free()}"))
    assert main(["witness", "key", "--config", str(config)]) == 0
    key = witness_keys.read(tmp_path / "witness.key")[0].key
    for old, size, leaves, expected in ((0, 8, None, 200), (8, 9, FORK, 422), (8, 9, None, 200)):
        sent = body(old, size, leaves) if leaves else body(old, size)
        status, content = _asked_of_a_process(tmp_path, sent)
        assert status == expected
        if status == 200:
            signed = sent.partition(b"\n\n")[2] + content
            assert opened(signed, Trust(ORIGIN, (LOG.key,), (key,), 1), check).checkpoint.size == size


def _asked_of_a_process(folder: Path, sent: bytes) -> tuple[int, bytes]:
    """Start a witness where it needs no more said, ask it once, and tell it to end."""
    command = [sys.executable, "-m", "audit", "witness"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    port = int(running.stderr.readline().rpartition(":")[2])
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("POST", "/add-checkpoint", sent)
    answer = client.getresponse()
    found = answer.status, answer.read()
    client.close()
    running.send_signal(signal.SIGTERM)
    with running.stderr:
        assert ORIGIN in running.stderr.read()
    assert running.wait(10) == 0
    return found


def _free() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


WRONG: dict[str, tuple[str, str]] = {
    "no such key": ('name = "w.example/1"', 'nam = "w.example/1"'),
    "a name with a space": ('"w.example/1"', '"w example"'),
    "no log": ("[[log]]", "[log]"),
    "a port that is none": ("port = 1", "port = 70000"),
    "a port that is a truth": ("port = 1", "port = true"),
    "an open address without TLS": ("port = 1", 'host = "0.0.0.0"'),
    "a host name without TLS": ("port = 1", 'host = "witness.example"'),
    "a prefix that is none": ("port = 1", 'prefix = "w1/"'),
    "a star elsewhere": ('"ward.example/*"', '"*.example/2026"'),
    "no site": ('"ward.example/*"', '"/*"'),
    "a key of another log": ('"ward.example/*"', '"other.example/*"'),
    "a key of a witness": (str(LOG.key), str(FIRST.key)),
    "no key": (str(LOG.key), "ward.example/2026+00000000+AQ=="),
    "no list of keys": (f'["{LOG.key}"]', f'"{LOG.key}"'),
    "itself": ('"w.example/1"', f'"{ORIGIN}"'),
    "the log twice": ("[[log]]", f'[[log]]\norigin = "ward.example/*"\nkeys = ["{LOG.key}"]\n[[log]]'),
    "a limit of nothing": ("[[log]]", "[limits]\nconnections = 0\n[[log]]"),
    "a limit without end": ("[[log]]", "[limits]\nidle_seconds = inf\n[[log]]"),
    "a TLS without trust": ("[[log]]", '[tls]\ncertificate = "c"\nkey = "k"\n[[log]]'),
    "no TOML": ("[[log]]", "[[log]"),
}


def test_the_example_of_the_page_is_a_configuration(tmp_path: Path) -> None:
    page = (ROOT / "compliance" / "witness.md").read_text()
    example = page.partition("```toml\n")[2].partition("```")[0]
    found = witness_settings.load(
        settings(tmp_path, re.sub(r"ward.example/2026\+[^\"]*", str(LOG.key), example))
    )
    assert (found.name, found.port, found.logs[0].origin) == ("witness.example/w1", 8447, "ward.example/*")
    assert found.tls is not None
    bounds = re.findall(r"^\| `(\w+)` \|.*\| ([0-9,]+) \|$", page, re.MULTILINE)
    assert {name: float(most.replace(",", "")) for name, most in bounds} == found.limits._asdict()


@pytest.mark.parametrize("case", WRONG)
def test_settings_that_are_not_right_are_refused(case: str, tmp_path: Path) -> None:
    before, after = WRONG[case]
    assert before in PLAIN
    with pytest.raises(SettingsRefused):
        witness_settings.load(settings(tmp_path, PLAIN.replace(before, after)))


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    witness_keys.make(tmp_path / "key", "w.example/1", [Kind.COSIGNATURE])
    (tmp_path / "key").chmod(0o640)
    with pytest.raises(KeyFileRefused, match="chmod 600"):
        witness_keys.read(tmp_path / "key")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: b"",
        lambda line: line + line,
        lambda line: line.replace(b"w.example", b"v.example"),
        lambda line: line.replace(b"PRIVATE", b"PUBLIC"),
        lambda line: line[:-10] + b"\n",
        lambda line: line + b"more\n",
    ],
)
def test_a_key_file_that_is_not_as_it_was_written_is_refused(
    spoil: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "key"
    witness_keys.make(path, "w.example/1", [Kind.COSIGNATURE])
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(KeyFileRefused):
        witness_keys.read(path)


def test_a_state_that_is_not_as_it_was_written_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with witness(folder) as asked:
        asked.add(body(0, 8))
    (kept,) = folder.glob("*.checkpoint")
    content = kept.read_bytes()
    for at in range(content.index(b"\n\n")):
        kept.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(StateRefused), witness(folder):
            pass
    kept.write_bytes(content)
    kept.rename(kept.with_name("other.example.checkpoint"))
    with pytest.raises(StateRefused, match="another log"), witness(folder):
        pass


def test_a_state_of_other_keys_or_none_is_not_begun_with(tmp_path: Path) -> None:
    with witness(tmp_path / "state", (FIRST,)):
        pass
    for folder in ("state", "empty", "none"):
        if folder == "empty":
            (tmp_path / folder).mkdir()
        with pytest.raises(StateRefused):
            State(tmp_path / folder, [SECOND.key])


def test_two_witnesses_never_run_on_one_state(tmp_path: Path) -> None:
    with witness(tmp_path / "state"):
        with pytest.raises(StateRefused, match="another witness"):
            State(tmp_path / "state", [FIRST.key, SECOND.key])
        assert witness_state.read(tmp_path / "state", [FIRST.key, SECOND.key]) == {}
    with (tmp_path / "state" / witness_state.OWNER).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
