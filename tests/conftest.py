"""Laws are tried on the same examples in every run; ``make fuzz`` looks for new ones.

What thousands of tests share costs its time once: byte code is kept, also by the processes that tests start,
and the collector of garbage does not look again and again at what lives as long as the run.
"""

from __future__ import annotations

import gc
import os
import sys

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("steady")

# Hypothesis also draws the constants of the modules that happen to be imported: then the examples would
# depend on which tests ran before in the same process.
_NONE = providers.Constants()
providers._get_local_constants = lambda: _NONE

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
gc.set_threshold(20_000, 20, 100)  # as the service itself does, see connector.app


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    _settle()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    _settle()


def _settle() -> None:
    """What is garbage by now is found, with what it has to say; what is left stays until the end."""
    gc.collect()
    gc.freeze()
