"""``python -m tests.audit.review.golden``: the pages of the planted month anew; look at the difference."""

from __future__ import annotations

from pathlib import Path

from audit.review import html, text
from audit.review.disclosures import spreadsheet
from tests.audit.review import planted

FOLDER = Path(__file__).parent / "pages"


def pages() -> dict[str, str]:
    """Each file by its name."""
    report, accounting = planted.report(), planted.accounting()
    return {
        "review.html": html(report),
        "review.txt": text(report),
        "disclosures.html": html(accounting),
        "disclosures.csv": spreadsheet(accounting),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in pages().items():
        (FOLDER / name).write_bytes(content.encode())
