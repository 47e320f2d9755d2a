"""What passes to a worker process: an event arrives as what it was."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from reactor.core.event import Event
from reactor.executors.wire import Frames, frame, pack, unpack

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def passed(value: Any) -> Any:
    """What becomes of the payload of an event."""
    event = Event("1", "orders", "kafka.message", "orders/0", NOW, NOW, value, raw=b"{}")
    [message] = Frames().feed(frame({"value": pack((event,))}))
    [found] = unpack(message["value"], load=True)
    assert found == event
    return found.data


@pytest.mark.parametrize(
    "value",
    [
        {"amount": Decimal("12.50"), "at": NOW, "day": date(2026, 3, 1), "hour": time(7, 30)},
        [{"id": UUID(int=7)}, {"photo": b"\x00\xff"}, None, True, 1, 1.5, "text"],
        {"$decimal": "no number"},
        {"$map": {"$uuid": 1}},
        Decimal("1E+3"),
        b"\xff",
        "text",
        None,
    ],
)
def test_a_payload_passes_with_types_that_json_has_not(value: Any) -> None:
    for one in (value, {"inside": value}):
        assert passed(one) == one


def test_a_decimal_is_no_text_afterwards() -> None:
    assert type(passed({"amount": Decimal("12.50")})["amount"]) is Decimal
