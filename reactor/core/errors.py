"""Every error of this project, under one root.

A class exists only where somebody catches it. Fields come first and the message is derived from
them: what is wrong, where, and, as `hint`, what to do about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ReactorError(Exception):
    """Something that this project can name went wrong."""

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head} ({self.hint})" if self.hint else head


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a pipeline: `where` is `file:line`, or empty if unknown."""

    what: str
    where: str = ""
    hint: str = ""

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head} ({self.hint})" if self.hint else head


class DefinitionError(ReactorError):
    """The pipeline is wrong; carries every problem found, not just the first."""

    def __init__(
        self, problems: Sequence[Problem] | str, *, where: str = "", hint: str = ""
    ) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems, where, hint)]
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __str__(self) -> str:
        return self.what


class SettingsError(ReactorError):
    """The configuration is wrong."""


class SensorError(ReactorError):
    """The world behind a sensor is wrong; the sensor is started again with backoff."""


class SensorRefused(SensorError):
    """Trying again would not help: the sensor is stopped and its owner told."""


class StoreError(ReactorError):
    """The durable store could not do what was asked."""


class StoreConflict(StoreError):
    """Another writer moved on first: reload and decide anew."""


class StoreUnavailable(StoreError):
    """The store cannot be reached or written; nothing is accepted until it can."""


class StoreBroken(StoreUnavailable):
    """Nothing more may be written by this process; only a new start can tell what was recorded."""


class StepError(ReactorError):
    """A step's work went wrong in a way that this project can name."""


class StepTimedOut(StepError):
    """The step ran longer than its timeout and was stopped."""


class StepCancelled(StepError):
    """The step was stopped because it was no longer wanted."""


class InvariantError(ReactorError):
    """A promise of this project's own code does not hold: a defect here, not in a pipeline."""
