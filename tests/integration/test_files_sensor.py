"""What arrives in a real folder, by whatever means the sensor hears of it."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sensors import FileArrivals
from sensors.files.file import File
from sensors.files.listening import Hearing
from tests.integration.files_desk import HEARING, Inbox, Kept, put, watching

pytestmark = pytest.mark.anyio


@pytest.fixture(params=HEARING)
def hearing(request: pytest.FixtureRequest) -> Hearing:
    return HEARING[request.param]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


def arrivals(folder: Path, pattern: str = "*.csv", **settings: Any) -> FileArrivals:
    return FileArrivals(f"{folder}/{pattern}", **{"stable": "200ms", **settings})


async def test_a_file_renamed_into_place_arrives(inbox: Path, hearing: Hearing) -> None:
    """With its path as the pattern is written, its size, its times, and its bytes for the store."""
    value = arrivals(inbox)
    async with watching(value, inbox, hearing=hearing) as watch:
        before = datetime.now(UTC) - timedelta(seconds=1)
        put(inbox / "a.csv", "1,2\n3,4\n")
        await watch.says(("created", "a.csv"))
        event = watch.kept.events[0]
        stat = (inbox / "a.csv").stat()
        assert (event.subject, event.source) == (f"{inbox}/a.csv", "inbox")
        assert isinstance(event.data, File)
        assert (event.data.path, event.data.size, event.data.inode) == (
            event.subject,
            8,
            stat.st_ino,
        )
        assert before <= event.data.mtime <= event.time <= event.received
        assert value.restore(event.raw or b"") == event.data
        assert watch.kept.paths == {"a.csv"}


async def test_files_that_were_there_arrive_too(inbox: Path, hearing: Hearing) -> None:
    """At the very first start, unless told otherwise."""
    for name in ("a.csv", "b.csv", "c.txt", ".d.csv", "e.csv.tmp", "_f.csv"):
        put(inbox / name)
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        await watch.says(("created", "a.csv"), ("created", "b.csv"))


async def test_a_file_that_is_being_written_does_not_arrive(inbox: Path, hearing: Hearing) -> None:
    """However long its writer is silent; it arrives, once, when it is closed and lay still."""
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        with (inbox / "slow.csv").open("w") as slow:
            slow.write("half of ")
            slow.flush()
            put(inbox / "witness.csv")
            await watch.until(lambda: "witness.csv" in watch.names)
            # Several times as long as it would have to lie still.
            await _pass(watch, inbox, rounds=5)
            assert "slow.csv" not in watch.names
            slow.write("it")
        await watch.until(lambda: "slow.csv" in watch.names)
        slowly = [event for event in watch.kept.events if event.subject.endswith("slow.csv")]
        assert [event.data.size for event in slowly] == [10]


async def test_a_file_whose_writer_came_before_us_does_not_arrive(
    inbox: Path, hearing: Hearing
) -> None:
    """It was half written when the service started."""
    with (inbox / "slow.csv").open("w") as slow:
        slow.write("half of ")
        slow.flush()
        os.utime(slow.fileno(), (1, 1))
        async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
            await _pass(watch, inbox, rounds=5)
            assert "slow.csv" not in watch.names
            slow.write("it")
            slow.close()
            await watch.until(lambda: "slow.csv" in watch.names)
            assert [event.data.size for event in watch.kept.events if "slow" in event.subject] == [
                10
            ]


async def test_a_file_that_changes_is_announced_again(inbox: Path, hearing: Hearing) -> None:
    """Replaced, written over, appended to, cut off: each is another file, once."""
    file = inbox / "a.csv"
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        put(file, "one\n")
        await watch.says(("created", "a.csv"))
        put(file, "two\n")
        await watch.says(("created", "a.csv"), ("changed", "a.csv"))
        for number, mode in ((3, "w"), (4, "a")):
            with file.open(mode) as opened:
                opened.write("more\n")
            await watch.until(lambda number=number: len(watch.said) == number)
        os.truncate(file, 0)
        await watch.until(lambda: len(watch.said) == 5)
        assert watch.said == [("created", "a.csv"), *[("changed", "a.csv")] * 4]
        assert [event.data.size for event in watch.kept.events] == [4, 4, 5, 10, 0]


async def test_a_file_that_is_only_touched_up_is_not_announced_again(
    inbox: Path, hearing: Hearing
) -> None:
    """Its mode, its owner's look at it: nothing that makes another file of it."""
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        put(inbox / "a.csv")
        await watch.says(("created", "a.csv"))
        (inbox / "a.csv").chmod(0o600)
        (inbox / "a.csv").read_text()
        os.link(inbox / "a.csv", inbox / "second-name.txt")
        put(inbox / "b.csv")
        await watch.says(("created", "a.csv"), ("created", "b.csv"))


async def test_a_copy_with_an_old_date_arrives(inbox: Path, hearing: Hearing) -> None:
    """`cp -p`, rsync, an unpacked archive: nothing is judged by being newer."""
    old = inbox.parent / "old.csv"
    old.write_text("1")
    os.utime(old, (1_000_000, 1_000_000))
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        put(inbox / "new.csv")
        await watch.says(("created", "new.csv"))
        shutil.copy2(old, inbox / "old.csv")
        await watch.says(("created", "new.csv"), ("created", "old.csv"))
        event = watch.kept.events[-1]
        assert event.data.mtime == datetime(1970, 1, 12, 13, 46, 40, tzinfo=UTC)
        assert event.time > watch.kept.events[0].time


async def test_a_file_that_goes_is_announced_if_asked(inbox: Path, hearing: Hearing) -> None:
    """And never otherwise, though the ledger forgets it."""
    every = arrivals(inbox, events=("created", "changed", "deleted"))
    async with watching(every, inbox, hearing=hearing) as watch:
        put(inbox / "a.csv", "123")
        await watch.says(("created", "a.csv"))
        (inbox / "a.csv").unlink()
        await watch.says(("created", "a.csv"), ("deleted", "a.csv"))
        assert watch.kept.events[-1].data.size == 3
        assert watch.kept.paths == set()
        put(inbox / "a.csv", "123")
        await watch.says(*[("created", "a.csv")] * 2, ("deleted", "a.csv"))


async def test_a_file_that_goes_is_forgotten_in_silence(inbox: Path, hearing: Hearing) -> None:
    """By default only what comes is told; made again, it comes again."""
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        put(inbox / "a.csv")
        await watch.says(("created", "a.csv"))
        (inbox / "a.csv").unlink()
        await watch.until(lambda: not watch.kept.paths)
        put(inbox / "a.csv")
        await watch.says(*[("created", "a.csv")] * 2)


async def test_a_file_that_moves_is_followed_if_asked(inbox: Path, hearing: Hearing) -> None:
    """By its inode, into other folders and over other files."""
    value = arrivals(inbox, "**/*.csv", events=("created", "changed", "deleted", "moved"))
    async with watching(value, inbox, hearing=hearing) as watch:
        for name in ("a.csv", "b.csv", "sub/c.csv"):
            put(inbox / name, name)
        first = [("created", "a.csv"), ("created", "b.csv"), ("created", "sub/c.csv")]
        await watch.says(*first)
        (inbox / "a.csv").rename(inbox / "sub" / "d.csv")
        await watch.says(*first, ("moved", "sub/d.csv"))
        assert watch.kept.events[-1].data.previous == f"{inbox}/a.csv"
        (inbox / "b.csv").replace(inbox / "sub" / "c.csv")
        await watch.says(*first, ("moved", "sub/d.csv"), ("moved", "sub/c.csv"))
        assert watch.kept.paths == {"sub/c.csv", "sub/d.csv"}


async def test_a_file_that_was_moved_away_and_back_is_the_same_one(
    inbox: Path, hearing: Hearing
) -> None:
    """It is offered with the id that it had, so that the host drops it."""
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        put(inbox / "a.csv")
        await watch.says(("created", "a.csv"))
        (inbox / "a.csv").rename(inbox.parent / "a.csv")
        await watch.until(lambda: not watch.kept.paths)
        (inbox.parent / "a.csv").rename(inbox / "a.csv")
        put(inbox / "b.csv")
        await watch.until(lambda: watch.kept.paths == {"a.csv", "b.csv"})
        await watch.says(("created", "a.csv"), ("created", "b.csv"))


async def test_new_folders_filled_at_once_are_seen_whole(inbox: Path, hearing: Hearing) -> None:
    """Made and filled in one go, three deep, as fast as the machine can."""
    expected = []
    async with watching(arrivals(inbox, "**/*.csv"), inbox, hearing=hearing) as watch:
        for number in range(40):
            folder = inbox / f"a{number % 7}" / f"b{number}" / "c"
            os.makedirs(folder)
            for name in ("x.csv", "y.csv"):
                (folder / name).write_text("1")
                expected.append(("created", str(folder.relative_to(inbox) / name)))
        await watch.says(*expected)


async def test_a_full_folder_moved_in_is_seen_whole(inbox: Path, hearing: Hearing) -> None:
    """Its files say nothing themselves."""
    outside = inbox.parent / "outside"
    for number in range(30):
        put(outside / f"d{number % 3}" / f"{number}.csv")
    async with watching(arrivals(inbox, "**/*.csv"), inbox, hearing=hearing) as watch:
        outside.rename(inbox / "inside")
        await watch.says(
            *[("created", f"inside/d{number % 3}/{number}.csv") for number in range(30)]
        )
        put(inbox / "inside" / "d0" / "later.csv")
        await watch.until(lambda: "inside/d0/later.csv" in watch.names)


async def test_a_folder_that_goes_takes_its_files_along(inbox: Path, hearing: Hearing) -> None:
    """Each of them is gone."""
    value = arrivals(inbox, "**/*.csv", events=("deleted",))
    for name in ("d/x.csv", "d/e/y.csv", "dd/z.csv"):
        put(inbox / name)
    async with watching(value, inbox, hearing=hearing) as watch:
        await watch.until(lambda: len(watch.kept.paths) == 3)
        (inbox / "d").rename(inbox.parent / "d")
        await watch.says(("deleted", "d/x.csv"), ("deleted", "d/e/y.csv"))


async def test_a_folder_under_a_new_name_is_followed(inbox: Path, hearing: Hearing) -> None:
    """Its files are elsewhere now, and what comes into it comes there."""
    put(inbox / "old" / "a.csv")
    value = arrivals(inbox, "**/*.csv", events=("created", "moved"))
    async with watching(value, inbox, hearing=hearing) as watch:
        await watch.says(("created", "old/a.csv"))
        (inbox / "old").rename(inbox / "new")
        await watch.says(("created", "old/a.csv"), ("moved", "new/a.csv"))
        put(inbox / "new" / "b.csv")
        await watch.until(lambda: "new/b.csv" in watch.names)
        assert watch.kept.paths == {"new/a.csv", "new/b.csv"}


async def test_a_marker_makes_a_file_complete(inbox: Path, hearing: Hearing) -> None:
    """Not before; and a file that is written anew needs a new one."""
    value = arrivals(inbox, "*", complete="marker")
    async with watching(value, inbox, hearing=hearing) as watch:
        put(inbox / "early.csv.done")
        put(inbox / "a.csv")
        put(inbox / "b.csv")
        put(inbox / "b.csv.done")
        await watch.says(("created", "b.csv"))
        put(inbox / "a.csv.done")
        await watch.says(("created", "b.csv"), ("created", "a.csv"))
        put(inbox / "a.csv", "more of it")
        put(inbox / "c.csv")
        put(inbox / "c.csv.done")
        await watch.until(lambda: "c.csv" in watch.names)
        assert watch.names["a.csv"] == 1
        (inbox / "a.csv.done").touch()
        await watch.until(lambda: watch.names["a.csv"] == 2)


async def test_one_marker_may_speak_for_a_whole_folder(inbox: Path, hearing: Hearing) -> None:
    """As Hadoop and Spark write it, last."""
    value = arrivals(inbox, "**/*.parquet", complete="marker", marker="_SUCCESS")
    async with watching(value, inbox, hearing=hearing) as watch:
        for day in ("day=1", "day=2"):
            for part in range(3):
                put(inbox / day / f"part-{part}.parquet")
        put(inbox / "day=2" / "_SUCCESS")
        await watch.says(*[("created", f"day=2/part-{part}.parquet") for part in range(3)])


async def test_a_log_that_stays_open_arrives_when_it_lies_still(
    inbox: Path, hearing: Hearing
) -> None:
    """`complete="stable"`: open or not; what is added later is a change."""
    async with watching(arrivals(inbox, complete="stable"), inbox, hearing=hearing) as watch:
        with (inbox / "log.csv").open("w") as log:
            for number in (1, 2):
                log.write("a line\n")
                log.flush()
                await watch.until(lambda number=number: len(watch.said) == number)
        assert watch.said == [("created", "log.csv"), ("changed", "log.csv")]


async def test_by_rename_a_file_arrives_as_soon_as_it_is_there(
    inbox: Path, hearing: Hearing
) -> None:
    """Its producer promises that it is whole: nothing else is waited for."""
    value = arrivals(inbox, complete="rename", stable="1h")
    async with watching(value, inbox, hearing=hearing) as watch:
        put(inbox / "a.csv")
        await watch.says(("created", "a.csv"))
        (inbox / "b.csv").write_text("written in place")
        await watch.says(("created", "a.csv"), ("created", "b.csv"))


async def test_without_a_wait_a_file_arrives_when_it_is_closed(
    inbox: Path, hearing: Hearing
) -> None:
    """`stable="0s"`: closed is enough, but open is not."""
    async with watching(arrivals(inbox, stable="0s"), inbox, hearing=hearing) as watch:
        with (inbox / "a.csv").open("w") as file:
            file.write("half of ")
            file.flush()
            put(inbox / "b.csv")
            await watch.says(("created", "b.csv"))
            file.write("it")
        await watch.says(("created", "b.csv"), ("created", "a.csv"))
        assert watch.kept.events[-1].data.size == 10


async def test_a_second_name_for_a_file_arrives(inbox: Path, hearing: Hearing) -> None:
    """A hard link into the folder: nothing is closed, nothing renamed."""
    (inbox.parent / "a.csv").write_text("1")
    async with watching(arrivals(inbox, "**/*.csv"), inbox, hearing=hearing) as watch:
        os.link(inbox.parent / "a.csv", inbox / "b.csv")
        await watch.says(("created", "b.csv"))


async def test_a_name_that_is_not_utf_8_arrives(inbox: Path, hearing: Hearing) -> None:
    """Spelled in plain text, it can be opened, and nothing else is lost because of it."""
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        for number in range(3):
            put(inbox / os.fsdecode(b"caf\xe9-%d.csv" % number))
            put(inbox / f"plain-{number}.csv")
        await watch.until(lambda: len(watch.said) == 6)
        assert set(watch.names) == {
            f"{name}-{number}.csv" for name in ("plain", r"caf\xe9") for number in range(3)
        }
        for event in watch.kept.events:
            assert os.stat(event.data).st_ino == event.data.inode
            event.subject.encode()


async def test_odd_names_arrive_as_they_are(inbox: Path, hearing: Hearing) -> None:
    """Blanks, line ends, quotes, wildcards, escapes, other scripts."""
    names = ["a b.csv", "a\nb.csv", "'\".csv", "[x]*?.csv", "\x1b[31m.csv", "日本.csv", "-rf.csv"]
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        for name in names:
            put(inbox / name)
        await watch.says(*[("created", name) for name in names])


async def _pass(watch: Inbox, inbox: Path, rounds: int) -> None:
    """Lets time pass: files come, lie still for as long as they must, arrive, one by one."""
    for number in range(rounds):
        name = f"time-{number}.csv"
        (inbox / name).write_text("it takes its time")
        await watch.until(lambda name=name: name in watch.names)


def test_the_kept_state_refuses_what_a_store_refuses() -> None:
    """So that these tests can fail."""
    from reactor.ports import Batch, Move

    kept = Kept()
    kept.record(Batch("inbox", moves=[Move("a", None, "1.1.1")]))
    with pytest.raises(AssertionError):
        kept.record(Batch("inbox", moves=[Move("a", None, "2.2.2")]))
