"""The translator of the shipped maps that tests share: binding them takes longer than most tests.

What a translator has seen changes nothing (tests/mapping/test_known.py, tests/laws/test_laws.py).
"""

from __future__ import annotations

from connector.mapping import Translator

TRANSLATOR = Translator.default()
