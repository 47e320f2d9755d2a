"""What a pipeline's own tests import. The names are imported when they are first asked for, so that
pytest, which loads the plugin in every project, waits for none of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reactor.simulation import START as START
    from reactor.simulation import Firing as Firing
    from reactor.simulation import Script as Script
    from reactor.simulation import Simulation as Simulation
    from reactor.simulation import simulate as simulate

__all__ = ["START", "Firing", "Script", "Simulation", "simulate"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module("reactor.simulation"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
