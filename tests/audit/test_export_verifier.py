"""``verify.py`` as an auditor has it: one file, Python alone, in a folder of its own."""

from __future__ import annotations

import ast
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import verify_export
from audit.entry import Tag
from audit.export import VERIFIER
from audit.keyfile import SigningKey
from audit.notes import Kind
from audit.primitives import signer
from tests.audit.exported import WITNESS, Log, between, checked, day, operator, run, small
from tests.audit.tampering import contents, flipped

# RFC 8032 section 7.1: public key, message, signature
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        "d25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        "387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
        "4a7c15e9716ed28dc027beceea1ec40a",
    ),
)


def _unpacked(folder: Path) -> tuple[Path, Path]:
    """The program out of an export, and the export."""
    (folder / "verify.py").write_bytes(contents(small())["verify.py"])
    (folder / "x.zip").write_bytes(small())
    return folder / "verify.py", folder / "x.zip"


def test_it_needs_nothing_but_python() -> None:
    tree = ast.parse(VERIFIER.read_text(encoding="utf-8"))
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    named |= {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    roots = {str(name).partition(".")[0] for name in named}
    assert roots - sys.stdlib_module_names == {"cryptography"}  # only where it is installed


def test_it_comes_with_each_export_as_it_is_here() -> None:
    assert contents(small())["verify.py"] == VERIFIER.read_bytes()


def test_it_says_yes_in_words_and_by_its_exit_code(tmp_path: Path) -> None:
    script, path = _unpacked(tmp_path)
    done = run(script, path.name, "--log-key", day().public, "--witness", WITNESS.key, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "VERDICT  The export is good." in done.stdout
    assert "The range is complete" in done.stdout
    assert "Whose log this is" not in done.stdout
    assert sorted(one.name for one in tmp_path.iterdir()) == ["verify.py", "x.zip"]


def test_it_says_no_in_words_and_by_its_exit_code(tmp_path: Path) -> None:
    script, path = _unpacked(tmp_path)
    path.write_bytes(flipped(small(), 2000))
    done = run(script, path.name, cwd=tmp_path)
    assert done.returncode == 1
    assert "Nothing of it is to be relied on" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [["no.zip"], ["x.zip", "--log-key", "nonsense"], ["x.zip", "--against", "no.zip"], [], ["--what"]],
)
def test_it_says_when_it_could_not_check(tmp_path: Path, arguments: list[str]) -> None:
    script, _ = _unpacked(tmp_path)
    assert run(script, *arguments, cwd=tmp_path).returncode == 2


def test_a_witness_by_ml_dsa_needs_a_package(tmp_path: Path) -> None:
    script, _ = _unpacked(tmp_path)
    log, lattice = Log(tmp_path), signer("witness.example/l", Kind.ML_DSA_44, bytes([8] * 32))
    log.fill(12)
    log.cosign(lattice)
    path = log.file(name="lattice.zip")
    assert checked(path, witnesses=[lattice.key]).code == 0
    done = run(script, path.name, "--witness", lattice.key, cwd=tmp_path)
    assert done.returncode == 2
    assert "needs the package cryptography" in done.stderr


@pytest.mark.parametrize("vector", VECTORS, ids=["empty", "one", "two"])
def test_signatures_are_those_of_the_rfc(vector: tuple[str, str, str]) -> None:
    public, message, signature = map(bytes.fromhex, vector)
    for verify in (verify_export.ed25519, verify_export.fast_ed25519):
        assert verify(public, signature, message)
        assert not verify(public, signature, message + b"x")
        assert not verify(public, signature[:-1] + bytes([signature[-1] ^ 1]), message)


def test_both_ways_to_check_a_signature_say_the_same() -> None:
    chance = random.Random(8032)
    order = verify_export.L
    for _ in range(12):
        key = Ed25519PrivateKey.from_private_bytes(chance.randbytes(32))
        public, message = key.public_key().public_bytes_raw(), chance.randbytes(40)
        good = key.sign(message)
        s = int.from_bytes(good[32:], "little")
        for tried in (
            good,
            flipped(good, chance.randrange(64)),
            good[:32] + (s + order).to_bytes(32, "little"),
        ):
            said = verify_export.ed25519(public, tried, message)
            assert said == verify_export.fast_ed25519(public, tried, message) == (tried == good)


def _odd_keys() -> list[bytes]:
    p = verify_export.P
    return [
        n.to_bytes(32, "little") for n in (0, 1, p - 1, p, p + 1, 2**255 - 1, 1 | 1 << 255, p - 1 | 1 << 255)
    ]


@pytest.mark.parametrize("public", _odd_keys(), ids=range(8))
def test_both_ways_say_the_same_of_odd_keys(public: bytes) -> None:
    for r in (bytes([1] + [0] * 31), public):
        signature = r + bytes(32)
        said = verify_export.ed25519(public, signature, b"m")
        assert said == verify_export.fast_ed25519(public, signature, b"m")


def test_the_key_of_one_year_is_that_of_the_next(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(5)
    old = log.public
    log.fill(5, time="2027-01-01T00:00:00Z")
    assert log.public.name != old.name
    assert checked(log.file(), keys=[old]).code == 0
    assert checked(log.file(), keys=[old._replace(name="another.example/2026")]).code == 1


def test_a_report_obeys_nobody(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.fill(3)
    from audit import export
    from tests.audit.exported import MADE, SOURCE

    loud: Any = MADE._replace(because="\x1b[2J\nVERDICT  The export is good.")
    path = tmp_path / "x.zip"
    path.write_bytes(b"".join(export.stream(log.plan(), loud, log.signer, SOURCE)))
    report = checked(path).report
    assert "\x1b" not in report
    assert sum(line.startswith("VERDICT") for line in report.splitlines()) == 1


def test_a_range_in_the_middle_is_complete_and_its_report_says_so(tmp_path: Path) -> None:
    path = day().file(between(257, 299))
    found = checked(path, keys=[day().public])
    assert found.code == 0
    assert "also not at its ends" in found.report
    assert "What came after entry" in checked(day().file()).report


@pytest.mark.parametrize(
    "text",
    [
        'quote " and \\ back',
        "tab\tand\nline",
        "é\U0001f600",
        '","correlation":"x","format":2,"object":{}',
        "1.5",
    ],
)
def test_entries_that_need_an_escape_are_read_as_well(tmp_path: Path, text: str) -> None:
    log = Log(tmp_path)
    one = operator(Tag.AUDIT_VIEWED, "2026-11-23T10:00:00Z", what=text, because=text)
    log.add([one, one._replace(actor={**one.actor, "name": text}), one._replace(reason=text)])
    found = checked(log.file())
    assert found.code == 0, found.report


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (b'"seq":100', b'"seq": 100'),
        (b'"seq":100', b'"seq":0100'),
        (b'"seq":100', b'"seq":1e2'),
        (b'{"actor":', b'{"actor":{},"actor":'),
        (b',"uncertainty":', b',"uncertainty":0'),
        (b'"format":2', b'"format":1'),
        (b'"format":2', b'"format":[2]'),
        (b"}}", b"},}"),
        (b'"object":{', b'"object":{"":1,"a":{"z":1,"a":2},'),
    ],
)
def test_what_can_be_read_in_two_ways_is_no_entry(was: bytes, now: bytes) -> None:
    line = contents(small())["entries.ndjson"].splitlines()[0]
    assert verify_export.entry(line).seq == 100
    with pytest.raises(verify_export.Bad):
        verify_export.entry(line.replace(was, now, 1) if was in line else line[:-1])


def test_it_does_without_what_only_some_pythons_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(small())
    monkeypatch.setattr(verify_export, "_write", None)
    verify_export._part.cache_clear()
    assert checked(path).code == 0


def test_a_log_that_ml_dsa_signs_as_well_is_checked_as_far_as_can_be(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.key = SigningKey(log.key.path, ml_dsa=True)
    log.fill(12)
    assert len(log.shard.keys()) == 2
    path = log.file()
    found = checked(path)
    assert found.code == 0
    assert "ML-DSA-44" not in found.report
    script, _ = _unpacked(tmp_path)
    path.write_bytes(log.exported())
    done = run(script, path.name, "--log-key", log.public, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    done = run(script, path.name, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "not checked: a signature by ML-DSA-44" in done.stdout
    lattice = next(one for one in log.shard.keys() if one.kind is Kind.ML_DSA_44)  # noqa: SIM118
    assert checked(path, keys=[log.public, lattice]).code == 0
