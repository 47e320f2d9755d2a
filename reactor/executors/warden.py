"""The process through which the service starts others, so that none of them outlives it.

Run as a script, `python -I -S warden.py SERVICE_PID`, with a socket to the service as its stdin. It
stands on the standard library alone: it is up in milliseconds, small, and cheap to fork. Three
roles, each forked ahead of need from the one before it:

    service --- warden --- ward --- command --- whatever that starts

The *command* waits for a launch and becomes it, by exec. The *ward* is its parent and a child
subreaper: an orphan anywhere below becomes the ward's own child, so what a command started is
exactly what hangs below its ward, however often it forked or changed its session. The *warden*
keeps one spare ward waiting, and is a subreaper for what a killed ward leaves.

Laws: a ward ends only when nothing is left below it; it ends all of it at once when the service is
gone, which it learns from the service's pidfd and from its own socket, never from a signal that is
tied to the thread which forked.

A launch is one byte on the warden's socket, carrying file descriptors: a control socket, then what
becomes the command's descriptors 1, 2, 3 ... On the control socket come four bytes of length, the
launch as JSON, and later, to stop it, the grace in seconds as a line. Back go lines of JSON:
`{"pid", "started"}` or `{"refused", "what"}`, and at the end `{"status", "left"}`.
"""

import ctypes
import fcntl
import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any, NoReturn

LINGER_S = 0.5
"""How long what a finished command left behind may take to end by itself (a `tee`, say)."""

LEFT_BEHIND_GRACE_S = 5.0
"""How long after being asked to."""

_KILL_AGAIN_S = 0.02
_FORK_AGAIN_S = 0.05
_EXEC_S = 0.02
_DESCRIPTORS = 16
_CLEAR = 64
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36

Process = tuple[int, int]
"""A pid and its process group."""


def main(service: int) -> None:
    """Keeps a spare ward waiting until the service closes its socket or is gone."""
    if os.getppid() != service:
        return
    _close_what_was_inherited()
    os.setsid()
    os.chdir("/")
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_NAME, b"reactor-warden")
    launches = socket.socket(fileno=0)
    death = _pidfd(service)
    warden, woken = os.getpid(), _wake_on_child()
    wards: set[int] = set()
    gc.freeze()
    while _more_may_come(launches, death):
        taken, hand = os.pipe()
        spare = os.fork()
        if spare == 0:
            os.close(taken)
            _as(_ward, launches, hand, death, warden)
        os.close(hand)
        wards.add(spare)
        if not _until_taken(taken, woken, death, wards):
            with suppress(ProcessLookupError):
                os.kill(spare, signal.SIGKILL)
            time.sleep(_FORK_AGAIN_S)
        os.close(taken)
    launches.close()
    while wards:
        select.select([woken], [], [])
        _drain(woken)
        _reap_wards(wards)


def _close_what_was_inherited() -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with suppress(OSError):
                os.close(int(name))


def _more_may_come(launches: socket.socket, death: int) -> bool:
    if death >= 0 and select.select([death], [], [], 0)[0]:
        return False
    try:
        return launches.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def _until_taken(taken: int, woken: int, death: int, wards: set[int]) -> bool:
    """Waits until the spare ward has a launch; False if it or the service ended before that."""
    watched = [taken, woken, *([death] if death >= 0 else [])]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if woken in ready:
            _drain(woken)
            _reap_wards(wards)
        if taken in ready:
            return os.read(taken, 1) != b""
        if death in ready:
            return False


def _reap_wards(wards: set[int]) -> None:
    """Reaps what ended; ends what a ward that was killed could not."""
    ended = _reap()
    killed = any(ended.values()) or ended.keys() - wards
    wards.difference_update(ended)
    if killed:
        _signal(_below(os.getpid(), besides=wards), signal.SIGKILL)


def _ward(launches: socket.socket, hand: int, death: int, warden: int) -> int:
    """Waits with its command for a launch, then watches over it until nothing of it is left."""
    if not _dies_with(warden):
        return 1
    _prctl(_PR_SET_NAME, b"reactor-ward")
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    woken = _wake_on_child()
    ours, theirs = socket.socketpair()
    ward, command = os.getpid(), os.fork()
    if command == 0:
        os.close(hand)
        ours.close()
        _as(_command, launches, theirs, ward)
    theirs.close()
    launches.close()
    _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    if not descriptors:
        return 0
    _prctl(_PR_SET_PDEATHSIG, 0)
    # The next ward is not forked while this command is being exec'd, if that is quick: they would
    # only slow each other down.
    select.select([ours], [], [], _EXEC_S)
    with suppress(BrokenPipeError):
        os.write(hand, b".")
    os.close(hand)
    _Watch(command, descriptors[0], ours, death, woken).until_nothing_is_left()
    return 0


def _command(launches: socket.socket, ward: socket.socket, parent: int) -> int:
    """Waits for a launch and becomes it; only a refusal returns."""
    os.setsid()
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    if not _dies_with(parent):
        return 1
    _, descriptors, _, _ = socket.recv_fds(launches, 1, _DESCRIPTORS)
    if not descriptors:
        return 0
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    socket.send_fds(ward, [b"."], descriptors[:1])
    control = socket.socket(fileno=descriptors[0])
    (length,) = struct.unpack(">I", _exactly(control, 4))
    launch = json.loads(_exactly(control, length))
    what = launch["argv"][0]
    try:
        _place(descriptors[1:])
        what = launch["cwd"]
        os.chdir(what)
        what = launch["argv"][0]
        os.execvpe(what, launch["argv"], launch["env"])
    except (OSError, ValueError) as refused:
        why = refused.strerror if isinstance(refused, OSError) else str(refused)
        ward.sendall(json.dumps({"refused": why, "what": what}).encode())
    return 127


def _place(descriptors: list[int]) -> None:
    """Makes /dev/null the stdin and the given descriptors 1, 2, 3 ... of what is exec'd."""
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _CLEAR) for descriptor in descriptors]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for place, descriptor in enumerate(high, start=1):
        os.dup2(descriptor, place)


class _Watch:
    """A ward at work: what it polls, and when it next becomes less patient."""

    def __init__(
        self, command: int, control: int, launch: socket.socket, death: int, woken: int
    ) -> None:
        self._command, self._control, self._woken = command, control, woken
        self._launch, self._refusal, self._launched_or_refused = launch, b"", False
        self._status: int | None = None
        self._left = 0
        self._ask_at = self._kill_at = float("inf")
        self._kill_again = _KILL_AGAIN_S
        self._poll = select.poll()
        for descriptor in (launch.fileno(), woken, death):
            if descriptor >= 0:
                self._poll.register(descriptor, select.POLLIN)

    def until_nothing_is_left(self) -> None:
        while True:
            for descriptor, _ in self._poll.poll(self._patience_ms()):
                self._take(descriptor)
            if self._reap():
                break
            self._lose_patience()
        while not self._launched_or_refused:
            self._hear_of_launch()
        self._report({"status": self._status, "left": self._left})

    def _take(self, descriptor: int) -> None:
        if descriptor == self._woken:
            _drain(self._woken)
        elif descriptor == self._launch.fileno():
            self._hear_of_launch()
        elif descriptor == self._control:
            self._told()
        else:
            self._service_is_gone(descriptor)

    def _hear_of_launch(self) -> None:
        """The command's end of this socket closes when it has become what it was told to."""
        data = self._launch.recv(65536)
        self._refusal += data
        if data:
            return
        self._launched_or_refused = True
        self._poll.unregister(self._launch)
        self._launch.close()
        self._poll.register(self._control, select.POLLIN)
        if self._refusal:
            self._report(json.loads(self._refusal))
        else:
            self._report({"pid": self._command, "started": _started(self._command)})

    def _told(self) -> None:
        try:
            words = os.read(self._control, 256).split()
        except ConnectionError:
            words = []
        if not words:
            self._service_is_gone(self._control)
            return
        self._terminate()
        self._kill_at = time.monotonic() + float(words[-1])

    def _service_is_gone(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        self._kill_at = time.monotonic()

    def _reap(self) -> bool:
        """Whether nothing is left below this ward."""
        ended = _reap()
        if ended:
            self._kill_again = _KILL_AGAIN_S
        if self._command in ended:
            self._status = os.waitstatus_to_exitcode(ended[self._command])
            self._ask_at = time.monotonic() + LINGER_S
        return not _has_children()

    def _lose_patience(self) -> None:
        now = time.monotonic()
        if now >= self._kill_at:
            _signal(_below(os.getpid()), signal.SIGKILL)
            self._kill_at = now + self._kill_again
            self._kill_again = min(2 * self._kill_again, 1.0)
        elif now >= self._ask_at and self._kill_at == float("inf"):
            self._left = len(_below(os.getpid()))
            self._terminate()
            self._kill_at = now + LEFT_BEHIND_GRACE_S

    def _terminate(self) -> None:
        everything = _below(os.getpid())
        _signal(everything, signal.SIGTERM)
        _signal(everything, signal.SIGCONT)

    def _patience_ms(self) -> float | None:
        until = self._kill_at if self._kill_at < float("inf") else self._ask_at
        if until == float("inf"):
            return None
        return max(0.0, (until - time.monotonic()) * 1000) + 1

    def _report(self, news: dict[str, Any]) -> None:
        with suppress(OSError):
            os.write(self._control, json.dumps(news).encode() + b"\n")


def _as(role: Any, *arguments: Any) -> NoReturn:
    """Ends a forked process with what its role returned, and nothing of its parent's."""
    status = 1
    try:
        status = role(*arguments)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        raise
    finally:
        os._exit(status)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.recv(count - len(data))
        if not more:
            raise EOFError("the service closed the socket in the middle of a launch")
        data += more
    return data


def _prctl(option: int, value: Any) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _dies_with(parent: int) -> bool:
    """Has the kernel kill this process when its parent ends; False if it just did."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    return os.getppid() == parent


def _pidfd(pid: int) -> int:
    """Readable once the process is gone; -1 if the kernel has no such thing (before 5.3)."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        return -1


def _wake_on_child() -> int:
    """A descriptor that becomes readable when a child ends."""
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    return woken


def _drain(woken: int) -> None:
    try:
        while os.read(woken, 4096):
            pass
    except BlockingIOError:
        pass


def _reap() -> dict[int, int]:
    """The children that ended, each with its wait status."""
    ended: dict[int, int] = {}
    try:
        while (one := os.waitpid(-1, os.WNOHANG))[0]:
            ended[one[0]] = one[1]
    except ChildProcessError:
        pass
    return ended


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _below(root: int, *, besides: Collection[int] = ()) -> list[Process]:
    """All descendants of a process, nearest first, without some of its children and theirs."""
    children: dict[int, list[Process]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _stat(int(name))):
            children.setdefault(int(fields[1]), []).append((int(name), int(fields[2])))
    found = [child for child in children.get(root, ()) if child[0] not in besides]
    for pid, _ in found:
        found.extend(children.get(pid, ()))
    return found


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat after the name, which may itself contain anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _started(pid: int) -> int:
    """When a process started, in clock ticks since boot: with the pid, its identity."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def _signal(processes: list[Process], number: int) -> None:
    """Signals whole groups: one that hops from pid to pid is reached all the same.

    Every group below a ward is its own, since each command begins a session.
    """
    ours = os.getpgrp()
    # A process that is just ending may have no group any more: -1, or 0, which would mean ours.
    for group in {group for _, group in processes if group > 1} - {ours}:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    for pid in [pid for pid, group in processes if group == ours]:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


if __name__ == "__main__":
    main(int(sys.argv[1]))
