"""What arrives while the service is down, or ends in the middle: nothing lost, nothing twice."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from reactor.ports import Batch
from sensors import FileArrivals
from sensors.files.running import START
from tests.integration.files_desk import DEADLINE, Desk, Kept, put, watching

pytestmark = pytest.mark.anyio


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def arrivals(folder: Path, pattern: str = "*.csv", **settings: Any) -> FileArrivals:
    return FileArrivals(f"{folder}/{pattern}", **{"stable": "200ms", **settings})


async def test_what_came_meanwhile_is_found(inbox: Path) -> None:
    """Created, changed, gone and moved while nobody looked."""
    value = arrivals(inbox, "**/*.csv", events=("created", "changed", "deleted", "moved"))
    for name in ("stays", "changes", "goes", "moves"):
        put(inbox / f"{name}.csv", name)
    kept = Kept()
    async with watching(value, inbox, kept) as watch:
        await watch.until(lambda: len(watch.said) == 4)
    put(inbox / "changes.csv", "otherwise")
    (inbox / "goes.csv").unlink()
    (inbox / "sub").mkdir()
    (inbox / "moves.csv").rename(inbox / "sub" / "moved.csv")
    put(inbox / "new.csv")
    async with watching(value, inbox, kept) as watch:
        await watch.until(lambda: len(watch.said) == 8)
        assert sorted(watch.said[4:]) == [
            ("changed", "changes.csv"),
            ("created", "new.csv"),
            ("deleted", "goes.csv"),
            ("moved", "sub/moved.csv"),
        ]


async def test_a_restart_announces_nothing_again(inbox: Path) -> None:
    """However often."""
    for number in range(50):
        put(inbox / f"{number}.csv")
    kept = Kept()
    for _ in range(3):
        async with watching(arrivals(inbox), inbox, kept) as watch:
            await watch.until(lambda: len(watch.said) == 50)
    assert len(kept.events) == 50
    assert kept.repeated == []


async def test_a_baseline_is_noted_and_not_announced(inbox: Path) -> None:
    """Only what comes after the first start is; also what comes while it is down, later."""
    for number in range(3):
        put(inbox / f"old-{number}.csv")
    kept = Kept()
    value = arrivals(inbox, existing="baseline")
    async with watching(value, inbox, kept) as watch:
        assert len(kept.paths) == 3
        put(inbox / "new.csv")
        await watch.says(("created", "new.csv"))
    put(inbox / "meanwhile.csv")
    async with watching(value, inbox, kept) as watch:
        put(inbox / "old-0.csv", "it changed")
        await watch.says(
            ("created", "new.csv"), ("created", "meanwhile.csv"), ("changed", "old-0.csv")
        )


async def test_the_baseline_of_a_folder_that_is_not_there_is_empty(inbox: Path) -> None:
    """So all that is ever put into it arrives."""
    inbox = inbox / "not" / "yet"
    async with watching(arrivals(inbox, existing="baseline"), inbox) as watch:
        await watch.until(lambda: watch.kept.positions == {START: "ready"})
        put(inbox / "a.csv")
        await watch.says(("created", "a.csv"))


async def test_a_baseline_that_was_cut_short_goes_on_from_the_same_instant(inbox: Path) -> None:
    """What came after the first start arrives, although the first start never ended."""
    for number in range(5_000):
        (inbox / f"old-{number}.csv").touch()
    kept = Kept()
    value = arrivals(inbox, existing="baseline")
    await _until_cut(value, kept, after=3)
    assert 0 < len(kept.paths) < 5_000
    put(inbox / "new.csv")
    async with watching(value, inbox, kept) as watch:
        await watch.says(("created", "new.csv"))
        assert len(kept.paths) == 5_001


async def test_a_file_that_was_waited_for_is_waited_for_again(inbox: Path) -> None:
    """It was half written when the service ended, and when it started."""
    kept = Kept()
    with (inbox / "slow.csv").open("w") as slow:
        slow.write("half of ")
        slow.flush()
        for _ in range(2):
            async with watching(arrivals(inbox), inbox, kept) as watch:
                await watch.has_nothing_to_do()
        slow.write("it")
    async with watching(arrivals(inbox), inbox, kept) as watch:
        await watch.says(("created", "slow.csv"))
        assert kept.events[0].data.size == 10


@pytest.mark.parametrize("seed", range(4))
async def test_however_often_it_ends_in_the_middle_each_file_comes_once(
    inbox: Path, seed: int
) -> None:
    """Ended before or after a batch was recorded, while files come, change and move."""
    chance = random.Random(seed)
    kept = Kept()
    value = arrivals(inbox, "**/*.csv", events=("created", "changed", "deleted", "moved"))
    producer = threading.Thread(target=_produce, args=(inbox, random.Random(seed)))
    producer.start()
    while producer.is_alive():
        await _until_cut(value, kept, after=chance.randint(1, 12), record=chance.random() < 0.5)
    producer.join()
    there = _there(inbox)
    async with watching(value, inbox, kept) as watch:
        await watch.until(lambda: _told_last(kept) == there)
    assert {f"{inbox}/{path}" for path in kept.paths} == there.keys()
    assert kept.repeated == []


def _there(inbox: Path) -> dict[str, tuple[int, int]]:
    """Inode and size of each file that is there."""
    stats = {str(path): path.stat() for path in inbox.rglob("*.csv")}
    return {path: (stat.st_ino, stat.st_size) for path, stat in stats.items()}


def _told_last(kept: Kept) -> dict[str, tuple[int, int]]:
    """Inode and size of each file that is there, as far as the events say."""
    there: dict[str, tuple[int, int]] = {}
    for event in kept.events:
        if event.data.previous is not None:
            there.pop(event.data.previous, None)
        if event.type == "file.deleted":
            there.pop(event.subject, None)
        else:
            there[event.subject] = event.data.inode, event.data.size
    return there


def _produce(inbox: Path, chance: random.Random) -> None:
    """Half a second of a busy folder."""
    for number in range(400):
        folder = inbox / chance.choice(["", "a", "a/b", "c"])
        file = folder / f"{chance.randrange(60)}.csv"
        match chance.randrange(10):
            case 0 if file.exists():
                file.unlink()
            case 1 if file.exists() and file.parent != inbox:
                file.replace(inbox / f"moved-{number}.csv")
            case 2:
                folder.mkdir(parents=True, exist_ok=True)
                file.write_text("x" * number)
            case _:
                put(file, "x" * number)
        threading.Event().wait(0.002)


class _Cutter(Desk):
    """A host that ends the sensor at its n-th batch, which it records or does not."""

    def __init__(self, kept: Kept, after: int, record: bool) -> None:
        super().__init__(kept)
        self.left = after
        self.record = record
        self.scope = anyio.CancelScope(deadline=anyio.current_time() + DEADLINE)

    async def offer(self, batch: Batch) -> None:
        self.left -= 1
        if self.left > 0 or self.record:
            self.kept.record(batch)
        if self.left <= 0:
            self.scope.cancel()
        await anyio.lowlevel.checkpoint()


async def _until_cut(value: FileArrivals, kept: Kept, after: int, record: bool = True) -> None:
    """Runs the sensor until it has offered so many batches, or has nothing more to offer."""
    desk = _Cutter(kept, after, record)

    async def end_when_idle() -> None:
        seen = -1
        while seen != kept.batches or not desk.idle:
            seen = kept.batches
            await anyio.sleep(0.3)
        desk.scope.cancel()

    with desk.scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(end_when_idle)
            await value.open(desk).run()
