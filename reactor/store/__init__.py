"""Durable state: one schema, one writer, one transaction a turn."""

from reactor.store.opening import open_reading, open_store
from reactor.store.reading import Reading

__all__ = ["Reading", "open_reading", "open_store"]
