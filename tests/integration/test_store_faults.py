"""A store whose process, file or disk is taken away: nothing half, nothing lost, clear words."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from reactor.core.errors import StoreBroken, StoreError, StoreUnavailable
from reactor.core.state import Table
from reactor.store import migrate, open_reading, open_store
from reactor.store.sqlite import SqliteStore
from tests.integration.processes import opened, until
from tests.integration.store_child import EVENTS, SENSOR, whole

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@contextmanager
def child(doing: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the store open, until the block ends."""
    argv = [sys.executable, "-m", "tests.integration.store_child", doing, f"sqlite:///{path}"]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None
    return (line.strip() for line in process.stdout)


async def checked(path: Path) -> int:
    """The last turn in the store; fails unless all turns up to it are there, and whole."""
    async with open_store(f"sqlite:///{path}") as store:
        assert await store.check() == []
        state = await store.load()
        last = state.get(Table.COUNTER, "run") or 0
        assert await store.positions(SENSOR) == ({"orders/0": str(last)} if last else {})
        events = await store.events([(1, 1_000_000)])
        assert [seq for seq, _ in events] == list(range(1, EVENTS * last + 1))
        assert len(await store.known([("orders", each.id) for _, each in events])) == len(events)
        assert [key[0] for key in state.rows[Table.STEP]] == list(range(1, last + 1))
        for n in range(1, last + 1):
            run = state.get(Table.RUN, n)
            assert run.events == ((EVENTS * (n - 1) + 1, EVENTS * n),)
        return last


async def test_a_killed_process_leaves_whole_turns_and_all_that_it_was_told_of(
    path: Path,
) -> None:
    chance = random.Random(7)
    told = 0
    for _ in range(4):
        with child("turns", path) as process:
            said = lines(process)
            for _ in range(chance.randrange(1, 60)):
                told = int(next(said))
            process.send_signal(signal.SIGKILL)
            # What it managed to say before it died counts too.
            told = max([told, *(int(line) for line in said if line)])
        assert told <= await checked(path) <= told + 1


async def test_a_second_process_is_told_which_one_owns_the_store(path: Path) -> None:
    with child("hold", path) as owner:
        assert next(lines(owner)) == "open"

        with pytest.raises(StoreUnavailable) as refused:
            async with open_store(f"sqlite:///{path}"):
                pass

        assert f"process {owner.pid} already owns this store" in str(refused.value)
        assert str(path) in str(refused.value)
        assert "REACTOR_STORE" in str(refused.value)
        async with open_reading(f"sqlite:///{path}") as reading:
            assert await reading.runs() == []

    # Dead without a word: the next one may have it at once.
    async with open_store(f"sqlite:///{path}"):
        pass


async def test_the_same_process_cannot_open_a_store_twice(path: Path) -> None:
    async with open_store(f"sqlite:///{path}"):
        with pytest.raises(StoreUnavailable, match=f"process {os.getpid()} already owns"):
            async with open_store(f"sqlite:///{path}"):
                pass


async def test_a_forked_child_that_lives_on_does_not_hold_the_store(path: Path) -> None:
    with child("fork", path) as owner:
        left = int(next(lines(owner)))
        try:
            owner.wait(30)
            os.kill(left, 0)
            async with open_store(f"sqlite:///{path}"):
                pass
        finally:
            os.kill(left, signal.SIGKILL)


async def test_a_full_disk_refuses_a_turn_and_takes_it_when_there_is_space(path: Path) -> None:
    with child("starve", path) as process:
        said = list(lines(process))

    first, second, meanwhile, after = said
    assert first.startswith("StoreUnavailable")
    assert str(path) in first
    assert second == first
    assert meanwhile == f"{{'orders/0': '1'}} {EVENTS}"
    assert after == f"{{'orders/0': '2'}} {2 * EVENTS}"
    assert await checked(path) == 2


@pytest.mark.parametrize("there", [False, True], ids=["new", "existing"])
async def test_a_folder_that_cannot_be_written_is_named(there: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        if there:
            async with open_store(f"sqlite:///{path}"):
                pass
            path.with_name("store.db.lock").chmod(0o666)
            path.chmod(0o444)
        os.chmod(folder, 0o555)

        with child("unprivileged", path) as process:
            [said] = list(lines(process))

        os.chmod(folder, 0o755)
    assert said.startswith("StoreUnavailable")
    assert str(path) in said
    assert "must be able to write" in said


async def test_a_folder_in_the_way_is_named(path: Path) -> None:
    await anyio.Path(path).mkdir()

    with pytest.raises(StoreUnavailable) as refused:
        async with open_store(f"sqlite:///{path}"):
            pass

    assert str(path) in str(refused.value)


async def test_a_folder_that_cannot_be_made_is_named(path: Path) -> None:
    await anyio.Path(path).write_text("a file")

    with pytest.raises(StoreUnavailable, match="its folder cannot be made"):
        async with open_store(f"sqlite:///{path / 'below' / 'store.db'}"):
            pass


async def test_a_newer_store_is_left_alone(path: Path) -> None:
    async with open_store(f"sqlite:///{path}") as store:
        await store.commit(whole(1))
    with sqlite3.connect(path) as other:
        other.execute("UPDATE alembic_version SET version_num = '0099'")
    other.close()
    before = await anyio.Path(path).read_bytes()

    with pytest.raises(StoreError) as refused:
        async with open_store(f"sqlite:///{path}"):
            pass

    said = str(refused.value)
    assert "at revision 0099" in said
    assert f"up to {migrate.HEAD}" in said
    assert "newer reactor-orchestrator" in said
    assert await anyio.Path(path).read_bytes() == before
    with pytest.raises(StoreError, match=f"at revision 0099, this version needs {migrate.HEAD}"):
        async with open_reading(f"sqlite:///{path}"):
            pass


async def test_another_programs_database_is_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE customer (id INTEGER)")
    other.close()

    with pytest.raises(StoreError, match="tables of another program"):
        async with open_store(f"sqlite:///{path}"):
            pass

    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("customer",)]
    other.close()


async def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    await anyio.Path(path).write_text("order_id,amount\n" * 1_000)

    with pytest.raises(StoreError, match="is damaged, or is no SQLite database"):
        async with open_store(f"sqlite:///{path}"):
            pass

    assert await anyio.Path(path).read_text() == "order_id,amount\n" * 1_000


async def _filled(path: Path) -> int:
    async with open_store(f"sqlite:///{path}") as store:
        for n in range(1, 200):
            await store.commit(whole(n, raw=b"x" * 500))
    return (await anyio.Path(path).stat()).st_size


@pytest.mark.parametrize("harm", ["page", "cut"])
async def test_a_damaged_file_is_not_opened(path: Path, harm: str) -> None:
    size = await _filled(path)
    with path.open("r+b") as file:
        if harm == "cut":
            file.truncate(size // 2)
        else:
            file.seek(size // 2 // 4096 * 4096)
            file.write(b"\xa5" * 8192)

    with pytest.raises(StoreBroken) as refused:
        async with open_store(f"sqlite:///{path}"):
            pass

    assert "damaged" in str(refused.value)
    assert "backup" in str(refused.value)
    assert str(path) in str(refused.value)


async def test_nothing_is_written_to_a_file_that_is_no_longer_there(path: Path) -> None:
    async with open_store(f"sqlite:///{path}") as store:
        await store.commit(whole(1))
        await anyio.Path(path).unlink()

        for _ in range(2):
            with pytest.raises(StoreBroken, match="moved, deleted or replaced"):
                await store.commit(whole(2))


async def test_an_owner_whose_lock_was_deleted_stops_writing(path: Path) -> None:
    async with open_store(f"sqlite:///{path}") as first:
        await first.commit(whole(1))
        path.with_name("store.db.lock").unlink()

        async with open_store(f"sqlite:///{path}") as second:
            await second.commit(whole(2))

            with pytest.raises(StoreBroken, match="another process has taken this store over"):
                await first.commit(whole(2))
            await second.commit(whole(3))

    assert await checked(path) == 3


async def test_a_closed_store_leaves_no_thread_no_file_and_no_log(path: Path) -> None:
    async with open_store(f"sqlite:///{path}") as store:
        await store.read.runs()
    threads, files = threading.active_count(), opened()

    async with open_store(f"sqlite:///{path}") as store:
        await store.commit(whole(1))
        await store.read.runs()

    until(lambda: threading.active_count() <= threads)
    assert opened() == files
    assert {each.name for each in path.parent.iterdir()} == {"store.db", "store.db.lock"}


async def test_a_store_that_could_not_be_opened_leaves_nothing_open(path: Path) -> None:
    await anyio.Path(path).write_text("no database")
    with pytest.raises(StoreError):
        await SqliteStore.open(path)
    threads, files = threading.active_count(), opened()

    with pytest.raises(StoreError):
        await SqliteStore.open(path)

    until(lambda: threading.active_count() <= threads)
    assert opened() == files


async def test_the_log_is_written_back_while_there_is_nothing_to_do(path: Path) -> None:
    async with open_store(f"sqlite:///{path}") as store:
        before = (await anyio.Path(path).stat()).st_size
        for n in range(1, 101):
            await store.commit(whole(n, raw=b"x" * 1_000))

        with anyio.fail_after(30):
            while (await anyio.Path(path).stat()).st_size < before + 100 * EVENTS * 1_000:
                await anyio.sleep(0.05)


async def test_readers_see_whole_turns_while_the_writer_goes_on(path: Path) -> None:
    async with open_store(f"sqlite:///{path}") as store, anyio.create_task_group() as tasks:
        done = anyio.Event()

        async def write() -> None:
            for n in range(1, 200):
                await store.commit(whole(n))
            done.set()

        tasks.start_soon(write)
        seen = [0]
        while not done.is_set():
            newest = await store.read.runs(limit=1)
            last = newest[0]["id"] if newest else 0
            if last:
                run = await store.read.run(last)
                assert run is not None
                assert (run["events_count"], len(run["events"])) == (EVENTS, EVENTS)
            seen.append(last)
        assert seen == sorted(seen)
        assert len(set(seen)) > 1
