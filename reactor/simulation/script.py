"""What the attempts of an asset do in a simulation: succeed, fail, take time, return something.

Law: what is left to chance is drawn from the seed, the asset, the step and the attempt, and from
nothing else: equal seeds give equal lives, in whatever order they are asked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from reactor.core.decision import Ending, Finished, Start
from reactor.core.duration import Duration, duration, spoken
from reactor.pipeline import Output

_AT_ONCE = timedelta(0)


@dataclass(slots=True)
class Script:
    """What the attempts of one asset do; without a script they succeed at once."""

    failures: int = 0
    rate: float = 0.0
    error: str = "it failed"
    lasts: timedelta = _AT_ONCE
    longest: timedelta = _AT_ONCE
    value: Any = None

    def fails(
        self, times: int | None = None, error: str = "it failed", *, rate: float | None = None
    ) -> Script:
        """The next `times` attempts fail (one, if nothing is said); or each does, at a `rate`.

        Raises: ValueError for both at once, or a rate that is no share between 0 and 1.
        """
        if rate is not None and times is not None:
            raise ValueError("fails takes times= or rate=, not both")
        if rate is not None and not 0 <= rate <= 1:
            raise ValueError(f"rate={rate} is no share of the attempts: say 0.1 for one in ten")
        if times is not None and times < 0:
            raise ValueError(f"times={times}: an attempt fails or it does not")
        self.failures = 0 if rate is not None else 1 if times is None else times
        self.rate, self.error = rate or 0.0, error
        return self

    def takes(self, length: Duration, longest: Duration | None = None) -> Script:
        """Each attempt takes this long; or, of two lengths, something between them.

        Raises: ValueError if the second is shorter than the first.
        """
        low = duration(length)
        high = low if longest is None else duration(longest)
        if high < low:
            raise ValueError(f"takes {spoken(low)} at least and {spoken(high)} at most")
        self.lasts, self.longest = low, high
        return self

    def returns(self, value: Any) -> Script:
        """Each attempt returns this handle or `Output`."""
        self.value = value
        return self

    def plays(self, start: Start, seed: object) -> tuple[Finished, timedelta]:
        """How an attempt ends, and after how long; a failure that was promised is used up."""
        return self._outcome(start, seed), self._length(start, seed)

    def _outcome(self, start: Start, seed: object) -> Finished:
        failed = self.failures > 0 or (
            self.rate > 0
            and drawn(seed, "fails", start.asset, start.step, start.number) < self.rate
        )
        if failed:
            self.failures = max(0, self.failures - 1)
            return Finished(start.step, start.number, Ending.FAILED, error=self.error)
        value = self.value
        output = value if isinstance(value, Output) else Output(value)
        return Finished(
            start.step,
            start.number,
            Ending.SUCCEEDED,
            output.value,
            output.version,
            tuple(output.changed) if output.changed is not None else None,
            output.metadata,
        )

    def _length(self, start: Start, seed: object) -> timedelta:
        if self.longest == self.lasts:
            return self.lasts
        share = drawn(seed, "takes", start.asset, start.step, start.number)
        return self.lasts + (self.longest - self.lasts) * share


def drawn(*parts: object) -> float:
    """A number from 0 to 1 (left out) that follows from what it is drawn from."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
