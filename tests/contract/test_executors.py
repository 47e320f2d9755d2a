"""What every executor owes, whatever it runs work in."""

import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from reactor.core.errors import StepError
from reactor.executors.async_ import AsyncExecutor
from reactor.executors.command import CommandExecutor
from reactor.executors.process import ProcessExecutor
from reactor.executors.thread import ThreadExecutor
from reactor.ports import Executor, Job
from tests.contract import work
from tests.integration.processes import children, disregard_servers

pytestmark = pytest.mark.anyio
PATIENCE = 30
PROGRAM = str(Path(work.__file__))


def on_the_loop(step: int, name: str, arguments: dict[str, Any]) -> Job:
    return Job("asset", step, 1, work.WORK[name], arguments)


def as_a_function(step: int, name: str, arguments: dict[str, Any]) -> Job:
    plain = f"plain_{name}"
    return Job("asset", step, 1, getattr(work, plain), arguments, locate=f"{work.__file__}:{plain}")


def as_a_command(step: int, name: str, arguments: dict[str, Any]) -> Job:
    argv = [sys.executable, PROGRAM, name, json.dumps(arguments)]
    return Job("asset", step, 1, None, {}, argv=argv)


@dataclass(frozen=True)
class Kind:
    """An implementation, and how the same work is handed to it."""

    make: Callable[[], Executor]
    job: Callable[[int, str, dict[str, Any]], Job]
    separate: bool
    """Whether the work has a process of its own."""

    def value(self, returned: Any) -> Any:
        """What the work returned: a command can only print it."""
        return returned["stdout"] if self.make is CommandExecutor else returned


KINDS = {
    "async": Kind(AsyncExecutor, on_the_loop, separate=False),
    "thread": Kind(ThreadExecutor, as_a_function, separate=False),
    "process": Kind(ProcessExecutor, as_a_function, separate=True),
    "command": Kind(CommandExecutor, as_a_command, separate=True),
}


@pytest.fixture(params=KINDS, scope="module")
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
async def executor(kind: Kind) -> AsyncIterator[Executor]:
    disregard_servers()
    executor = kind.make()
    yield executor
    await executor.aclose()
    assert children() == []


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():
            await anyio.sleep(0.005)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_returns_what_the_work_returned(executor: Executor, kind: Kind) -> None:
    for step, handle in enumerate(["lake/a.parquet", 7, None, [1, 2.5], {"rows": 3, "é": ["x"]}]):
        returned = await executor.run(kind.job(step, "echo", {"value": handle}))
        assert kind.value(returned) == handle


async def test_it_raises_what_the_work_raised(executor: Executor, kind: Kind) -> None:
    with pytest.raises(StepError if kind.separate else ValueError) as raised:
        await executor.run(kind.job(1, "fail", {"text": "amount is negative"}))
    assert "amount is negative" in str(raised.value)
    if kind.separate:
        assert "ValueError" in str(raised.value)


async def test_work_that_asks_to_exit_ends_itself_and_not_the_service(
    executor: Executor, kind: Kind
) -> None:
    with pytest.raises(StepError, match=r"exit.*3"):
        await executor.run(kind.job(1, "leave", {"code": 3}))
    assert kind.value(await executor.run(kind.job(2, "echo", {"value": "on"}))) == "on"


async def test_many_work_at_the_same_time(executor: Executor, kind: Kind, tmp_path: Path) -> None:
    met: list[int] = []

    async def run(step: int) -> None:
        arguments = {"folder": str(tmp_path), "name": str(step), "count": 6}
        met.append(kind.value(await executor.run(kind.job(step, "meet", arguments))))

    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            for step in range(6):
                tasks.start_soon(run, step)
    assert met == [6] * 6


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"thread"}), indirect=True)
async def test_cancelling_stops_the_work_before_it_returns(
    executor: Executor, kind: Kind, tmp_path: Path
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run, kind.job(1, "tick", {"folder": str(tmp_path)}))
        await until((tmp_path / "begun").exists)
        tasks.cancel_scope.cancel()
    if kind.separate:
        assert not alive(int((tmp_path / "pid").read_text()))
    else:
        assert (tmp_path / "ended").exists()


async def test_after_a_cancellation_it_goes_on_working(
    executor: Executor, kind: Kind, tmp_path: Path
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run, kind.job(1, "tick", {"folder": str(tmp_path)}))
        await until((tmp_path / "begun").exists)
        tasks.cancel_scope.cancel()
    assert kind.value(await executor.run(kind.job(2, "echo", {"value": 1}))) == 1
    (tmp_path / "enough").touch()
    await until((tmp_path / "ended").exists if not kind.separate else lambda: True)


async def test_a_cancellation_that_is_already_there_starts_nothing_that_stays(
    executor: Executor, kind: Kind, tmp_path: Path
) -> None:
    (tmp_path / "enough").touch()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await executor.run(kind.job(1, "tick", {"folder": str(tmp_path)}))
    await executor.aclose()
    await until(lambda: children() == [])


async def test_it_lets_go_of_what_it_opened(executor: Executor, kind: Kind) -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    await executor.run(kind.job(0, "echo", {"value": 1}))
    before = opened()
    for step in range(1, 8):
        await executor.run(kind.job(step, "echo", {"value": step}))
        with pytest.raises((StepError, ValueError)):
            await executor.run(kind.job(step, "fail", {"text": "no"}))
    assert opened() == before


async def test_it_may_be_closed_twice_and_unused(executor: Executor) -> None:
    await executor.aclose()
    await executor.aclose()


async def test_a_cancelled_thread_is_reported_until_it_returns(tmp_path: Path) -> None:
    executor = ThreadExecutor(limit=1)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run, as_a_function(7, "tick", {"folder": str(tmp_path)}))
        await until((tmp_path / "begun").exists)
        assert executor.stray == frozenset()
        tasks.cancel_scope.cancel()
    assert executor.stray == {(7, 1)}
    # Its slot is free although the thread is not.
    assert await executor.run(as_a_function(8, "echo", {"value": 1})) == 1
    with anyio.move_on_after(0.01) as waited:
        await executor.returned(7, 1)
    assert waited.cancelled_caught
    (tmp_path / "enough").touch()
    with anyio.fail_after(PATIENCE):
        await executor.returned(7, 1)
    assert executor.stray == frozenset()
    assert (tmp_path / "ended").exists()
    await executor.aclose()


async def test_threads_beyond_the_limit_wait_for_their_turn(tmp_path: Path) -> None:
    executor = ThreadExecutor(limit=1)
    order: list[int] = []

    async def second() -> None:
        order.append(await executor.run(as_a_function(2, "echo", {"value": 2})))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(executor.run, as_a_function(1, "tick", {"folder": str(tmp_path)}))
        await until((tmp_path / "begun").exists)
        tasks.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        assert order == []
        (tmp_path / "enough").touch()
    assert order == [2]
    await executor.aclose()


async def test_a_coroutine_that_meets_a_cancelled_one_has_failed() -> None:
    """Not cancelled: the service did not ask for it, and would wait for its outcome for ever."""

    async def meets() -> None:
        raise anyio.get_cancelled_exc_class()()

    with pytest.raises(StepError, match="not by the service"):
        await AsyncExecutor().run(Job("asset", 1, 1, meets, {}))
