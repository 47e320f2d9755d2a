"""Every implementation of a port, for the suite that runs over them all."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from reactor.store import open_store
from reactor.store.database import Database

STORES: dict[str, Callable[[Path], str]] = {
    "sqlite": lambda folder: f"sqlite:///{folder / 'store.db'}",
}
"""The URL of an empty store of each kind, given a folder of its own."""


@pytest.fixture(params=sorted(STORES))
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return STORES[request.param](tmp_path)


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Database]:
    async with open_store(store_url) as opened:
        yield opened
