"""What the executors are given to do: on a loop, as a plain function, and as a program."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


async def echo(value: Any) -> Any:
    return value


async def fail(text: str) -> None:
    raise ValueError(text)


async def leave(code: int) -> None:
    sys.exit(code)


async def tick(folder: str) -> str:
    """Works until `folder/enough` exists; its pid and its end can be seen there."""
    here = Path(folder)
    (here / "pid").write_text(str(os.getpid()))
    (here / "begun").touch()
    try:
        while not (here / "enough").exists():
            await asyncio.sleep(0.005)
    finally:
        (here / "ended").touch()
    return "enough"


async def meet(folder: str, name: str, count: int) -> int:
    """Returns only when so many of its kind are at work at the same time."""
    (Path(folder) / name).touch()
    while len(os.listdir(folder)) < count:
        await asyncio.sleep(0.005)
    return count


WORK: dict[str, Callable[..., Any]] = {
    work.__name__: work for work in (echo, fail, leave, tick, meet)
}


def plain_echo(value: Any) -> Any:
    return asyncio.run(echo(value))


def plain_fail(text: str) -> None:
    asyncio.run(fail(text))


def plain_leave(code: int) -> None:
    asyncio.run(leave(code))


def plain_tick(folder: str) -> str:
    return asyncio.run(tick(folder))


def plain_meet(folder: str, name: str, count: int) -> int:
    return asyncio.run(meet(folder, name, count))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(WORK[sys.argv[1]](**json.loads(sys.argv[2])))))
