from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.store import Store
from tests.pipeline.site import Cycle
from tests.store.site import open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture
def cycle(store: Store, tmp_path: Path) -> Cycle:
    return Cycle(store, tmp_path)
