"""How a target is run in a process of its own, and how its end is read."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
CORPUS: Final = Path(__file__).parent / "corpus"
TARGETS: Final = (
    "v2_parser", "mllp_framer", "fhir_intake", "profile_loader", "token_validator", "token_request",
    "code_tables", "audit_texts", "audit_reviews",
)  # fmt: skip
AVAILABLE: Final = importlib.util.find_spec("atheris") is not None
LONGEST: Final = 4096  # bytes of an input


class Run(NamedTuple):
    """What one process did; ``broken``: the last line of what it raised, "" where the invariant held."""

    target: str
    executions: int
    broken: str


def command(name: str, learnt: Path, *options: str) -> list[str]:
    """The process that fuzzes a target: begins with what is kept, writes what it learns to ``learnt``."""
    kept = CORPUS / name
    folders = [str(kept)] if kept.is_dir() else []
    artifacts = kept if kept.is_dir() else learnt
    fixed = [f"-max_len={LONGEST}", f"-artifact_prefix={artifacts}/"]
    return [sys.executable, "-m", "tests.fuzz.one", name, str(learnt), *fixed, *options, *folders]


def read(name: str, said: str, code: int) -> Run:
    """The end of a run as libFuzzer tells it."""
    counts = [
        int(one)
        for one in re.findall(r"^#(\d+)\s|^Done (\d+) runs", said, re.MULTILINE)
        for one in one
        if one
    ]
    raised = re.findall(r"^(?:\w+\.)*\w*(?:Error|Exception|Group|Exit)\b.*$", said, re.MULTILINE)
    found = raised[-1] if raised else "see the output" if code else ""
    return Run(name, max(counts, default=0), found if code else "")
