"""Folders that come and go, and what is in them that is no file: nothing stops the sensor."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from sensors import FileArrivals
from sensors.files.closings import Closings
from sensors.files.listening import Hearing
from tests.integration.files_desk import HEARING, put, watching
from tests.integration.files_process import child

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


async def test_a_folder_that_is_not_there_is_waited_for(inbox: Path, hearing: Hearing) -> None:
    """It is said what is missing, and when it came."""
    folder = inbox / "not" / "yet"
    async with watching(arrivals(folder), folder, hearing=hearing) as watch:
        assert watch.desk.health == [(False, f"{folder}: no such file or directory")]
        put(folder / "a.csv")
        await watch.says(("created", "a.csv"))
        assert watch.desk.health[-1][0]


async def test_a_file_where_the_folder_should_be_is_no_folder(
    inbox: Path, hearing: Hearing
) -> None:
    """That is said too."""
    folder = inbox / "file"
    folder.touch()
    async with watching(arrivals(folder), folder, hearing=hearing) as watch:
        assert watch.desk.health == [(False, f"{folder}: not a directory")]
        folder.unlink()
        put(folder / "a.csv")
        await watch.says(("created", "a.csv"))


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
async def test_a_folder_that_is_removed_and_made_again_is_watched_again(
    inbox: Path, hearing: Hearing, at_once: bool
) -> None:
    """What it held is gone, what it holds arrives; while it is missing nothing is said of it."""
    value = arrivals(inbox, events=("created", "changed", "deleted"))
    async with watching(value, inbox, hearing=hearing) as watch:
        for round_ in range(3):
            put(inbox / f"{round_}.csv")
            await watch.until(lambda round_=round_: ("created", f"{round_}.csv") in watch.said)
            shutil.rmtree(inbox)
            if not at_once:
                await watch.until(lambda: not watch.desk.health[-1][0])
            os.mkdir(inbox)
        put(inbox / "last.csv")
        await watch.until(lambda: ("created", "last.csv") in watch.said)
        await watch.until(lambda: watch.kept.paths == {"last.csv"})
    gone = [name for what, name in watch.said if what == "deleted"]
    assert sorted(gone) == ["0.csv", "1.csv", "2.csv"]


async def test_another_folder_under_its_name_is_watched(inbox: Path, hearing: Hearing) -> None:
    """The old one was moved aside, as a rotation does."""
    async with watching(arrivals(inbox), inbox, hearing=hearing) as watch:
        put(inbox / "a.csv")
        await watch.says(("created", "a.csv"))
        os.rename(inbox, inbox.parent / "aside")
        put(inbox.parent / "aside" / "stray.csv")
        put(inbox / "b.csv")
        await watch.says(("created", "a.csv"), ("created", "b.csv"))


async def test_a_root_that_is_a_link_is_followed(inbox: Path, hearing: Hearing) -> None:
    """Also when it leads elsewhere at last, which no watcher tells."""
    root = inbox.parent / "current"
    root.symlink_to(inbox)
    async with watching(arrivals(root), root, hearing=hearing) as watch:
        put(inbox / "a.csv")
        await watch.says(("created", "a.csv"))
        other = inbox.parent / "other"
        put(other / "b.csv")
        root.unlink()
        root.symlink_to(other)
        await watch.until(lambda: "b.csv" in watch.names)
        put(other / "c.csv")
        await watch.says(("created", "a.csv"), ("created", "b.csv"), ("created", "c.csv"))


async def test_what_is_no_file_is_passed_over(inbox: Path, hearing: Hearing) -> None:
    """Pipes, sockets, folders, links and links in circles; each is mentioned in the log, once."""
    os.mkfifo(inbox / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(inbox / "socket.csv"))
    (inbox / "folder.csv").mkdir()
    secret = inbox.parent / "secret"
    put(secret / "s.csv")
    (inbox / "link.csv").symlink_to(secret / "s.csv")
    (inbox / "dangling.csv").symlink_to("nowhere")
    (inbox / "circle.csv").symlink_to("circle.csv")
    (inbox / "up").symlink_to("..")
    (inbox / "out").symlink_to(secret)
    async with watching(arrivals(inbox, "**/*.csv"), inbox, hearing=hearing) as watch:
        put(inbox / "folder.csv" / "a.csv")
        os.mkfifo(inbox / "late.csv")
        put(secret / "t.csv")
        put(inbox / "b.csv")
        await watch.says(("created", "folder.csv/a.csv"), ("created", "b.csv"))
        aside = [
            (about["path"], about["why"])
            for said, about in zip(watch.desk.log.said, watch.desk.log.about, strict=True)
            if said == "a path is set aside"
        ]
    for name in ("link.csv", "dangling.csv", "circle.csv", "up", "out"):
        assert aside.count((name, "is a symbolic link, which is not followed")) == 1
    for name in ("pipe.csv", "socket.csv", "late.csv"):
        assert aside.count((name, "is no regular file")) <= 1
    assert aside.count(("pipe.csv", "is no regular file")) == 1


async def test_a_folder_that_becomes_a_link_is_left(inbox: Path, hearing: Hearing) -> None:
    """Nobody is led out of the root by a swap."""
    outside = inbox.parent / "outside"
    put(outside / "secret.csv")
    put(inbox / "sub" / "a.csv")
    value = arrivals(inbox, "**/*.csv", events=("created", "deleted"))
    async with watching(value, inbox, hearing=hearing) as watch:
        await watch.says(("created", "sub/a.csv"))
        shutil.rmtree(inbox / "sub")
        (inbox / "sub").symlink_to(outside)
        put(outside / "more.csv")
        put(inbox / "b.csv")
        await watch.says(("created", "sub/a.csv"), ("deleted", "sub/a.csv"), ("created", "b.csv"))


async def test_links_are_followed_if_asked_and_each_folder_is_entered_once(
    inbox: Path, hearing: Hearing
) -> None:
    """In circles, twice to one folder, to a file, out of the root."""
    outside = inbox.parent / "outside"
    put(outside / "deep" / "x.csv")
    put(inbox / "real" / "a.csv")
    (inbox / "real" / "up").symlink_to(inbox)
    (inbox / "again").symlink_to("real")
    (inbox / "out").symlink_to(outside)
    (inbox / "out2").symlink_to(outside / "deep")
    (inbox / "one.csv").symlink_to(outside / "deep" / "x.csv")
    (inbox / "dangling.csv").symlink_to("nowhere")
    value = arrivals(inbox, "**/*.csv", follow_symlinks=True)
    async with watching(value, inbox, hearing=hearing) as watch:
        found = {"real/a.csv", "one.csv"}
        deep = {"out/deep/x.csv", "out2/x.csv"}
        await watch.until(lambda: len(watch.names) == 3)
        assert found < watch.names.keys() <= found | deep
        put(inbox / "real" / "b.csv")
        put(outside / "deep" / "y.csv")
        await watch.until(lambda: len(watch.names) == 5)
        assert set(watch.names.values()) == {1}
        assert "real/b.csv" in watch.names


async def test_what_may_not_be_read_stops_nothing(inbox: Path) -> None:
    """A folder that cannot be listed keeps its place in the ledger until it can be looked at."""
    put(inbox / "shut" / "a.csv")
    put(inbox / "open" / "a.csv")
    settings = {"stable": "100ms", "scan_every": "200ms", "events": ["created", "deleted"]}
    async with child(f"{inbox}/**/*.csv", settings=settings, confined=True) as heard:
        await heard.until(lambda: len(heard.events) == 2)
        (inbox / "shut").chmod(0)
        put(inbox / "open" / "b.csv")
        (inbox / "open" / "c.csv").write_text("nobody may read me")
        (inbox / "open" / "c.csv").chmod(0)
        await heard.until(lambda: "c.csv" in heard.names)
        await heard.until(lambda: heard.log)
        assert heard.log == [("a path is set aside", {"path": "shut", "why": "permission denied"})]
        (inbox / "shut").chmod(0o755)
        put(inbox / "shut" / "d.csv")
        await heard.until(lambda: "d.csv" in heard.names)
        assert sorted(heard.events) == [
            ("created", f"{name}.csv") for name in ("a", "a", "b", "c", "d")
        ]


async def test_a_root_that_may_not_be_read_is_waited_for(inbox: Path) -> None:
    """It is down until it can be listed; then it is watched, not only scanned."""
    put(inbox / "a.csv")
    os.chmod(inbox, 0)
    settings = {"stable": "100ms", "scan_every": "1h"}
    async with child(f"{inbox}/*.csv", settings=settings, confined=True) as heard:
        await heard.until(lambda: heard.health[-1:] == [(False, f"{inbox}: permission denied")])
        os.chmod(inbox, 0o755)
        await heard.until(lambda: heard.events == [("created", "a.csv")])
        await heard.until(lambda: heard.health[-1] == (True, ""))
        put(inbox / "b.csv")
        await heard.until(lambda: "b.csv" in heard.names)


async def test_without_watches_scans_do_alone(inbox: Path) -> None:
    """The kernel gives no more of them: it is said so, and the files arrive a little later."""
    for number in range(10):
        put(inbox / f"d{number}" / "a.csv")
    async with child(
        f"{inbox}/**/*.csv", settings={"stable": "100ms", "scan_every": "1h"}, watches=3
    ) as heard:
        await heard.until(lambda: len(heard.events) == 10)
        assert heard.log[0][0] == "files are scanned, not watched"
        assert heard.log[0][1]["hint"] == "raise fs.inotify.max_user_watches"
        for number in range(10):
            put(inbox / f"d{number}" / "b.csv")
            put(inbox / f"e{number}" / "c.csv")
        await heard.until(lambda: len(heard.events) == 30)
        assert set(heard.names.values()) == {10}


def test_an_inotify_instance_that_is_not_to_be_had_is_an_error_that_is_named(
    tmp_path: Path,
) -> None:
    """As is a watch on what is gone."""
    closings = Closings()
    try:
        with pytest.raises(OSError) as raised:
            closings.arm("x", str(tmp_path / "gone"))
        assert raised.value.errno == errno.ENOENT
        assert closings.since("x") is None
    finally:
        closings.close()
