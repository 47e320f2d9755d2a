"""Which partitions an operator means: a range, a list, all there are, or those never made.

Knows: the partitions that assets declare. Refuses to know: what is done with them.

Law: every key that is selected is a partition of each of the assets, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from reactor.core.asset import Asset
from reactor.core.errors import ReactorError
from reactor.core.graph import Graph
from reactor.core.partition import Partitions
from reactor.core.sentence import listed

MOST = 100_000
"""How many partitions one backfill may have."""

ALL, MISSING = "all", "missing"
_SHOWN = 10

Made = Callable[[str], Iterable[str]]
"""The partitions that an asset was made for."""


def selected(
    graph: Graph, names: Sequence[str], wanted: str | Sequence[str], made: Made, now: datetime
) -> tuple[str, ...]:
    """The partitions of some assets that are meant.

    Args:
        names: assets of the graph.
        wanted: `A..B` (either end may be left out), `a,b,c`, `all` or `missing`; or the keys
            themselves, whatever characters they have.

    Returns: keys, a range in its order, a list as given, never none.
    Raises: ReactorError that says what is wrong and what there is.
    """
    assets = [graph.assets[name] for name in names]
    first = _partitioned(graph, assets)
    there = _there(graph, first, made, now)
    if isinstance(wanted, str):
        keys = _read(wanted, first, there, [set(made(asset.name)) for asset in assets])
    else:
        keys = list(wanted)
    keys = list(dict.fromkeys(keys))
    _check(keys, assets, there, now)
    if not keys:
        raise _nothing(names, wanted, there)
    if len(keys) > MOST:
        raise ReactorError(
            f"these are {len(keys):,} partitions, and one backfill may have {MOST:,}",
            hint="take a shorter range, and the rest afterwards",
        )
    return tuple(keys)


def _partitioned(graph: Graph, assets: Sequence[Asset]) -> Partitions:
    """The partitions of the first asset. Raises: ReactorError if one of them has none."""
    for asset in assets:
        if asset.partitions is None:
            divided = [each.name for each in graph.assets.values() if each.partitions is not None]
            raise ReactorError(
                f"{asset.name} has no partitions",
                hint=f"materialize it whole; those with partitions: {listed(divided, _SHOWN)}"
                if divided
                else "materialize it whole: no asset of this pipeline has partitions",
            )
    first = assets[0].partitions
    if first is None:
        raise ReactorError("no asset is named")
    return first


def _there(graph: Graph, partitions: Partitions, made: Made, now: datetime) -> tuple[str, ...]:
    """The partitions that exist: those declared, else those made of any asset that has them."""
    declared = partitions.listed(now)
    if declared is not None:
        return declared
    same = [
        asset.name
        for asset in graph.assets.values()
        if asset.partitions is not None and asset.partitions.plain == partitions.plain
    ]
    return tuple(sorted({key for name in same for key in made(name)}))


def _read(
    text: str, partitions: Partitions, there: Sequence[str], made: Sequence[set[str]]
) -> list[str]:
    if text in there:
        return [text]
    if text == ALL:
        return list(there)
    if text == MISSING:
        return [key for key in there if any(key not in keys for keys in made)]
    keys: list[str] = []
    for part in map(str.strip, text.split(",")):
        first, dots, last = part.partition("..")
        if not dots or part in there:
            keys.append(part)
        else:
            keys.extend(_between(first.strip(), last.strip(), partitions, there))
    return keys


def _between(
    first: str, last: str, partitions: Partitions, there: Sequence[str]
) -> tuple[str, ...]:
    if not (first and last) and not there:
        raise ReactorError("there is no partition yet", hint="name both ends of the range")
    try:
        return partitions.between(first or there[0], last or there[-1])
    except ValueError as error:
        raise ReactorError(str(error), hint=_about(there)) from None


def _check(
    keys: Iterable[str], assets: Sequence[Asset], there: Sequence[str], now: datetime
) -> None:
    """Raises: ReactorError for a key that is no partition, or a window that has not begun."""
    known = set(there)
    for asset in assets:
        partitions = asset.partitions
        if partitions is None:
            continue
        closed = partitions.listed(now) is not None
        for key in keys:
            if problem := partitions.problem(key):
                raise ReactorError(problem, where=asset.name, hint=_about(there))
            if closed and key not in known:
                raise ReactorError(f"{key} has not begun yet", where=asset.name, hint=_about(there))


def _about(there: Sequence[str]) -> str:
    """What there is, in a few words."""
    if len(there) <= _SHOWN:
        return f"there are {', '.join(there)}" if there else "there are none yet"
    return f"there are {len(there):,}, from {there[0]} to {there[-1]}"


def _nothing(names: Sequence[str], wanted: str | Sequence[str], there: Sequence[str]) -> Exception:
    what = f"no partition of {', '.join(names)}"
    if wanted == MISSING and there:
        return ReactorError(f"{what} is missing", hint=f"{_about(there)}, all of them made")
    return ReactorError(f"{what} is meant", hint=_about(there))
