"""The smaller parts of the file sensor that need no file."""

import struct
from datetime import UTC, datetime

import pytest

from sensors.files.agenda import Agenda
from sensors.files.closings import IN_CLOSE_WRITE, IN_ISDIR, IN_MOVED_TO, Heard, notices
from sensors.files.completion import Evidence, Marker
from sensors.files.file import instant
from sensors.files.hints import Gathered, Hints
from sensors.files.listening import Hearing, Listening
from sensors.files.mount import filesystem
from sensors.files.pattern import ignorer, pattern_of
from sensors.files.tree import Tree

FOUND, STIRRED, CLOSED, MOVED = Evidence

MOUNTS = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:30 / /mnt/share\040one rw - nfs4 server:/x rw
31 22 0:31 / /mnt rw - tmpfs tmpfs rw
32 22 0:32 / /home/me/bucket rw - fuse.s3fs s3fs rw
33 22 0:33 / /data rw master:2 - ext4 /dev/vdb rw
34 22 0:34 / /data rw - cifs //server/data rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/etc", "ext4"),
        ("/mnt", "tmpfs"),
        ("/mnt/share one/in", "nfs4"),
        ("/mnt/share onex", "tmpfs"),
        ("/home/me/bucket", "fuse.s3fs"),
        ("/data/in", "cifs"),
    ],
)
def test_the_longest_and_last_mount_holds_a_path(path: str, kind: str) -> None:
    """As the kernel lists them, blanks in octal."""
    assert filesystem(path, MOUNTS) == kind
    assert filesystem(path, "") is None


def _notice(watch: int, mask: int, name: bytes) -> bytes:
    padded = name + b"\0" * (16 - len(name) % 16) if name else b""
    return struct.pack("iIII", watch, mask, 0, len(padded)) + padded


def test_one_read_returns_several_notices() -> None:
    """Names are padded with zeros, may have any bytes, and may be missing."""
    data = (
        _notice(1, IN_MOVED_TO, b"a.csv")
        + _notice(2, IN_CLOSE_WRITE, b"caf\xe9.csv")
        + _notice(-1, 0x4000, b"")
        + _notice(3, IN_MOVED_TO | IN_ISDIR, b"exactly-16-bytes")
    )
    assert list(notices(data)) == [
        Heard(1, IN_MOVED_TO, "a.csv"),
        Heard(2, IN_CLOSE_WRITE, "caf\udce9.csv"),
        Heard(-1, 0x4000, ""),
        Heard(3, IN_MOVED_TO | IN_ISDIR, "exactly-16-bytes"),
    ]


def test_a_folder_is_scanned_when_it_is_due() -> None:
    """Now, and again later; with everything that was due beneath it."""
    agenda = Agenda()
    assert agenda.take(9.0) is None
    assert agenda.next_at is None
    for folder, at in (("a/b", 1.0), ("a", 1.0), ("ab", 1.0), ("a", 5.0)):
        agenda.want(folder, at)
    assert agenda.next_at == 1.0
    assert agenda.take(0.5) is None
    assert [agenda.take(2.0) for _ in range(3)] == ["a", "ab", None]
    assert agenda.next_at == 5.0
    assert agenda.take(5.0) == "a"


def test_a_scan_of_the_whole_tree_answers_for_all_that_is_due() -> None:
    """As do too many folders at once."""
    agenda = Agenda()
    for folder, at in (("a", 1.0), ("", 1.0), ("b", 3.0)):
        agenda.want(folder, at)
    assert [agenda.take(2.0) for _ in range(2)] == ["", None]
    for number in range(1000):
        agenda.want(f"f{number}", 3.0)
    assert [agenda.take(3.0) for _ in range(2)] == ["", None]


def _hints(text: str, marker: str = "") -> Hints:
    pattern = pattern_of(text)
    return Hints(
        Tree(
            "/root",
            pattern,
            ignorer(("*.tmp", "_*"), pattern),
            marker=Marker(marker) if marker else None,
        )
    )


def test_hints_about_what_cannot_count_are_dropped() -> None:
    """Names that are ignored, that the pattern does not mean, and that hold nothing it means."""
    hints = _hints("i/*/*.csv")
    for path in ("a.csv", "a/b/c.csv", "a/x.tmp", "_a/x.csv", "a/x.txt"):
        hints.file(path, CLOSED)
    hints.file("a/b", STIRRED)
    hints.folder("a/b")
    hints.folder("_a")
    assert not hints
    hints.file("a/x.csv", STIRRED)
    hints.file("a", STIRRED)
    hints.folder("b")
    assert hints.take() == Gathered({"a/x.csv": STIRRED, "a": STIRRED}, {"b"})
    assert not hints


def test_the_strongest_evidence_for_a_file_is_kept() -> None:
    """However often, and in whatever order, it is mentioned."""
    hints = _hints("i/*")
    for evidence in (STIRRED, MOVED, CLOSED, STIRRED):
        hints.file("x", evidence)
    hints.everything()
    assert hints.take() == Gathered({"x": MOVED}, set(), everything=True)


def test_a_marker_is_a_hint_about_what_it_speaks_for() -> None:
    """A file, or its whole folder; even if the marker's own name would be ignored."""
    hints = _hints("i/**", marker="{name}.done")
    hints.file("a/x.csv.done", MOVED)
    assert hints.take() == Gathered({"a/x.csv": FOUND})
    hints = _hints("i/**", marker="_SUCCESS")
    hints.file("a/_SUCCESS", CLOSED)
    assert hints.take() == Gathered({}, {"a"})


def test_more_hints_than_can_be_remembered_become_one() -> None:
    """Memory stays flat; the scan finds what was not remembered."""
    hints = _hints("i/*")
    for number in range(100_001):
        hints.file(str(number), MOVED)
    gathered = hints.take()
    assert len(gathered.files) == 100_000
    assert gathered.everything


@pytest.mark.parametrize(
    ("ns", "at"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_767_225_600_123_456_789, datetime(2026, 1, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        (-1_000, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
        (-(2**80), datetime(1, 1, 2, tzinfo=UTC)),
        (2**80, datetime(9999, 12, 31, tzinfo=UTC)),
    ],
)
def test_any_time_of_a_file_is_an_instant(ns: int, at: datetime) -> None:
    """Some file systems can say the year 300 billion."""
    assert instant(ns) == at


class _Log:
    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, event: str, **about: object) -> None:
        self.said.append(event)

    debug = info = error = warning


def _listening(hearing: Hearing, silent: str | None = None) -> tuple[Listening, list[str]]:
    log = _Log()
    listening = Listening(Tree("/root", pattern_of("i/*")), hearing, silent, log)
    listening.close()
    return listening, log.said


def test_a_file_system_that_is_changed_elsewhere_is_scanned() -> None:
    """With a warning; unless it is said that it does tell, or that scans are wanted anyway."""
    scanned = ["files are scanned, not watched"]
    listening, said = _listening(Hearing(60), "nfs4")
    assert listening.why == "scans only: nfs4 does not say what other machines change"
    assert said == scanned
    listening, said = _listening(Hearing(60, polling=False), "nfs4")
    assert (listening.why, said) == ("", [])
    listening, said = _listening(Hearing(60, polling=True))
    assert (listening.why, said) == ("scans only, as its polling= says", [])


def test_scans_recur_more_often_where_nothing_is_heard() -> None:
    """But never take more than a part of the time."""
    heard, _ = _listening(Hearing(60))
    assert [heard.interval(took) for took in (0.1, 3, 10)] == [60, 60, 200]
    unheard, _ = _listening(Hearing(60, polling=True))
    assert [unheard.interval(took) for took in (0.1, 3, 10)] == [1, 12, 40]
    quick, _ = _listening(Hearing(0.2, polling=True))
    assert quick.interval(0.01) == 0.2
