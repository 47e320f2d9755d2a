"""What the API answers and takes about backfills, typed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from reactor.web.model import Text

MOST_KEYS = 20_000
Key = Annotated[str, Field(min_length=1, max_length=1000)]


class Backfill(BaseModel):
    """Partitions brought up to date as one thing, at most `limit` at a time.

    Of `total` partitions, `running` are launched, `done` have ended, and `failed` of these not
    well. `eta_seconds` is about how long the rest takes, at the rate of the last ones.
    """

    id: int
    assets: list[Text]
    status: Text
    total: int
    done: int
    running: int
    failed: int
    limit: int
    downstream: bool
    reason: Text = ""
    created: datetime
    finished: datetime | None = None
    eta_seconds: float | None = None


class Part(BaseModel):
    """A partition of a backfill: its last run, if that is known still, and what is told of it."""

    partition: Text
    run: int | None = None
    text: Text = ""


class BackfillDetail(Backfill):
    """A backfill with the ends of its range, what runs of it, and the first of what failed.

    `held` of those that run wait until a hold is over; the text of each of these says which.
    """

    first: Text
    last: Text
    live: list[Part]
    held: int = 0
    failures: list[Part]
    rule: Text


class BackfillOrder(BaseModel):
    """Bring partitions of assets up to date: `A..B`, `a,b,c`, `all`, `missing`, or a list of keys.

    `downstream` with what follows from them. The same `token` twice is one backfill.
    """

    model_config = ConfigDict(extra="forbid")

    assets: Annotated[list[Annotated[str, Field(max_length=500)]], Field(min_length=1)]
    partitions: (
        Annotated[str, Field(max_length=100_000)]
        | Annotated[list[Key], Field(min_length=1, max_length=MOST_KEYS)]
    )
    limit: Annotated[int, Field(ge=1, le=1_000)] = 4
    downstream: bool = True
    reason: Annotated[str, Field(max_length=500)] = ""
    token: Annotated[str, Field(min_length=1, max_length=100)] | None = None
