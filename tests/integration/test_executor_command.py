"""Commands as people write them: loud, stubborn, forking, missing."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from reactor.core.errors import StepError
from reactor.executors.command import CommandExecutor
from reactor.executors.output import LINE_CHARACTERS
from reactor.ports import Job
from tests.integration.processes import (
    PATIENCE,
    alive,
    children,
    disregard_servers,
    facts,
    memory_kib,
    opened,
)

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


@pytest.fixture
async def commands() -> AsyncIterator[CommandExecutor]:
    disregard_servers()
    commands = CommandExecutor(grace=timedelta(seconds=0.3))
    yield commands
    await commands.aclose()
    assert children() == []


class Lines(list[tuple[str, str]]):
    """What a job emitted."""

    def __call__(self, stream: str, text: str) -> None:
        self.append((stream, text))


def job(*argv: str, step: int = 1, **more: Any) -> Job:
    return Job("asset", step, 1, None, {}, argv=argv, **more)


def shell(script: str, *arguments: str, **more: Any) -> Job:
    return job("sh", "-c", script, "sh", *arguments, **more)


async def until(condition: Any) -> None:
    with anyio.fail_after(PATIENCE):
        while not condition():
            await anyio.sleep(0.005)


async def test_both_outputs_arrive_line_by_line_and_the_last_line_is_the_handle(
    commands: CommandExecutor,
) -> None:
    lines = Lines()
    script = "echo loading; echo careful >&2; echo; printf '{\"rows\": 3}'"
    assert await commands.run(shell(script, emit=lines)) == {"exit": 0, "stdout": {"rows": 3}}
    said = [text for stream, text in lines if stream == "stdout"]
    assert said == ["loading", "", '{"rows": 3}']
    assert [text for stream, text in lines if stream == "stderr"] == ["careful"]


@pytest.mark.parametrize(
    ("printed", "handle"),
    [
        ("lake/a.parquet\\n\\n", "lake/a.parquet"),
        ("42\\n", 42),
        ("", ""),
        ("NaN\\n", "NaN"),
        ("1e999\\n", "1e999"),
        ('["a"]\\r\\n', ["a"]),
    ],
)
async def test_a_handle_is_json_or_text(
    commands: CommandExecutor, printed: str, handle: object
) -> None:
    assert (await commands.run(shell(f"printf '{printed}'")))["stdout"] == handle


async def test_a_line_is_seen_while_the_command_still_runs(
    commands: CommandExecutor, tmp_path: Path
) -> None:
    lines = Lines()
    go = tmp_path / "go"
    script = 'echo waiting; while [ ! -e "$1" ]; do sleep 0.01; done; echo done'
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(commands.run, shell(script, str(go), emit=lines))
        await until(lambda: lines == [("stdout", "waiting")])
        go.touch()
    assert lines[-1] == ("stdout", "done")


async def test_what_is_not_utf8_is_replaced(commands: CommandExecutor) -> None:
    lines = Lines()
    await commands.run(shell(r"printf 'caf\303\251 \377\n'", emit=lines))
    assert lines == [("stdout", "café \N{REPLACEMENT CHARACTER}")]


async def test_a_line_without_end_comes_in_pieces(commands: CommandExecutor) -> None:
    lines = Lines()
    script = f"head -c {3 * LINE_CHARACTERS + 5} /dev/zero | tr '\\0' é; echo; echo end"
    await commands.run(shell(script, emit=lines))
    assert max(len(text) for _, text in lines) == LINE_CHARACTERS
    assert lines[-1] == ("stdout", "end")


async def test_a_handle_that_is_too_long_is_cut_and_says_so(commands: CommandExecutor) -> None:
    script = f"head -c {LINE_CHARACTERS + 5} /dev/zero | tr '\\0' 7"
    handle = (await commands.run(shell(script)))["stdout"]
    assert handle == "7" * LINE_CHARACTERS + "…"


async def test_a_flood_of_output_does_not_fill_the_memory(commands: CommandExecutor) -> None:
    counted = 0

    def count(stream: str, text: str) -> None:
        nonlocal counted
        counted += len(text)

    await commands.run(shell("head -c 1000 /dev/zero", emit=count))
    before, counted = memory_kib(), 0
    both = f"head -c {64 * MIB} /dev/zero >&2 & yes {'x' * 63} | head -c {32 * MIB}; wait"
    await commands.run(shell(both, emit=count))
    assert counted == 64 * MIB + 32 * MIB * 63 // 64
    assert memory_kib() - before < 16 * 1024


async def test_a_missing_program_is_named(commands: CommandExecutor) -> None:
    with pytest.raises(StepError, match="dbtt could not be started: No such file") as raised:
        await commands.run(job("dbtt", "run"))
    assert "PATH" in raised.value.hint


async def test_a_missing_folder_is_named(commands: CommandExecutor, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="nowhere: No such file or directory"):
        await commands.run(job("true", cwd=str(tmp_path / "nowhere")))


async def test_a_file_that_is_no_program_is_named(
    commands: CommandExecutor, tmp_path: Path
) -> None:
    script = tmp_path / "load.sh"
    script.write_text("echo loaded")
    with pytest.raises(StepError, match=r"load\.sh could not be started: Permission denied"):
        await commands.run(job(str(script)))
    script.chmod(0o755)
    with pytest.raises(StepError, match=r"load\.sh could not be started: Exec format error"):
        await commands.run(job(str(script)))


async def test_an_argument_that_no_program_can_get_is_refused(commands: CommandExecutor) -> None:
    with pytest.raises(StepError, match="null byte"):
        await commands.run(job("echo", "a\0b"))


async def test_a_failure_tells_its_code_and_the_end_of_stderr(commands: CommandExecutor) -> None:
    with pytest.raises(StepError) as raised:
        await commands.run(shell("echo connecting; echo no such table: orders >&2; exit 4"))
    assert str(raised.value) == "sh exited with 4; the end of its stderr:\nno such table: orders"


async def test_a_failure_by_a_signal_names_it(commands: CommandExecutor) -> None:
    with pytest.raises(StepError, match="sh was killed by SIGSEGV"):
        await commands.run(shell("kill -SEGV $$"))


async def test_it_sees_what_it_is_told_and_nothing_of_the_service(
    commands: CommandExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "hunter2")
    monkeypatch.setenv("TZ", "Europe/Paris")
    lines = Lines()
    told = {"REACTOR_RUN_KEY": "abc", "HOME": "/elsewhere"}
    await commands.run(job("env", env=told, emit=lines))
    seen = dict(text.split("=", 1) for _, text in lines)
    assert seen.items() >= {**told, "TZ": "Europe/Paris"}.items()
    assert "WAREHOUSE_PASSWORD" not in seen


async def test_no_shell_reads_its_arguments(commands: CommandExecutor) -> None:
    hostile = "$(touch owned); `id` * \udcff"
    handle = await commands.run(job("printf", "%s", hostile))
    assert handle["stdout"] == hostile.replace("\udcff", "\N{REPLACEMENT CHARACTER}")


async def test_it_has_an_empty_stdin_no_stray_descriptors_and_default_signals(
    commands: CommandExecutor,
) -> None:
    script = "import os, signal, sys; print([sorted(os.listdir('/proc/self/fd'))[:-1],"
    script += " sys.stdin.read(), os.getsid(0) == os.getpid(),"
    script += " signal.getsignal(signal.SIGTERM) == signal.SIG_DFL])"
    handle = await commands.run(job(sys.executable, "-c", script))
    assert handle["stdout"] == "[['0', '1', '2'], '', True, True]"


async def test_a_launch_larger_than_any_buffer_arrives(commands: CommandExecutor) -> None:
    words = ["x" * 100_000] * 15
    script = "import sys; print(sum(map(len, sys.argv[1:])))"
    assert (await commands.run(job(sys.executable, "-c", script, *words)))["stdout"] == 1_500_000


async def test_a_launch_cancelled_half_way_leaves_nothing(commands: CommandExecutor) -> None:
    before = opened()
    for _ in range(20):
        with anyio.move_on_after(0.002):
            await commands.run(job("sleep", "60", "x" * 100_000, *["y" * 100_000] * 9))
    assert commands.running == {}
    await commands.aclose()
    assert opened() <= before


async def test_many_are_started_at_once(commands: CommandExecutor) -> None:
    handles: list[int] = []

    async def run(step: int) -> None:
        handles.append((await commands.run(job("echo", str(step), step=step)))["stdout"])

    async with anyio.create_task_group() as tasks:
        for step in range(60):
            tasks.start_soon(run, step)
    assert sorted(handles) == [*range(60)]


async def test_a_cancelled_command_may_clean_up(commands: CommandExecutor, tmp_path: Path) -> None:
    clean, begun = tmp_path / "clean", tmp_path / "begun"
    script = 'trap \'echo bye; touch "$1"; exit\' TERM; touch "$2"; while :; do sleep 0.01; done'
    lines = Lines()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(commands.run, shell(script, str(clean), str(begun), emit=lines))
        await until(begun.exists)
        tasks.cancel_scope.cancel()
    assert clean.exists()
    assert ("stdout", "bye") in lines


async def test_a_cancelled_command_ends_whatever_it_does(
    commands: CommandExecutor, tmp_path: Path
) -> None:
    """It ignores SIGTERM, has been stopped, has forked twice and left its session."""
    script = """
    trap '' TERM
    echo $$ > "$1/self"
    (trap '' TERM; setsid sleep 91 & echo $! > "$1/own-session")
    setsid sh -c 'trap "" TERM; (sleep 92 & echo $! > "$0/orphan")' "$1"
    sleep 93 & kill -STOP $!; echo $! > "$1/stopped"
    touch "$1/begun"
    while :; do sleep 0.01; done
    """
    pids: list[int] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(commands.run, shell(script, str(tmp_path)))
        await until((tmp_path / "begun").exists)
        names = ("self", "own-session", "orphan", "stopped")
        pids = [int((tmp_path / name).read_text()) for name in names]
        assert all(map(alive, pids))
        tasks.cancel_scope.cancel()
    assert not any(map(alive, pids))


async def test_a_process_that_hops_from_pid_to_pid_is_caught(
    commands: CommandExecutor, tmp_path: Path
) -> None:
    hopper = tmp_path / "hopper"
    hopper.write_text(f"#!/bin/sh\ntouch {tmp_path}/begun\n[ -e {tmp_path}/enough ] || $0 &\n")
    hopper.chmod(0o755)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(commands.run, job(str(hopper)))
            await until((tmp_path / "begun").exists)
            tasks.cancel_scope.cancel()
        (tmp_path / "begun").unlink()
        await commands.aclose()
        assert not (tmp_path / "begun").exists()
    finally:
        (tmp_path / "enough").touch()


async def test_a_crowd_of_processes_ends(commands: CommandExecutor, tmp_path: Path) -> None:
    script = """
    i=0; while [ $i -lt 60 ]; do (trap '' TERM; sleep 94) & i=$((i+1)); done
    touch "$1"; wait
    """
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(commands.run, shell(script, str(tmp_path / "begun")))
        await until((tmp_path / "begun").exists)
        tasks.cancel_scope.cancel()
    await commands.aclose()
    assert children() == []


async def test_what_a_command_leaves_behind_ends_with_it(
    commands: CommandExecutor, tmp_path: Path
) -> None:
    lines = Lines()
    script = '(setsid sleep 95 & echo $! > "$1"); echo started'
    assert (await commands.run(shell(script, str(tmp_path / "pid"), emit=lines)))["exit"] == 0
    assert not alive(int((tmp_path / "pid").read_text()))
    assert ("stderr", "sh had left 1 process behind, now ended") in lines


async def test_a_tee_at_its_end_may_finish(commands: CommandExecutor, tmp_path: Path) -> None:
    """It outlives the command by a moment, and nothing of it is lost."""
    log = tmp_path / "log"
    script = '(while read line; do sleep 0.02; echo "$line" >> "$1"; done) <<EOF &\na\nb\nc\nEOF'
    await commands.run(shell(script, str(log)))
    assert log.read_text() == "a\nb\nc\n"


async def test_a_running_command_can_be_identified(
    commands: CommandExecutor, tmp_path: Path
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(commands.run, job("sleep", "96", step=7))
        await until(lambda: commands.running)
        running = commands.running[7, 1]
        assert (running.program, running.started) == ("sleep", int(facts(running.pid)[19]))
        tasks.cancel_scope.cancel()
    assert commands.running == {}


async def test_a_killed_ward_is_told_and_takes_its_command_with_it(
    commands: CommandExecutor, tmp_path: Path
) -> None:
    pid, orphan = tmp_path / "pid", tmp_path / "orphan"
    script = 'echo $PPID > "$1"; (setsid sleep 97 & echo $! > "$2"); sleep 98'
    async with anyio.create_task_group() as tasks:

        async def kill() -> None:
            await until(lambda: orphan.exists() and orphan.read_text())
            os.kill(int(pid.read_text()), signal.SIGKILL)

        tasks.start_soon(kill)
        with pytest.raises(StepError, match="the process that watched over it was killed"):
            await commands.run(shell(script, str(pid), str(orphan)))
    await until(lambda: not alive(int(orphan.read_text())))


async def test_a_killed_warden_is_replaced(commands: CommandExecutor) -> None:
    warden = 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(commands.run, job("sleep", "0.3"))
        await until(lambda: commands.running)
        [warden] = children()
        os.kill(warden, signal.SIGKILL)
        await until(lambda: not alive(warden))
        assert (await commands.run(job("echo", "on", step=2)))["stdout"] == "on"
    assert children() != [warden]
