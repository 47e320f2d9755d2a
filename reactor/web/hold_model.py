"""What the API answers and takes about holds, typed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from reactor.web.model import Text


class Hold(BaseModel):
    """Breaking changes of a table, until they are acknowledged or undone.

    `columns` are those that broke, none if it is the whole table, and `text` says how. `readers`
    read them; `assets` are held, the readers and all that follows from them; `owners` were told.
    `events` are the numbers of the first changes, of `event_count`.
    """

    id: int
    sensor: Text
    table: Text
    columns: list[Text]
    text: Text
    readers: list[Text]
    assets: list[Text]
    owners: list[Text]
    opened: datetime
    age_seconds: float
    events: list[int]
    event_count: int


class AckOrder(BaseModel):
    """What was done about the change; it is recorded."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=500)] = ""
