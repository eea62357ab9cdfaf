"""``python -m tests.fuzz.one TARGET FOLDER [options of libFuzzer] [folders]``: fuzzes in this process.

What is learnt goes to ``FOLDER``, the mutator's dictionary beside it.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import atheris


def main() -> None:
    """Never comes back: libFuzzer ends the process."""
    _, name, learnt, *options = sys.argv
    with atheris.instrument_imports(include=["connector", "audit"]):
        target: Any = importlib.import_module(f"tests.fuzz.{name}")
    words = Path(f"{learnt}.dict")
    words.write_text("\n".join(f'"{_escaped(word)}"' for word in target.WORDS))
    mutator = {"custom_mutator": _mutator(target.mutated)} if hasattr(target, "mutated") else {}
    atheris.Setup([sys.argv[0], f"-dict={words}", learnt, *options], target.check, **mutator)
    atheris.Fuzz()


def _mutator(mutated: Any) -> Any:
    def mutator(data: bytes, most: int, seed: int) -> bytes:
        found: bytes = mutated(data, most, seed, atheris.Mutate)
        return found[:most]

    return mutator


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
