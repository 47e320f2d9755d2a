"""When a file counts as complete."""

from dataclasses import dataclass, field

import pytest

from sensors.files.completion import (
    PATIENCE,
    Asked,
    Candidates,
    Evidence,
    Marker,
    Now,
    Policy,
)
from sensors.files.ledger import Look

DAY = 86_400 * 10**9
FOUND, STIRRED, CLOSED, MOVED = Evidence


@dataclass
class Folder:
    """A folder with one file, on a clock that a test turns; it starts on the third day."""

    policy: Policy = "auto"
    stable: float = 2.0
    writer: bool | None = None
    heard_from: int | None = DAY
    marker_ns: int | None = None
    trusted: bool = True
    now: float = 0.0
    asked: list[str] = field(default_factory=lambda: [])

    def __post_init__(self) -> None:
        self.candidates = Candidates(
            self.policy, self.stable, Asked(self._writer, self._heard, lambda path: self.marker_ns)
        )

    def _writer(self, path: str) -> bool | None:
        self.asked.append(path)
        return self.writer

    def _heard(self, path: str) -> int | None:
        return self.heard_from

    @property
    def wall_ns(self) -> int:
        return 2 * DAY + round(self.now * 1e9)

    def written(self, size: int = 1, inode: int = 7) -> Look:
        """The file as it is if it was written just now."""
        return self.aged(self.wall_ns, self.wall_ns, size, inode)

    def renamed(self) -> Look:
        """The file as it is if it was written a day ago and renamed just now."""
        return self.aged(DAY // 2, self.wall_ns)

    def aged(self, mtime_ns: int, ctime_ns: int, size: int = 1, inode: int = 7) -> Look:
        return Look("x", f"{inode}.{size}.{mtime_ns}", inode, size, mtime_ns, ctime_ns)

    def complete(self, look: Look, evidence: Evidence = FOUND) -> bool:
        return self.candidates.complete(look, evidence, Now(self.now, self.wall_ns, self.trusted))


@pytest.mark.parametrize("writer", [None, False])
def test_a_file_renamed_into_place_is_complete_at_once(writer: bool | None) -> None:
    """Even if it was written an instant before."""
    assert Folder(writer=writer).complete(Folder().written(), MOVED)
    assert Folder(writer=writer).complete(Folder().renamed(), MOVED)


def test_a_file_renamed_while_it_is_open_waits_for_its_writer() -> None:
    """Then it is complete at once: it was renamed, and is closed."""
    folder = Folder(writer=True)
    assert not folder.complete(folder.written(), MOVED)
    folder.now, folder.writer = 0.5, False
    assert folder.complete(folder.written(size=2), CLOSED)


@pytest.mark.parametrize("writer", [None, False])
def test_a_file_written_in_place_is_complete_when_it_is_closed_and_lay_still(
    writer: bool | None,
) -> None:
    """Two looks at the same file, `stable` apart."""
    folder = Folder(writer=writer)
    look = folder.written()
    assert not folder.complete(look, CLOSED)
    folder.now = 1.9
    assert not folder.complete(look)
    folder.now = 2.0
    assert folder.complete(look)


def test_a_writer_that_stalls_is_waited_for_if_the_kernel_tells() -> None:
    """However long it lies still."""
    folder = Folder(writer=True, heard_from=None)
    look = folder.written()
    for now in (0.0, 10.0, PATIENCE * 2):
        folder.now = now
        assert not folder.complete(look)
    folder.writer = False
    assert folder.complete(look)


def test_a_writer_that_stalls_is_waited_for_if_its_closing_would_be_heard() -> None:
    """The kernel does not say who has it open, but nobody closed it since it was written."""
    folder = Folder()
    look = folder.written()
    assert not folder.complete(look, STIRRED)
    folder.now = 1000.0
    assert not folder.complete(look)
    assert folder.complete(look, CLOSED), "it has been still for long enough already"


def test_patience_with_a_writer_that_is_only_guessed_ends() -> None:
    """A closing may have been missed: late is better than never."""
    folder = Folder()
    look = folder.written()
    assert not folder.complete(look)
    folder.now = PATIENCE
    assert folder.complete(look)


@pytest.mark.parametrize(
    "folder",
    [
        Folder(heard_from=None),
        Folder(heard_from=3 * DAY),
    ],
    ids=["nobody listens", "written before we listened"],
)
def test_where_closings_are_not_heard_lying_still_has_to_do(folder: Folder) -> None:
    """Nothing more can be known."""
    look = folder.written()
    assert not folder.complete(look)
    folder.now = 2.0
    assert folder.complete(look)


def test_times_set_by_hand_are_no_sign_of_a_writer() -> None:
    """An unpacked archive: written, closed, then dated back."""
    folder = Folder()
    assert not folder.complete(folder.written(), CLOSED)
    dated = folder.aged(mtime_ns=DAY + 5, ctime_ns=folder.wall_ns)
    assert not folder.complete(dated, STIRRED)
    folder.now = 2.0
    assert folder.complete(dated)


def test_a_file_with_a_second_name_may_be_closed_elsewhere() -> None:
    """So that nobody heard of it is no sign that it is open."""
    folder = Folder()
    look = folder.written()._replace(alone=False)
    assert not folder.complete(look)
    folder.now = 2.0
    assert folder.complete(look)


def test_a_file_that_goes_on_changing_starts_anew() -> None:
    """Its closing counts for the state it was closed in, no longer."""
    folder = Folder()
    assert not folder.complete(folder.written(size=1), CLOSED)
    folder.now = 1.9
    grown = folder.written(size=2)
    assert not folder.complete(grown)
    folder.now = 5.0
    assert not folder.complete(grown), "it was written after it was closed"
    assert folder.complete(grown, CLOSED)


def test_an_old_file_is_complete_at_first_sight() -> None:
    """Its own times say that it lay still: what came while the service was down need not wait."""
    assert Folder().complete(Folder().aged(DAY // 2, DAY // 2))


@pytest.mark.parametrize(
    "look", [Folder().aged(DAY // 2, 2 * DAY), Folder().aged(9 * DAY, 9 * DAY)]
)
def test_a_file_that_came_just_now_or_tomorrow_is_looked_at_twice(look: Look) -> None:
    """The later of its times counts."""
    folder = Folder(heard_from=None)
    assert not folder.complete(look)
    folder.now = 2.0
    assert folder.complete(look)


def test_another_machines_clock_is_not_trusted() -> None:
    """On a network file system only two looks tell that a file lay still."""
    folder = Folder(trusted=False, heard_from=None)
    look = folder.aged(DAY // 2, DAY // 2)
    assert not folder.complete(look)
    folder.now = 2.0
    assert folder.complete(look)


def test_by_rename_a_file_is_complete_as_soon_as_it_is_there() -> None:
    """Its producer said so; only a writer that is known holds it back."""
    assert Folder("rename").complete(Folder().written())
    folder = Folder("rename", writer=True)
    assert not folder.complete(folder.written(), MOVED)


def test_by_lying_still_alone_an_open_file_is_complete() -> None:
    """A log that is never closed; nobody is asked."""
    folder = Folder("stable", writer=True)
    look = folder.written()
    assert not folder.complete(look, MOVED)
    folder.now = 2.0
    assert folder.complete(look)
    assert folder.asked == []


def test_by_marker_a_file_is_complete_when_its_marker_is_as_new() -> None:
    """A marker of an earlier state does not count; a file without one costs nothing."""
    folder = Folder("marker", writer=True)
    look = folder.written()
    assert not folder.complete(look, MOVED)
    folder.marker_ns = look.mtime_ns - 1
    assert not folder.complete(look)
    assert len(folder.candidates) == 0
    assert folder.candidates.next_due is None
    folder.marker_ns = look.mtime_ns
    assert folder.complete(look)


def test_a_candidate_is_due_when_it_could_be_complete() -> None:
    """And then every `stable`, for as long as it is open."""
    folder = Folder(writer=True)
    look = folder.written()
    folder.complete(look)
    assert folder.candidates.next_due == 2.0
    assert folder.candidates.due(1.9) == []
    assert folder.candidates.due(2.0) == ["x"]
    folder.now = 2.0
    folder.complete(look)
    assert folder.candidates.next_due == 4.0
    folder.candidates.drop("x")
    assert folder.candidates.due(4.0) == []


def test_without_a_wait_a_file_is_complete_when_it_is_closed() -> None:
    """`stable="0s"`."""
    folder = Folder(stable=0.0)
    look = folder.written()
    assert not folder.complete(look, STIRRED)
    assert folder.candidates.next_due is not None
    assert folder.candidates.next_due > folder.now, "it is not asked for at once, again and again"
    assert folder.complete(look, CLOSED)


@pytest.mark.parametrize(
    ("template", "path", "beside", "told"),
    [
        ("{name}.done", "a/x.csv", "a/x.csv.done", "a/x.csv"),
        ("{name}.done", "x.csv", "x.csv.done", "x.csv"),
        ("ok-{name}", "a/x.csv", "a/ok-x.csv", "a/x.csv"),
        ("_SUCCESS", "a/x.csv", "a/_SUCCESS", "a"),
        ("_SUCCESS", "x.csv", "_SUCCESS", ""),
    ],
)
def test_a_marker_speaks_for_a_file_or_for_its_folder(
    template: str, path: str, beside: str, told: str
) -> None:
    """There and back."""
    marker = Marker(template)
    assert marker.beside(path) == beside
    assert marker.told(beside) == told
    assert marker.told(path) is None
    assert marker.told(".done") is None


@pytest.mark.parametrize("template", ["", "{name}", "{stem}.done", "a/b", "{name}{name}", ".."])
def test_a_marker_that_could_not_be_told_from_a_file_is_refused(template: str) -> None:
    """With what to write instead."""
    with pytest.raises(ValueError) as raised:
        Marker(template)
    assert "{name}.done" in str(raised.value)
