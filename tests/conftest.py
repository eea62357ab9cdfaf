"""Laws are tried on the same examples in every run; ``make fuzz`` looks for new ones."""

from __future__ import annotations

from hypothesis import settings
from hypothesis.internal.conjecture import providers

settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("steady")

# Hypothesis also draws the constants of the modules that happen to be imported: then the examples would
# depend on which tests ran before in the same process.
_NONE = providers.Constants()
providers._get_local_constants = lambda: _NONE
