"""A process with a store open, to be killed, starved or refused: `python -m ... DOING PATH`.

Each thing that happened is a line on stdout; the process then waits for its stdin to close.
"""

import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import anyio

from reactor.core.decision import Facts, Fired
from reactor.core.errors import StoreError
from reactor.core.event import Event
from reactor.core.run import Run, RunStatus, Step, StepStatus, Work
from reactor.core.state import Change, Table
from reactor.ports import Move, Turn
from reactor.store import open_store
from reactor.store.database import Database

SENSOR = "kafka/orders"
EVENTS = 5
NOBODY = 65_534


def say(*words: object) -> None:
    print(*words, flush=True)


def whole(n: int, raw: bytes = b"{}") -> Turn:
    """Turn n: some events, where they were read to, a firing, a run and its step."""
    now = datetime.now(UTC)
    seqs = range(EVENTS * (n - 1) + 1, EVENTS * n + 1)
    events = [(seq, Event(f"{seq}", "orders", "test", f"{seq}", now, now, raw=raw)) for seq in seqs]
    step = Step(n, "raw", None, StepStatus.PENDING, n, (n,), now, root=True)
    run = Run(
        n,
        "daily",
        RunStatus.RUNNING,
        now,
        (Work("raw", None, n, (), "because", True),),
        events=((seqs[0], seqs[-1]),),
    )
    changes = [
        Change(Table.COUNTER, ("run",), n - 1 or None, n),
        Change(Table.STEP, (n,), None, step),
        Change(Table.RUN, (n,), None, run),
    ]
    fired = [Fired(n, "daily", None, None, now, n, tuple((seq,) for seq in seqs))]
    move = Move("orders/0", str(n - 1) if n > 1 else None, str(n))
    return Turn(now, Facts(events, fired, changes), [(SENSOR, move)])


async def turns(store: Database) -> None:
    """Records turn after turn, and says each when it is recorded."""
    n = (await store.load()).get(Table.COUNTER, "run") or 0
    while True:
        n += 1
        await store.commit(whole(n))
        say(n)


async def hold(store: Database) -> None:
    say("open")
    await anyio.to_thread.run_sync(sys.stdin.read)


async def fork(store: Database) -> None:
    """Leaves a child of its own behind that was forked with everything open."""
    child = os.fork()
    if child == 0:
        say(os.getpid())
        signal.pause()
    os._exit(0)


async def starve(store: Database) -> None:
    """Cannot make files longer for a while, as on a full disk."""
    await store.commit(whole(1))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5 << 20, hard))
    big = whole(2, raw=b"x" * (2 << 20))
    for _ in range(2):
        try:
            await store.commit(big)
        except StoreError as error:
            say(type(error).__name__, error)
    say(await store.positions(SENSOR), len(await store.events([(1, 99)])))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    await store.commit(big)
    say(await store.positions(SENSOR), len(await store.events([(1, 99)])))


DOINGS: dict[str, Callable[[Database], Awaitable[None]]] = {
    "turns": turns,
    "hold": hold,
    "fork": fork,
    "starve": starve,
}


async def main(doing: str, url: str) -> None:
    try:
        if doing == "unprivileged":
            if os.geteuid() == 0:
                os.setegid(NOBODY)
                os.seteuid(NOBODY)
            doing = "hold"
        async with open_store(url) as store:
            await DOINGS[doing](store)
    except StoreError as error:
        say(type(error).__name__, error)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2])
