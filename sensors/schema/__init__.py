"""Schema changes of databases and of files, as events."""

from sensors.schema.payload import SchemaChanged
from sensors.schema.source import SchemaChanges

__all__ = ["SchemaChanged", "SchemaChanges"]
