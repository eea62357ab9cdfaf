from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from audit.merkle import ProofRefused, verify_consistency, verify_inclusion
from tests.audit.vectors import making
from tests.audit.vectors.making import ALL, FILES, Consistency, Inclusion


def _read(name: str) -> list[dict[str, Any]]:
    text = (making.HERE / name).read_text(encoding="ascii")
    return [json.loads(line) for line in text.splitlines()]


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _include(vector: dict[str, Any]) -> None:
    proof = [_bytes(one) for one in vector["proof"]]
    leaf, root = _bytes(vector["leafHash"]), _bytes(vector["root"])
    verify_inclusion(leaf, vector["leafIdx"], vector["treeSize"], proof, root)


def _consist(vector: dict[str, Any]) -> None:
    proof = [_bytes(one) for one in vector["proof"]]
    roots = _bytes(vector["root1"]), _bytes(vector["root2"])
    verify_consistency(vector["size1"], vector["size2"], proof, *roots)


@pytest.mark.parametrize(("name", "check"), [("inclusion.jsonl", _include), ("consistency.jsonl", _consist)])
def test_every_vector_is_judged_as_it_says(name: str, check: Any) -> None:
    wrong, counts = [], {True: 0, False: 0}
    for vector in _read(name):
        try:
            check(vector)
            refused = False
        except ProofRefused:
            refused = True
        counts[refused] += 1
        if refused is not vector["wantErr"]:
            wrong.append(vector["desc"])
    assert wrong == []
    assert counts[False] >= 50
    assert counts[True] >= 1000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_vectors_are_those_that_the_script_writes(path: Path) -> None:
    assert path.read_text(encoding="ascii") == making.lines(FILES[path]())


def _refused(vector: Inclusion | Consistency) -> bool:
    try:
        if isinstance(vector, Inclusion):
            verify_inclusion(vector.leaf, vector.index, vector.size, vector.proof, vector.root)
        else:
            roots = vector.first_root, vector.second_root
            verify_consistency(vector.first, vector.second, vector.proof, *roots)
    except ProofRefused:
        return True
    return False


@pytest.mark.parametrize("bad", [making.bad_inclusions, making.bad_consistencies])
def test_every_single_bit_of_every_proof_counts(bad: Any) -> None:
    assert [desc for desc, vector in bad(ALL) if not _refused(vector)] == []
