"""A Confluent-compatible schema registry: its changes as events, and what it says of payloads.

The registry is a value (source.py). As a sensor it is looked at through its REST API (watching.py);
a `KafkaTopic` that names it decodes its messages with it (schemas.py).
"""

from sensors.registry.source import SchemaRegistry

__all__ = ["SchemaRegistry"]
