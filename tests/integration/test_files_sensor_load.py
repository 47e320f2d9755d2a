"""Many files at once, and a service that was stopped: each file comes, once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio.to_thread
import pytest

from sensors import FileArrivals
from sensors.files.closings import Closings
from sensors.files.listening import Hearing
from tests.integration.files_desk import HEARING, watching
from tests.integration.files_process import child

pytestmark = pytest.mark.anyio


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: what is tried is the sensor, not the disk."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    with TemporaryDirectory(dir=memory) as base:
        folder = Path(base) / "inbox"
        folder.mkdir()
        yield folder


@pytest.mark.parametrize("hearing", HEARING.values(), ids=HEARING)
async def test_ten_thousand_renames_at_once_arrive_once_each(inbox: Path, hearing: Hearing) -> None:
    """As fast as one thread can make and rename them."""
    value = FileArrivals(f"{inbox}/*.csv", stable="200ms")
    async with watching(value, inbox, hearing=hearing) as watch:
        await anyio.to_thread.run_sync(_rename_in, inbox, 10_000)
        await watch.until(lambda: len(watch.kept.events) >= 10_000)
        await watch.until(lambda: len(watch.kept.paths) == 10_000)
    assert watch.names == Counter(f"{number}.csv" for number in range(10_000))
    assert watch.kept.repeated == []


async def test_ten_thousand_files_written_in_place_arrive_once_each(inbox: Path) -> None:
    """Each is closed, and lies still for a while."""
    value = FileArrivals(f"{inbox}/*.csv", stable="200ms")
    async with watching(value, inbox) as watch:
        await anyio.to_thread.run_sync(_write, inbox, 10_000)
        await watch.until(lambda: len(watch.kept.events) >= 10_000)
    assert watch.names == Counter(f"{number}.csv" for number in range(10_000))
    assert {event.data.size for event in watch.kept.events} == {8}


async def test_a_service_that_was_stopped_finds_what_it_could_not_hear(inbox: Path) -> None:
    """More than the kernel remembers: it says that it forgot, and everything is scanned.

    A file that was half written when it was stopped, and closed meanwhile, comes whole.
    """
    settings = {"stable": "300ms", "scan_every": "1h"}
    async with child(f"{inbox}/*.csv", settings=settings) as heard:
        with (inbox / "slow.csv").open("w") as slow:
            slow.write("half of ")
            slow.flush()
            async with heard.stopped():
                slow.write("it")
                slow.close()
                await anyio.to_thread.run_sync(_rename_in, inbox, 20_000)
        await heard.until(lambda: len(heard.events) >= 20_001)
        assert heard.names == Counter(["slow.csv", *(f"{number}.csv" for number in range(20_000))])
        assert [one["size"] for one in heard.said if "slow" in one.get("subject", "")] == [10]


@pytest.mark.parametrize("confined", [False, True], ids=["", "confined"])
async def test_a_stranger_who_stalls_is_waited_for(inbox: Path, confined: bool) -> None:
    """Confined, nobody says whether another's file is open, but it is heard when it is closed."""
    settings = {"stable": "100ms"}
    async with child(f"{inbox}/*.csv", settings=settings, confined=confined) as heard:
        with (inbox / "slow.csv").open("w") as slow:
            _give_away(inbox / "slow.csv")
            slow.write("half of ")
            slow.flush()
            for number in range(5):
                (inbox / f"{number}.csv").write_text("1")
                await heard.until(lambda number=number: f"{number}.csv" in heard.names)
            assert "slow.csv" not in heard.names
            slow.write("it")
        await heard.until(lambda: "slow.csv" in heard.names)
        assert [one["size"] for one in heard.said if "slow" in one.get("subject", "")] == [10]


def test_no_closings_are_left_open() -> None:
    """An instance is a file, and there are not many."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        closings = Closings()
        closings.arm("", "/tmp")
        closings.close()
        closings.arm("", "/tmp")
    assert len(os.listdir("/proc/self/fd")) == before


def _give_away(file: Path) -> None:
    """Makes a file somebody else's; if we may not, then it is one that we may not read."""
    if os.geteuid() == 0:
        os.chown(file, 12_345, 12_345)
    else:
        file.chmod(0)


def _rename_in(inbox: Path, count: int) -> None:
    stage = os.fspath(inbox.parent)
    for number in range(count):
        os.mknod(f"{stage}/{number}.csv")
        os.rename(f"{stage}/{number}.csv", f"{inbox}/{number}.csv")


def _write(inbox: Path, count: int) -> None:
    for number in range(count):
        (inbox / f"{number}.csv").write_text("a line.\n")
