"""Whether this is the long run, ``make faults``, or the short one that is part of ``make test``."""

from __future__ import annotations

import os
from typing import Final

FULL: Final = os.environ.get("FAULTS") == "full"
