"""How far a file sensor says that it has read: what absence is concluded from."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from sensors import FileArrivals
from sensors.files.listening import Hearing
from tests.integration.files_desk import HEARING, Inbox, put, watching

pytestmark = pytest.mark.anyio

each_way = pytest.mark.parametrize("hearing", HEARING.values(), ids=list(HEARING))


def read(inbox: Inbox) -> datetime:
    """How far the sensor has read."""
    assert inbox.desk.upto is not None
    return inbox.desk.upto


async def goes_on(inbox: Inbox) -> None:
    """Waits until what was read reaches a moment after this one."""
    asked = datetime.now(UTC)
    await inbox.until(lambda: inbox.desk.upto and inbox.desk.upto > asked)


@each_way
async def test_with_nothing_to_do_it_follows_the_clock(tmp_path: Path, hearing: Hearing) -> None:
    value = FileArrivals(f"{tmp_path}/in/*.csv")
    put(tmp_path / "in/there.csv")
    async with watching(value, tmp_path / "in", hearing=hearing) as inbox:
        await goes_on(inbox)
        assert inbox.names["there.csv"] == 1
        put(tmp_path / "in/new.csv")
        await goes_on(inbox)
        assert inbox.names["new.csv"] == 1
        assert inbox.desk.late == []
        assert read(inbox) < datetime.now(UTC)


@each_way
async def test_a_file_that_is_being_written_holds_it_back(tmp_path: Path, hearing: Hearing) -> None:
    value = FileArrivals(f"{tmp_path}/in/*.csv", stable="50ms")
    (tmp_path / "in").mkdir()
    async with watching(value, tmp_path / "in", hearing=hearing) as inbox:
        await goes_on(inbox)
        with (tmp_path / "in/slow.csv").open("w") as slow:
            slow.write("1,2\n")
            slow.flush()
            began = os.fstat(slow.fileno()).st_ctime
            put(tmp_path / "in/quick.csv")
            await inbox.until(lambda: inbox.names["quick.csv"])
            looks = inbox.desk.idle
            await inbox.until(lambda: inbox.desk.idle > looks + 5)
            assert read(inbox).timestamp() < began
            assert inbox.names["slow.csv"] == 0
        await goes_on(inbox)
        assert inbox.names["slow.csv"] == 1
        assert inbox.desk.late == []


@each_way
async def test_what_arrives_all_the_time_is_never_late(tmp_path: Path, hearing: Hearing) -> None:
    value = FileArrivals(f"{tmp_path}/in/**/*.csv")
    (tmp_path / "in").mkdir()
    async with watching(value, tmp_path / "in", hearing=hearing) as inbox:
        until = datetime.now(UTC) + timedelta(seconds=4)
        count = 0
        while datetime.now(UTC) < until:
            count += 1
            folder = tmp_path / "in" / str(count % 40)
            await to_thread.run_sync(put, folder / f"{count}.csv")
            await anyio.sleep(0.01)
        await inbox.until(lambda: len(inbox.said) >= count)
        await goes_on(inbox)
        assert inbox.desk.late == []


async def test_of_a_folder_that_is_not_there_it_says_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    async with watching(FileArrivals(f"{folder}/*.csv"), folder) as inbox:
        assert inbox.desk.upto is None
        folder.mkdir()
        await goes_on(inbox)
        folder.rename(tmp_path / "gone")
        await inbox.until(lambda: not inbox.desk.health[-1][0])
        upto = read(inbox)
        put(tmp_path / "gone/new.csv")
        assert upto < datetime.now(UTC)
        (tmp_path / "gone").rename(folder)
        await goes_on(inbox)
        assert inbox.names["new.csv"] == 1
        assert inbox.desk.late == []


async def test_a_file_that_waited_for_its_marker_came_with_it(tmp_path: Path) -> None:
    value = FileArrivals(f"{tmp_path}/in/*.csv", complete="marker")
    put(tmp_path / "in/data.csv")
    async with watching(value, tmp_path / "in") as inbox:
        await goes_on(inbox)
        assert inbox.said == []
        put(tmp_path / "in/data.csv.done", "")
        marked = (tmp_path / "in/data.csv.done").stat().st_ctime_ns
        await inbox.says(("created", "data.csv"))
        assert inbox.kept.events[0].time == datetime.fromtimestamp(marked // 1000 / 1e6, UTC)
        assert inbox.desk.late == []
