"""How many examples a property tries: few on every run, many when asked.

`REACTOR_TEST_DEPTH=100 pytest tests/unit` tries a hundred times as many.
"""

from __future__ import annotations

import os

from hypothesis import settings

DEPTH = int(os.environ.get("REACTOR_TEST_DEPTH", "1"))


def examples(number: int) -> settings:
    """That many examples, times the depth asked for; without a deadline, as time shows nothing."""
    return settings(max_examples=number * DEPTH, deadline=None)
