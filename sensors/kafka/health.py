"""Whether the sensor is well, and at which pace that is looked after."""

from __future__ import annotations

from dataclasses import dataclass

from reactor.ports import Desk


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long, in seconds.

    `poll` is how long one wait for records may take, `watch` the time between two looks at the
    cluster, `settle` what an odd answer is given to pass, `patience` what an answer may take,
    `stall` how long records may lie unread before the consumer is replaced, `stop` how long it may
    take to end, `commit` the time between two commits to the group; `first_retry` doubles up to
    `last_retry` while the cluster cannot be reached.
    """

    poll: float = 1.0
    watch: float = 2.0
    settle: float = 1.0
    patience: float = 10.0
    stall: float = 60.0
    stop: float = 5.0
    commit: float = 1.0
    first_retry: float = 0.1
    last_retry: float = 5.0


class Health:
    """Tells the desk how the sensor is: well, if nothing is wrong and nothing is lacking."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._wrong = ""
        self._lacking = ""

    def say(self, why: str) -> None:
        """What is wrong with the cluster, or the empty string."""
        self._wrong = why
        self._tell()

    def lack(self, why: str) -> None:
        """What else is needed and not there, or the empty string."""
        if why != self._lacking:
            self._lacking = why
            self._tell()

    def _tell(self) -> None:
        why = "; ".join(filter(None, (self._wrong, self._lacking)))
        self._desk.up(not why, why)
