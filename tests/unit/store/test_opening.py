"""From a URL to a file, and which files are refused before they are opened."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reactor.core.errors import SettingsError, StoreConflict, StoreError, StoreUnavailable
from reactor.store.lock import file_system, refuse_network
from reactor.store.opening import sqlite_path
from reactor.store.sqlite_fault import StoreBroken, faults, translated, wal_reset_warning

MOUNTS = """\
21 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
22 21 0:44 / /mnt rw - tmpfs tmpfs rw
23 22 0:45 / /mnt/share\\040one rw shared:3 - nfs4 server:/export rw,vers=4.2
24 23 0:46 / /mnt/share\\040one/local rw - xfs /dev/sdb1 rw
25 21 0:47 / /over rw - ext4 /dev/sdc1 rw
26 21 0:48 / /over rw - cifs //server/share rw
27 21 0:49 / /remote rw - fuse.sshfs user@host:/ rw
"""


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///.reactor/reactor.db", ".reactor/reactor.db"),
        ("sqlite:////var/lib/reactor.db", "/var/lib/reactor.db"),
        ("sqlite:///with blank%20.db", "with blank%20.db"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("postgresql://ann:hunter2@db/shop", "cannot open postgresql:// stores"),
        ("sqlite+aiosqlite:///x.db", "cannot open sqlite+aiosqlite:// stores"),
        ("reactor.db", "is not a URL"),
        ("", "is not a URL"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:////", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite://hunter2/x.db", "names no file"),
        ("sqlite:///x.db?password=hunter2", "takes no options"),
    ],
)
def test_a_url_that_names_none_is_refused_without_repeating_it(url: str, what: str) -> None:
    with pytest.raises(SettingsError) as refused:
        sqlite_path(url)

    assert f"REACTOR_STORE: {what}" in str(refused.value)
    assert "sqlite:///path/to/file.db" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/mnt/data", "tmpfs"),
        ("/mnt/share one/shop", "nfs4"),
        ("/mnt/share one/local", "xfs"),
        ("/mnt/share", "tmpfs"),
        ("/over/x", "cifs"),
    ],
)
def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount(folder: str, kind: str) -> None:
    assert file_system(Path(folder), MOUNTS) == kind


@pytest.mark.parametrize("folder", ["/mnt/share one", "/over", "/remote/lib"])
def test_a_network_file_system_is_refused(folder: str) -> None:
    with pytest.raises(StoreUnavailable, match="is on a network file system"):
        refuse_network(Path(folder) / "store.db", MOUNTS)


def test_a_local_file_system_is_taken() -> None:
    refuse_network(Path("/var/lib/store.db"), MOUNTS)
    refuse_network(Path("/mnt/share one/local/store.db"), MOUNTS)


@pytest.mark.parametrize(
    ("version", "warned"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
        ((3, 6, 23), False),
    ],
)
def test_a_sqlite_with_the_wal_reset_race_is_warned_of(
    version: tuple[int, ...], warned: bool
) -> None:
    said = wal_reset_warning(version)

    assert (said is not None) is warned
    assert said is None or ".".join(map(str, version)) in said


def test_a_full_database_says_so() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("PRAGMA max_page_count = 3")

        with pytest.raises(StoreUnavailable, match="the disk is full"), faults(Path("a.db")):
            connection.execute("INSERT INTO t VALUES (zeroblob(100000))")


def test_a_duplicate_is_a_conflict() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (x UNIQUE)")

        with pytest.raises(StoreConflict, match=r"a\.db: UNIQUE constraint"), faults(Path("a.db")):
            connection.executemany("INSERT INTO t VALUES (?)", [(1,), (1,)])


def test_a_failed_fsync_is_final_and_other_failures_are_not() -> None:
    def error(code: int, name: str) -> sqlite3.Error:
        made = sqlite3.OperationalError("disk I/O error")
        made.sqlite_errorcode, made.sqlite_errorname = code, name
        return made

    fsync = translated(error(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"), Path("a.db"))
    write = translated(error(sqlite3.SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE"), Path("a.db"))
    busy = translated(error(sqlite3.SQLITE_BUSY, "SQLITE_BUSY"), Path("a.db"))

    assert isinstance(fsync, StoreBroken)
    assert "end this process" in str(fsync)
    assert "SQLITE_IOERR_FSYNC" in str(fsync)
    assert type(write) is type(busy) is StoreUnavailable
    assert type(translated(sqlite3.ProgrammingError("closed"), Path("a.db"))) is StoreError
