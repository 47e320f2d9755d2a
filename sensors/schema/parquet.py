"""The schema that the footer of a Parquet file states."""

from __future__ import annotations

import re
from pathlib import Path

from reactor.core.contract import Column, TableSchema
from reactor.core.errors import SensorRefused

_DICTIONARY = re.compile(r"dictionary<values=(.*), indices=\w+, ordered=\d>")


def parquet_schema(path: Path) -> TableSchema:
    """The schema of a Parquet file. Types are pyarrow's names for what is stored.

    Raises: ValueError or OSError if it is none, or not yet; SensorRefused without pyarrow.
    """
    try:
        # An extra, and a heavy one: only who has Parquet files pays for it.
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise SensorRefused(
            "reading Parquet needs pyarrow, which is not installed",
            hint="pip install 'reactor-orchestrator[parquet]'",
        ) from error
    return TableSchema(
        tuple(
            Column(field.name, _stored(str(field.type)), field.nullable)
            for field in parquet.read_schema(path)
        )
    )


def _stored(type_: str) -> str:
    """What is stored, whatever container the writer's library used for it in memory."""
    type_ = _DICTIONARY.sub(r"\1", type_)
    return type_.replace("large_", "").replace("string_view", "string")
