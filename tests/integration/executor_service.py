"""A service in a process of its own, to be killed: a command and a worker, each with descendants.

Run with the folder to report to. Whatever it starts inherits the variable REACTOR_TEST_MARK, by
which the test finds it, wherever it went.
"""

import multiprocessing
import os
import sys
import time
from pathlib import Path

import anyio

from reactor.executors.command import INHERITED, CommandExecutor
from reactor.executors.process import ProcessExecutor
from reactor.ports import Job

MARK = "REACTOR_TEST_MARK"

TREE = """
trap '' TERM HUP INT
(trap '' TERM HUP; sleep 600) &
setsid sh -c 'trap "" TERM; (sleep 601 & echo $! > "$0/daemon"; wait) & wait' "$1" &
touch "$1/command"
while :; do sleep 1; done
"""


def with_a_child(folder: str) -> None:
    """A step in a worker that starts a process of its own, and one that leaves its session."""
    os.spawnvp(os.P_NOWAIT, "sleep", ["sleep", "602"])
    os.spawnvp(os.P_NOWAIT, "setsid", ["setsid", "sleep", "603"])
    (Path(folder) / "worker").touch()
    time.sleep(600)


async def main(folder: str) -> None:
    commands = CommandExecutor(inherit=INHERITED | {MARK})
    workers = ProcessExecutor()
    command = Job("tree", 1, 1, None, {}, argv=["sh", "-c", TREE, "sh", folder])
    step = Job("step", 2, 1, None, {"folder": folder}, locate=f"{__file__}:{with_a_child.__name__}")
    # A copy of this process, as a user's own code may make: it holds every socket open.
    copy = multiprocessing.get_context("fork").Process(target=time.sleep, args=[604], daemon=True)
    copy.start()
    (Path(folder) / "copy").write_text(str(copy.pid))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(commands.run, command)
        tasks.start_soon(workers.run, step)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
