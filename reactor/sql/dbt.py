"""The models of a dbt project, from the manifest that dbt writes.

Knows: which of a manifest's nodes are models, what they depend on, and where their SQL is. dbt
itself runs them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reactor.core.errors import DefinitionError
from reactor.sql.declared import beside
from reactor.sql.files import Model
from reactor.sql.statement import dialect_of

BUILD = ("dbt", "build", "--select", "{asset}")
_HINT = "let dbt write it: dbt compile"


def dbt_models(manifest: str, command: Sequence[str], where: str) -> list[Model]:
    """One model for each of the manifest, in its order; ephemeral ones live on in their readers.

    Tests, seeds, sources and macros make no assets: seeds and sources are tables like any other.
    A model whose SQL was not compiled, or is no SQL, says nothing of columns.

    Raises: DefinitionError if the file is no manifest.
    """
    path = beside(where, manifest)
    nodes, adapter = _nodes(path, where)
    dialect = dialect_of(f"{adapter}://") if adapter else ""
    made = {key: node for key, node in nodes.items() if _is_asset(node)}
    root = path.absolute().parent.parent
    return [
        Model(
            str(node["name"]),
            _where(root, node),
            str(node.get("description") or ""),
            _upstream(key, nodes, made),
            _options(node, dialect, command),
        )
        for key, node in made.items()
    ]


def _nodes(path: Path, where: str) -> tuple[dict[str, Mapping[str, Any]], str]:
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{path} cannot be read: {error}", where=where, hint=_HINT) from error
    except ValueError as error:
        what = f"{path} is no dbt manifest: {error}"
        raise DefinitionError(what, where=where, hint=_HINT) from error
    nodes: Any = whole.get("nodes") if isinstance(whole, dict) else None
    if not isinstance(nodes, dict):
        what = f"{path} is no dbt manifest: it has no nodes"
        raise DefinitionError(what, where=where, hint=_HINT)
    metadata: Any = whole.get("metadata") or {}
    return nodes, str(metadata.get("adapter_type") or "")


def _is_asset(node: Mapping[str, Any]) -> bool:
    config: Any = node.get("config") or {}
    kind = node.get("resource_type")
    return kind == "model" and config.get("materialized") != "ephemeral"


def _upstream(
    key: str, nodes: Mapping[str, Mapping[str, Any]], made: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """The models that a model depends on, through ephemeral ones too."""
    found: dict[str, None] = {}
    seen = {key}
    stack = _depends_on(nodes[key])
    while stack:
        each = stack.pop()
        if each in seen or each not in nodes:
            continue
        seen.add(each)
        if each in made:
            found[str(made[each]["name"])] = None
        else:
            stack.extend(_depends_on(nodes[each]))
    return tuple(sorted(found))


def _depends_on(node: Mapping[str, Any]) -> list[str]:
    depends: Any = node.get("depends_on") or {}
    return list(depends.get("nodes") or ())


def _options(node: Mapping[str, Any], dialect: str, command: Sequence[str]) -> dict[str, Any]:
    options: dict[str, Any] = {"command": list(command)}
    config: Any = node.get("config") or {}
    meta: Any = {**(node.get("meta") or {}), **(config.get("meta") or {})}
    if isinstance(meta.get("owner"), str):
        options["owner"] = meta["owner"]
    text = node.get("compiled_code") or node.get("raw_code") or ""
    compiled = bool(node.get("compiled_code")) or "{" not in text
    if compiled and text.strip() and node.get("language", "sql") == "sql":
        schema, alias = node.get("schema"), node.get("alias") or node["name"]
        table = f"{schema}.{alias}" if schema else str(alias)
        options |= {"sql": text, "dialect": dialect, "table": table}
    return options


def _where(root: Path, node: Mapping[str, Any]) -> str:
    path = str(node.get("original_file_path") or "")
    found = root / path
    return f"{found if found.exists() else path}:1"
