"""Where events come from: one module a kind.

Each public class is a value that says where to listen. A module is imported when its class is first
asked for, so that a pipeline pays only for the kinds it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = {
    "FileArrivals": "sensors.files",
    "KafkaTopic": "sensors.kafka",
    "Schedule": "sensors.schedule",
    "SchemaChanges": "sensors.schema",
    "SchemaRegistry": "sensors.registry",
    "Webhook": "sensors.webhook",
}

__all__ = list(_MODULES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(module), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
