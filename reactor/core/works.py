"""The works of a run as what they are, a graph: what follows from what, and in which order.

Knows: works and the places of their upstreams. Refuses to know: steps beyond their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reactor.core.link import Place
from reactor.core.run import Work


def followed(work: Work, works: Sequence[Work]) -> dict[Place, int]:
    """The steps that a work follows from, by what they write."""
    found: dict[Place, int] = {}
    stack = list(work.upstream)
    seen = set(stack)
    while stack:
        above = works[stack.pop()]
        found[above.asset, above.partition] = above.step
        new = [at for at in above.upstream if at not in seen]
        seen.update(new)
        stack += new
    return found


def upstreams_first(works: Sequence[Work]) -> tuple[Work, ...]:
    """The same works in an order in which each stands behind all that it names as upstream."""
    order: list[int] = []
    done: set[int] = set()
    for first in range(len(works)):
        stack = [first]
        while stack:
            at = stack[-1]
            waits = [] if at in done else [up for up in works[at].upstream if up not in done]
            if waits:
                stack += reversed(waits)
                continue
            stack.pop()
            if at not in done:
                done.add(at)
                order.append(at)
    place = {at: number for number, at in enumerate(order)}
    return tuple(
        replace(works[at], upstream=tuple(place[up] for up in works[at].upstream)) for at in order
    )
