"""A data version of a table: how many rows it has, and how far a column has come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from reactor import settings
from reactor.core.errors import StepError
from reactor.sql.statement import database_trouble
from reactor.sql.writing import quoted


def table_version(database: str, table: str, column: str | None = None) -> Callable[[Any], str]:
    """For `@asset(version=table_version(...))`: the number of rows and the largest `column`.

    Equal rows count as unchanged, whoever wrote them: choose a column that grows with each change,
    such as `updated_at`. `database` is a URL or the name of a connection in the settings.

    Returns: a function of the handle, which it does not look at. It raises StepError if the table
    cannot be read. Cost: one query, which reads the table unless `column` has an index.

    Raises: ValueError for what is no database, and for names that are none.
    """
    if trouble := database_trouble(database, written=False):
        raise ValueError(f"table_version: {trouble[0]}: {trouble[1]}")
    for name, said in (("table", table), ("column", "-" if column is None else column)):
        if not isinstance(said, str) or not said.strip():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"table_version: {name} is {said!r}: say the name of a {name}")
    largest = f"max({quoted(column)})" if column else "NULL"
    asked = f"SELECT count(*), {largest} FROM {quoted(table)}"

    def version(handle: Any) -> str:
        url = database if "://" in database else settings.read().connections.get(database, "")
        if not url:
            hint = "name it in the settings, or give its URL"
            raise StepError(f"no connection {database} in the settings", hint=hint)
        count, last = _row(url, asked)
        return f"{count} rows" if last is None else f"{count} rows up to {last}"

    return version


def _row(url: str, asked: str) -> tuple[Any, ...]:
    parsed = make_url(url)
    if parsed.get_backend_name() == "duckdb":
        duckdb: Any = import_module("duckdb")
        try:
            with closing(duckdb.connect(parsed.database or ":memory:")) as connection:
                return connection.execute(asked).fetchone()
        except duckdb.Error as error:
            raise StepError(f"the version cannot be read: {error}") from error
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    try:
        engine = create_engine(parsed, poolclass=NullPool)
        with engine.connect() as connection:
            return tuple(connection.execute(text(asked)).one())
    except SQLAlchemyError as error:
        said = " ".join(str(getattr(error, "orig", error)).split())
        raise StepError(f"the version cannot be read: {said}") from error
