"""From `reads=`, `columns=` and `sql=` to edges and lineage, over a whole pipeline.

Knows: which tables are assets, and that an asset's own columns are known to those downstream of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from reactor.core.errors import Problem
from reactor.core.graph import nearest
from reactor.core.lineage import ALL, Columns, Lineage, declared, same_table, table_key
from reactor.core.partition import Dynamic, Static
from reactor.definition import AssetDeclaration
from reactor.sql.relation import Catalogue, Table
from reactor.sql.statement import DEFAULT_CONNECTION, Statement, database_trouble, dialect_of

INSTALL = "pip install 'reactor-orchestrator[sql]'"
OF_SQL = ("dialect", "database", "table", "partition_column", "views")
"""Options that only an asset with `sql=` understands."""


def understood(
    given: Sequence[AssetDeclaration],
) -> tuple[list[AssetDeclaration], list[Problem]]:
    """The declarations, with the upstreams and the lineage that they imply, and what is wrong.

    Cost: each query is parsed once.
    """
    if not any({"reads", "columns", "sql", *OF_SQL} & set(each.options) for each in given):
        return list(given), []
    reading = _Reading(given)
    for name in reading.upstreams_first():
        reading.of(reading.known[name].declaration)
    return [reading.of(each) for each in given], list(dict.fromkeys(reading.problems))


@dataclass(slots=True)
class _Known:
    """What has been found out of one asset."""

    declaration: AssetDeclaration
    table: str
    is_sql: bool
    done: bool = False
    busy: bool = False


@dataclass(slots=True)
class _Reading:
    """Goes through the assets, upstreams first."""

    given: Sequence[AssetDeclaration]
    problems: list[Problem] = field(default_factory=lambda: [])
    known: dict[str, _Known] = field(default_factory=lambda: {})
    external: dict[str, set[str]] = field(default_factory=lambda: {})
    by_key: dict[str, list[str]] = field(default_factory=lambda: {})

    def __post_init__(self) -> None:
        for each in self.given:
            is_sql = each.options.get("sql") is not None
            table = str(each.options.get("table") or each.name)
            self.known.setdefault(each.name, _Known(each, table, is_sql))
        for name, known in self.known.items():
            self.by_key.setdefault(table_key(known.table), []).append(name)
        for each in self.given:
            for source, names in self._reads(each, quiet=True).items():
                if source not in self.known and names is not ALL:
                    self.external.setdefault(source, set()).update(names)

    def upstreams_first(self) -> list[str]:
        """The SQL assets, so that none comes before one whose table it names."""
        order: list[str] = []
        seen: set[str] = set()
        for start in self.known:
            stack = [(start, False)]
            while stack:
                name, left = stack.pop()
                if left:
                    order.append(name)
                elif name not in seen and self.known[name].is_sql:
                    seen.add(name)
                    stack.append((name, True))
                    stack += [(each, False) for each in self._named_by(name)]
        return order

    def _named_by(self, name: str) -> list[str]:
        """The assets whose tables a query names, as far as it can be read."""
        given = self.known[name].declaration
        text, _, _ = self._text(given)
        parse = self._parser(given) if text is not None else None
        if parse is None:
            return []
        try:
            tables = parse.parsed(text, self._dialect(given)).tables
        except parse.QueryError:
            return []
        return [each for table in tables if (each := self._asset_of(table, given)) is not None]

    def _dialect(self, given: AssetDeclaration) -> str:
        database = str(given.options.get("database") or DEFAULT_CONNECTION)
        return str(given.options.get("dialect") or dialect_of(database))

    def of(self, given: AssetDeclaration) -> AssetDeclaration:
        """The declaration of an asset, with what it implies."""
        known = self.known[given.name]
        if known.declaration is not given and not known.done:
            return self._implied(given)
        if known.done or known.busy:
            return known.declaration
        known.busy = True
        known.declaration = self._implied(given)
        known.busy, known.done = False, True
        return known.declaration

    def _implied(self, given: AssetDeclaration) -> AssetDeclaration:
        self._options(given)
        if given.options.get("sql") is not None:
            return self._of_sql(given)
        for name in OF_SQL:
            if name in given.options and name != "database":
                self._wrong(given, f"{name}= says something of SQL, and it has none", "say sql=...")
        reads = self._reads(given)
        columns = given.options.get("columns")
        if "reads" not in given.options:
            if columns is not None:
                self._wrong(given, "says columns= and not what it reads", "say reads={...} too")
            return given
        try:
            lineage = declared(reads, columns)
        except ValueError as error:
            self._wrong(given, str(error), 'say reads={"public.orders": ["id", "amount"]}')
            return given
        upstream = [source for source in reads if source in self.known and source != given.name]
        return replace(given, extra=_joined(given.extra, upstream), lineage=lineage)

    def _reads(self, given: AssetDeclaration, quiet: bool = False) -> dict[str, Columns]:
        """What an asset says it reads, by the names of assets and of tables."""
        reads: Any = given.options.get("reads") or {}
        if not isinstance(reads, Mapping):
            if not quiet:
                hint = 'say reads={"public.orders": ["id", "amount"]}'
                self._wrong(given, f"reads is {reads!r}", hint)
            return {}
        found: dict[str, Columns] = {}
        for source, names in reads.items():
            named = getattr(source, "name", source)
            if not isinstance(named, str) or not named.strip():
                if not quiet:
                    what = f"reads names {named!r}, which is no table and no asset"
                    self._wrong(given, what, 'say reads={"public.orders": ["id", "amount"]}')
                continue
            try:
                found[str(named)] = declared({str(named): names}).reads[str(named)]
            except ValueError as error:
                if not quiet:
                    hint = 'name its columns, or say "*" for all'
                    self._wrong(given, str(error), hint)
        return found

    # SQL

    def _options(self, given: AssetDeclaration) -> None:
        """What is said of SQL, and cannot be meant."""
        options = given.options
        for name in ("table", "partition_column", "dialect"):
            said = options.get(name)
            if said is not None and not isinstance(said, str):
                self._wrong(given, f"{name} is {said!r}", f'say {name}="..."')
            elif said is not None and not said.strip() and name != "dialect":
                self._wrong(given, f"{name} is empty", "leave it out, or say which")
        if options.get("views") and not _views(given):
            what = f"views is {options['views']!r}"
            self._wrong(given, what, 'say views={"paid": "select ..."}')
        if options.get("database") is not None:
            written = options.get("sql") is not None and options.get("command") is None
            if trouble := database_trouble(options["database"], written):
                self._wrong(given, *trouble)

    def _of_sql(self, given: AssetDeclaration) -> AssetDeclaration:
        options = given.options
        if "columns" in options:
            self._wrong(given, "columns= is read from its SQL", "leave it out")
        database = str(options.get("database") or DEFAULT_CONNECTION)
        dialect = self._dialect(given)
        text, file, first = self._text(given)
        if text is None:
            return given
        table = self.known[given.name].table
        column = str(options.get("partition_column") or "")
        statement = Statement(given.name, text, table, database, dialect, column)
        if options.get("command") is not None:
            # The command runs the query in its own way; it is only read.
            statement = None
        parse = self._parser(given)
        if parse is None:
            return given
        try:
            query = parse.parsed(text, dialect)
            if statement is not None:
                self._parameters(given, parse, query, text, file, first)
            lineage, upstream = self._lineage(given, parse, query, file, first)
        except parse.QueryError as error:
            self._mistake(given, file, first, error.line, error.place, error.what, error.hint)
            return replace(given, statement=statement)
        self._partition_column(given, column, lineage)
        extra = _joined(given.extra, upstream)
        return replace(given, extra=extra, lineage=lineage, statement=statement)

    def _parser(self, given: AssetDeclaration) -> Any:
        try:
            return import_module("reactor.sql.parse")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "sqlglot":
                raise
            self._wrong(given, "has SQL, and what reads it is not installed", INSTALL)
            return None

    def _text(self, given: AssetDeclaration) -> tuple[str | None, str, int]:
        """The query, the file it is in (if it is a file of its own), and the line it begins at."""
        said: Any = given.options["sql"]
        if isinstance(said, str) and not (said.endswith(".sql") and not said.split()[1:]):
            return said, "", 0
        if not isinstance(said, (str, Path)):
            self._wrong(given, f"sql is {said!r}", "say the select, or the Path of a .sql file")
            return None, "", 0
        path = beside(given.where, said)
        try:
            return path.read_text(encoding="utf-8"), str(path), 1
        except (OSError, UnicodeDecodeError) as error:
            self._wrong(given, f"{path} cannot be read: {error}", "say where the .sql file is")
            return None, "", 0

    def _lineage(
        self, given: AssetDeclaration, parse: Any, query: Any, file: str, first: int
    ) -> tuple[Lineage, list[str]]:
        tables: dict[str, Table] = {
            name: Table(name, tuple(sorted(columns))) for name, columns in self.external.items()
        }
        upstream: list[str] = []
        for name in query.tables:
            asset = self._asset_of(name, given)
            if asset is not None:
                upstream.append(asset)
                tables[name] = self._as_table(asset)
        catalogue = Catalogue(tables, _views(given))
        lineage, unknown = parse.lineage(query, catalogue)
        # What a CTE hides, or a view stands for, is not read.
        upstream = [name for name in dict.fromkeys(upstream) if name in lineage.reads]
        for source in lineage.reads:
            asset = None if source in self.known else self._asset_of(source, given)
            if asset is not None and asset not in upstream:
                upstream.append(asset)
        for each in unknown:
            table = each.table or "no table in it"
            what = f"{table} has {'no' if each.table else 'a'} column {each.column}"
            hint = nearest(each.column, each.known) or f"there are {', '.join(each.known)}"
            self._mistake(given, file, first, each.line, each.place, what, hint)
        return lineage, upstream

    def _asset_of(self, table: str, reader: AssetDeclaration) -> str | None:
        """The asset that keeps the table which a query calls so, or None if no asset does."""
        for name in self.by_key.get(table_key(table), ()):
            if name != reader.name and same_table(table, self.known[name].table):
                return name
        schema, _, last = table.casefold().rpartition(".")
        known = self.known.get(last)
        if known is None or known.is_sql or last == reader.name or not schema or "/" in table:
            return None
        own = self._reads(known.declaration, quiet=True)
        reads_it = any(same_table(table, source) for source in own)
        return None if reads_it or "table" in known.declaration.options else last

    def _as_table(self, asset: str) -> Table:
        """What is known of the columns of an asset that is read."""
        known = self.known[asset]
        lineage = self.of(known.declaration).lineage if not known.busy else None
        if lineage is None or lineage.derives is None:
            return Table(asset)
        closed = known.is_sql and lineage.columns is not None
        return Table(asset, tuple(lineage.derives), closed)

    def _parameters(
        self, given: AssetDeclaration, parse: Any, query: Any, text: str, file: str, first: int
    ) -> None:
        """What a query asks for, and nothing fills."""
        offered = [f":{name}" for name in parse.PARAMETERS]
        for written, line, place in parse.unfilled(query, text):
            hint = nearest(written, offered) or f"a query may ask for {', '.join(offered)}"
            what = f"nothing fills the parameter {written}"
            self._mistake(given, file, first, line, place, what, hint)
        partitions = given.options.get("partitions")
        for name in sorted(query.parameters):
            if partitions is None:
                hint = 'say partitions=Daily("2026-01-01"), or another kind'
                self._wrong(given, f"its SQL asks for :{name}, and it has no partitions", hint)
            elif isinstance(partitions, (Static, Dynamic)) and name != "partition":
                hint = "ask for :partition"
                what = f"its SQL asks for :{name}, and its partitions are no windows of time"
                self._wrong(given, what, hint)

    def _partition_column(self, given: AssetDeclaration, column: str, lineage: Lineage) -> None:
        partitions = given.options.get("partitions")
        if column and partitions is None:
            hint = "say partitions=Daily(...) too"
            self._wrong(given, f"partition_column is {column}, and it has no partitions", hint)
        if partitions is not None and not column:
            hint = 'say partition_column="day": a step writes the rows of its own partition'
            self._wrong(given, "has partitions, and no column tells its rows apart", hint)
        own = lineage.columns
        if column and own is not None and column.casefold() not in {n.casefold() for n in own}:
            hint = nearest(column, own) or f"it answers {', '.join(sorted(own))}"
            self._wrong(given, f"partition_column is {column}, which it does not answer", hint)

    # Problems

    def _mistake(
        self,
        given: AssetDeclaration,
        file: str,
        first: int,
        line: int,
        place: int,
        what: str,
        hint: str,
    ) -> None:
        """Something in the text of a query, where it stands."""
        if file:
            where = f"{file}:{line or first}"
            said = f"{given.name}: {what}" + (f" (column {place})" if line and place else "")
            self.problems.append(Problem(said, where, hint))
            return
        at = f"line {line}, column {place} of its SQL: " if line else "its SQL: "
        self._wrong(given, at + what, hint)

    def _wrong(self, given: AssetDeclaration, what: str, hint: str = "") -> None:
        self.problems.append(Problem(f"{given.name}: {what}", given.where, hint))


def _views(given: AssetDeclaration) -> Mapping[str, str]:
    """The queries behind views by name; none if that is not what was said."""
    views: Any = given.options.get("views")
    if not isinstance(views, Mapping):
        return {}
    said = cast("Mapping[Any, Any]", views)
    return said if all(isinstance(each, str) for pair in said.items() for each in pair) else {}


def beside(where: str, path: str | Path) -> Path:
    """A path that is meant from the file of a declaration, or from the current folder."""
    near = Path(where.rpartition(":")[0]).parent / path
    return near if near.exists() else Path(path)


def _joined(extra: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*extra, *more]))
