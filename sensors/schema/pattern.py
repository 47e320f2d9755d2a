"""Which tables of a database are watched: globs over `schema.table`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Tables:
    """Globs such as `public.*` or `sales.order_?`; one without a dot is for the default schema."""

    globs: tuple[str, ...]

    def match(self, schema: str, table: str, default: str) -> bool:
        """Whether any glob matches, where `default` is the database's default schema."""
        return any(
            fnmatchcase(schema, wanted) and fnmatchcase(table, glob)
            for wanted, glob in self.parts(default)
        )

    def parts(self, default: str) -> Sequence[tuple[str, str]]:
        """A glob for the schema and one for the table, for each glob."""
        split = [glob.partition(".") for glob in self.globs]
        return [(schema, table) if dot else (default, schema) for schema, dot, table in split]

    def __str__(self) -> str:
        return ", ".join(self.globs)


def like(glob: str) -> str:
    """A SQL LIKE pattern that lets in all that `glob` matches, and maybe more."""
    if "[" in glob:
        return "%"
    escaped = glob.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")
