"""Where downloaded servers are kept between runs."""

import os
from pathlib import Path


def folder() -> Path:
    """`REACTOR_TEST_CACHE`, else a folder in the user's cache."""
    chosen = os.environ.get("REACTOR_TEST_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "reactor-tests"
