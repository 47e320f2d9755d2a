"""Worker processes: what crosses to them and back, how they end, and who takes their place."""

import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from reactor.core.errors import StepError
from reactor.core.event import Event
from reactor.executors.process import ProcessExecutor
from reactor.pipeline import Output
from reactor.ports import Job
from tests.integration import executor_steps as steps
from tests.integration.processes import PATIENCE, alive, children, disregard_servers, opened

pytestmark = pytest.mark.anyio
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
async def workers() -> AsyncIterator[ProcessExecutor]:
    disregard_servers()
    workers = ProcessExecutor(warm=2, grace=timedelta(seconds=0.5))
    yield workers
    await workers.aclose()
    assert children() == []


class Lines(list[tuple[str, str]]):
    """What a job emitted."""

    def __call__(self, stream: str, text: str) -> None:
        self.append((stream, text))


def job(name: str, arguments: dict[str, Any] | None = None, *, step: int = 1, **more: Any) -> Job:
    locate = f"{steps.__file__}:{name}"
    found = getattr(steps, name)
    function = getattr(found, "function", found)
    return Job("asset", step, 1, function, arguments or {}, locate=locate, **more)


def event(number: int, data: Any, **more: Any) -> Event:
    return Event(f"orders/0/{number}", "orders", "record", "orders/0", AT, AT, data, **more)


async def until(condition: Callable[[], object]) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():
            await anyio.sleep(0.005)


async def test_a_worker_stays_warm_for_the_next_job(workers: ProcessExecutor) -> None:
    pids = [await workers.run(job("pid")) for _ in range(5)]
    assert len({*pids}) == 1
    assert pids[0] != os.getpid()


async def test_events_arrive_as_events_with_their_payload(workers: ProcessExecutor) -> None:
    order = steps.Order.model_validate_json(
        '{"orderId": 1, "placed": "2026-11-24T12:00:00Z", "tags": ["vip"]}'
    )
    events = (
        event(1, order, key="eu", headers={"trace": "é"}, raw=b"\x00\xff"),
        event(2, {"amount": 1.5}),
        event(3, b"\xff\x00"),
        event(4, None),
    )
    seen = await workers.run(job("kinds", {"event": events[0], "events": events}))
    assert seen == {
        "data": ["Order", "dict", "bytes", "NoneType"],
        "tags": ["vip"],
        "again": 8,
        "times": [AT.isoformat()] * 4,
        "raw": ["\x00\xff", None, None, None],
        "headers": {"trace": "é"},
        "equal": True,
        "type": "tuple",
    }


async def test_many_events_arrive(workers: ProcessExecutor) -> None:
    events = tuple(event(n, {"text": "x" * 200}, raw=b"y" * 200) for n in range(10_000))
    assert await workers.run(job("count", {"events": events})) == 10_000
    assert await workers.run(job("count", {"events": ()})) == 0


async def test_dataclasses_cross_both_ways(workers: ProcessExecutor) -> None:
    given = steps.Window(AT, 3)
    assert await workers.run(job("window", {"window": given})) == given
    returned = await workers.run(job("output"))
    assert returned == Output({"path": "lake/a"}, changed=["2026-11-01"])


async def test_what_json_does_not_know_comes_back_as_text(workers: ProcessExecutor) -> None:
    expected = {"path": "lake/a.parquet", "when": "2026-11-01", "ids": [7]}
    assert await workers.run(job("plain")) == expected


@dataclass(frozen=True)
class Context:
    """The host's, as far as it crosses."""

    run: int = 5
    runs: tuple[int, ...] = (4, 5)
    step: int = 1
    asset: str = "revenue"
    partition: str | None = "2026-11-24"
    attempt: int = 2
    run_key: str = "abc"
    causes: Sequence[Event] = ()
    previous: Any = None
    connections: dict[str, str] = field(default_factory=lambda: {"warehouse": "sqlite://"})
    said: list[Any] = field(default_factory=lambda: [])

    @property
    def log(self) -> "Context":
        return self

    def info(self, event: str, **about: Any) -> None:
        self.said.append((event, about))

    def progress(self, done: float, of: float | None = None, text: str = "") -> None:
        self.said.append((done, of, text))


async def test_the_context_crosses_and_what_it_says_comes_out_here(
    workers: ProcessExecutor,
) -> None:
    events = (event(1, {"n": 1}),)
    context = Context(causes=events, previous={"rows": 7})
    told = await workers.run(job("tell", {"context": context, "events": events}))
    assert told == {
        "asset": "revenue",
        "partition": "2026-11-24",
        "run": 5,
        "run_key": "abc",
        "attempt": 2,
        "causes": True,
        "previous": {"rows": 7},
        "url": "sqlite://",
    }
    assert context.said == [
        ("loading", {"rows": 3, "where": repr(Path("x"))}),
        (1, 2, "half"),
    ]
    with pytest.raises(StepError, match="no connection lake in the settings; there are: warehouse"):
        await workers.run(job("no_connection", {"context": context}))


async def test_prints_logs_and_the_output_of_its_processes_come_out_here(
    workers: ProcessExecutor,
) -> None:
    lines = Lines()
    await workers.run(job("speak", emit=lines))
    assert [text for stream, text in lines if stream == "stdout"] == [
        "printed",
        "from a process",
        "no end",
    ]
    assert ("stderr", "warned") in lines
    assert [text for stream, text in lines if stream == "log"] == ["INFO library: opened a.csv"]
    # And nothing of it is taken for the next job's.
    lines.clear()
    later = Lines()
    await workers.run(job("pid", emit=later))
    assert (lines, later) == ([], [])


async def test_coroutines_and_declared_assets_are_called_too(workers: ProcessExecutor) -> None:
    assert await workers.run(job("on_a_loop", {"value": 3})) == 3
    assert await workers.run(job("declared", {"n": 3})) == 4


async def test_an_exception_comes_back_with_its_traceback(workers: ProcessExecutor) -> None:
    with pytest.raises(StepError) as raised:
        await workers.run(job("boom"))
    assert str(raised.value) == "KeyError: 'amount'"
    [note] = raised.value.__notes__
    assert "invalid literal for int()" in note
    assert "executor_steps.py" in note
    assert "worker.py" not in note
    with pytest.raises(StepError, match="Bad"):
        await workers.run(job("unprintable"))


async def test_a_worker_that_failed_a_job_does_the_next(workers: ProcessExecutor) -> None:
    first = await workers.run(job("pid"))
    for name in ("boom", "unprintable", "frame"):
        with pytest.raises(StepError):
            await workers.run(job(name))
    assert await workers.run(job("pid")) == first


async def test_what_cannot_cross_is_named(workers: ProcessExecutor) -> None:
    with pytest.raises(StepError, match="cannot be handed to another process"):
        await workers.run(job("on_a_loop", {"value": object()}))
    with pytest.raises(StepError, match="returned object, which is not JSON data"):
        await workers.run(job("frame"))


@pytest.mark.parametrize(
    ("locate", "why"),
    [
        ("/nowhere/pipeline.py:load", "No such file"),
        (f"{steps.__file__}:renamed", "has no renamed"),
        ("no_such_module:load", "No module named 'no_such_module'"),
        ("shop.py:make.<locals>.load", "move it to the top of its module"),
    ],
)
async def test_a_function_that_cannot_be_imported_is_named(
    workers: ProcessExecutor, locate: str, why: str
) -> None:
    with pytest.raises(StepError, match=why):
        await workers.run(Job("asset", 1, 1, None, {}, locate=locate))


async def test_a_file_with_an_error_is_told_and_can_be_mended(
    workers: ProcessExecutor, tmp_path: Path
) -> None:
    file = tmp_path / "broken_pipeline.py"
    work = Job("asset", 1, 1, None, {}, locate=f"{file}:load")
    file.write_text("def load(:\n")
    with pytest.raises(StepError, match="SyntaxError"):
        await workers.run(work)
    file.write_text("def load():\n    return 'mended'\n")
    assert await workers.run(work) == "mended"


async def test_a_crash_is_named_with_the_end_of_its_stderr(workers: ProcessExecutor) -> None:
    with pytest.raises(StepError, match=r"worker process [0-9]+ was killed by SIGSEGV") as raised:
        await workers.run(job("crash"))
    assert "in crash" in str(raised.value)
    with pytest.raises(StepError, match=r"worker process [0-9]+ exited with 9"):
        await workers.run(job("leave_at_once"))
    assert await workers.run(job("on_a_loop", {"value": 1})) == 1


async def test_a_worker_that_closes_its_socket_is_ended(workers: ProcessExecutor) -> None:
    with pytest.raises(StepError, match="worker process"), anyio.fail_after(PATIENCE):
        await workers.run(job("close_everything"))


@pytest.mark.parametrize("name", ["clean_up", "clean_up_on_a_loop"])
async def test_a_cancelled_job_may_clean_up(
    workers: ProcessExecutor, name: str, tmp_path: Path
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(workers.run, job(name, {"folder": str(tmp_path)}))
        await until((tmp_path / "begun").exists)
        tasks.cancel_scope.cancel()
    assert (tmp_path / "clean").exists()
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_a_cancelled_job_ends_whatever_it_does(
    workers: ProcessExecutor, tmp_path: Path
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(workers.run, job("stubborn", {"folder": str(tmp_path)}))
        await until((tmp_path / "begun").exists)
        tasks.cancel_scope.cancel()
    assert "Stopped" in (tmp_path / "swallowed").read_text()
    assert not alive(int((tmp_path / "pid").read_text()))
    assert not alive(int((tmp_path / "child").read_text()))


async def test_what_a_job_leaves_behind_ends_with_it(
    workers: ProcessExecutor, tmp_path: Path
) -> None:
    first = await workers.run(job("pid"))
    orphan = int(await workers.run(job("orphan", {"folder": str(tmp_path)})))
    assert not alive(orphan)
    assert await workers.run(job("pid")) != first


async def test_a_thread_left_behind_does_not_cost_the_worker(workers: ProcessExecutor) -> None:
    first = await workers.run(job("leave_a_thread"))
    assert await workers.run(job("pid")) == first


async def test_folder_and_environment_are_the_jobs_own(
    workers: ProcessExecutor, tmp_path: Path
) -> None:
    here = os.getcwd()
    told = {"REACTOR_RUN_KEY": "abc"}
    arguments = {"folder": str(tmp_path)}
    first = await workers.run(job("move", arguments, env=told, cwd="/"))
    second = await workers.run(job("move", arguments))
    assert first == {"cwd": "/", "key": "abc", "own": None}
    assert second == {"cwd": here, "key": None, "own": None}


async def test_a_killed_idle_worker_is_replaced(workers: ProcessExecutor) -> None:
    first = await workers.run(job("pid"))
    os.kill(first, signal.SIGKILL)
    await until(lambda: not alive(first))
    assert await workers.run(job("pid")) != first


async def test_a_running_job_can_be_identified(workers: ProcessExecutor, tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(workers.run, job("clean_up", {"folder": str(tmp_path)}, step=7))
        await until((tmp_path / "begun").exists)
        assert workers.running[7, 1].pid == int((tmp_path / "pid").read_text())
        tasks.cancel_scope.cancel()
    assert workers.running == {}


async def test_idle_workers_beyond_what_is_kept_warm_end(tmp_path: Path) -> None:
    workers = ProcessExecutor(warm=1)
    before = opened()
    pids: list[int] = []

    async def one(step: int) -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await workers.run(job("clean_up", {"folder": str(tmp_path / str(step))}, step=step))

    scopes: list[anyio.CancelScope] = []
    (tmp_path / "0").mkdir()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, 0)
        await until((tmp_path / "0" / "begun").exists)
        pids.append(await workers.run(job("pid", step=1)))
        assert await workers.run(job("pid", step=2)) == pids[0]
        scopes[0].cancel()
    assert alive(pids[0])
    await workers.aclose()
    assert not alive(pids[0])
    assert opened() == before


async def test_an_idle_worker_ends_after_a_while() -> None:
    workers = ProcessExecutor(idle=timedelta(seconds=0.05))
    first = await workers.run(job("pid"))
    await until(lambda: not alive(first))
    assert await workers.run(job("pid")) != first
    await workers.aclose()


async def test_jobs_beyond_the_limit_wait_for_their_turn(tmp_path: Path) -> None:
    workers = ProcessExecutor(limit=1, grace=timedelta(seconds=0.5))
    done: list[int] = []

    async def second() -> None:
        done.append(await workers.run(job("pid", step=2)))

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as first:

            async def stop() -> None:
                await until((tmp_path / "begun").exists)
                tasks.start_soon(second)
                await anyio.wait_all_tasks_blocked()
                assert done == []
                first.cancel()

            tasks.start_soon(stop)
            await workers.run(job("clean_up", {"folder": str(tmp_path)}))
    assert len(done) == 1
    await workers.aclose()
