"""``python -m tests.audit.vectors``: writes ``inclusion.jsonl`` and ``consistency.jsonl`` beside itself."""

from __future__ import annotations

from tests.audit.vectors.making import FILES, lines

for path, vectors in FILES.items():
    path.write_text(lines(vectors()), encoding="ascii")
