"""Hypothesis strategies for v2 texts and the place of the sample corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from hypothesis import strategies as st

CORPUS: Final = Path(__file__).parents[2].parent / "shared" / "samples"
corpus = pytest.mark.corpus
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the sample corpus is not at {CORPUS}")

ENDS: Final = st.sampled_from(["\r", "\n", "\r\n"])
ENCODINGS: Final = st.sampled_from(
    ["^~\\&", "^~\\&#", "^~\\", "^~", "^", "^~\\\\&", "@!%*", "^~\\&|"[:4], ":+?'", "^~$&", "^~\\&#extra"]
)
SEPARATORS: Final = st.sampled_from(["|", "|", "|", "#", "*", "¦"])
_LINES: Final = st.one_of(
    st.text(alphabet=st.characters(exclude_characters="\r\n"), max_size=20),
    st.text(alphabet='PIDOBXZ12|^~\\&"# ', max_size=30),
    st.builds(
        lambda name, fields: "|".join([name, *fields]),
        st.sampled_from(["PID", "OBX", "ZZ1", "MSH", "NTE", "BTS"]),
        st.lists(st.text(alphabet='ab^~\\&"FX0D. ', max_size=8), max_size=6),
    ),
)


@st.composite
def messages(draw: st.DrawFn) -> str:
    """Texts with an MSH somewhere near their head, and anything around it."""
    separator = draw(SEPARATORS)
    encoding = draw(ENCODINGS.filter(lambda text: separator not in text))
    header = f"MSH{separator}{encoding}" + draw(st.sampled_from(["", separator, f"{separator}a{separator}b"]))
    before = [line for line in draw(st.lists(_LINES, max_size=2)) if not line.startswith("MSH")]
    lines = [*before, header, *draw(st.lists(_LINES, max_size=6))]
    text = "".join(line + draw(ENDS) for line in lines[:-1])
    return text + lines[-1] + draw(st.one_of(st.just(""), ENDS))


def corpus_texts() -> list[tuple[str, str]]:
    """(name, text) of every sample, as it stands on the disk."""
    return [
        (path.name, path.read_bytes().decode("utf-8", "surrogateescape"))
        for path in sorted(CORPUS.rglob("*.hl7"))
    ]
