"""Records to events, and the records that aiokafka's own parser cannot read."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition
from pydantic import BaseModel

from reactor.core.event import Event
from sensors.kafka import KafkaTopic
from sensors.kafka.payload import complaint, decoder
from sensors.kafka.position import Position
from sensors.kafka.record import Part, Reader, texts
from sensors.kafka.rescue import Unreadable, read_tolerantly

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Order(BaseModel):
    order_id: int
    region: str


def part(offset: int = 0) -> Part:
    return Part.at(TopicPartition("orders", 3), Position("id", offset))


def message(offset: int, value: bytes | None, **other: Any) -> SimpleNamespace:
    about = {"timestamp": 1_767_225_600_000, "key": None, "headers": ()} | other
    return SimpleNamespace(offset=offset, value=value, **about)


def test_an_event_is_a_whole_event() -> None:
    reader = Reader(KafkaTopic("orders"))
    batch = reader.batch([(part(), [message(7, b"1", key=b"k")], 8)], NOW)
    assert type(batch.events[0]) is Event
    assert batch.events[0] == Event(
        id="orders/3/id/7",
        source="orders",
        type="kafka.message",
        subject="orders/3",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        received=NOW,
        data=1,
        key="k",
    )
    assert hash(batch.events[0].id) == hash("orders/3/id/7")


def test_a_batch_moves_each_part_from_where_it_was() -> None:
    reader, orders = Reader(KafkaTopic("orders")), part(5)
    (first,) = reader.batch([(orders, [message(5, b"1")], 6)], NOW).moves
    (second,) = reader.batch([(orders, [], 9)], NOW).moves
    assert (first.part, first.before, first.after) == ("orders/3", "id:5", "id:6")
    assert (second.before, second.after) == ("id:6", "id:9")


@pytest.mark.parametrize("stamp", [-1, 2**62])
def test_a_record_without_a_usable_time_happened_when_it_was_received(stamp: int) -> None:
    reader = Reader(KafkaTopic("orders"))
    batch = reader.batch([(part(), [message(0, b"1", timestamp=stamp)], 1)], NOW)
    assert batch.events[0].time == NOW


def test_headers_are_text_whatever_they_were() -> None:
    assert texts([("a", b"1"), ("b", None), ("c", b"\xff"), ("a", b"2")]) == {
        "a": "2", "b": "", "c": "\\xff",
    }  # fmt: skip


def test_a_complaint_names_each_field_and_quotes_no_value() -> None:
    with pytest.raises(ValueError) as error:
        decoder(Order, "json")(b'{"order_id": "canary"}')
    said = complaint(error.value)
    assert "order_id: Input should be a valid integer" in said
    assert "region: Field required" in said
    assert "canary" not in said


def test_a_complaint_is_one_line_however_many_fields_are_wrong() -> None:
    with pytest.raises(ValueError) as error:
        decoder(list[int], "json")(b'["a", "b", "c", "d", "e", "f", "g"]')
    said = complaint(error.value)
    assert said.endswith("; and 2 more")
    assert "\n" not in said


def batch_of(*values: bytes, offset: int = 0) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    for number, value in enumerate(values):
        builder.append(number, 1_767_225_600_000, b"key", value, [])
    raw = bytearray(builder.build())
    raw[0:8] = offset.to_bytes(8, "big")
    return bytes(raw)


def test_records_are_read_without_the_consumer() -> None:
    records, after = read_tolerantly(part(1), batch_of(b"a", b"b", b"c"))
    assert [(record.offset, record.value) for record in records] == [(1, b"b"), (2, b"c")]
    assert after == 3


def test_a_damaged_batch_ends_what_is_read() -> None:
    damaged = batch_of(b"x", offset=2)[:-3] + b"???"
    records, after = read_tolerantly(part(0), batch_of(b"a", b"b") + damaged)
    assert [record.value for record in records] == [b"a", b"b"]
    assert after == 2
    with pytest.raises(Unreadable) as error:
        read_tolerantly(part(2), damaged)
    assert "CorruptRecordException" in str(error.value)


def test_a_batch_that_was_cut_off_is_not_there_yet() -> None:
    whole, cut = batch_of(b"a"), batch_of(b"b", offset=1)[:40]
    records, after = read_tolerantly(part(0), whole + cut)
    assert ([record.value for record in records], after) == ([b"a"], 1)
    assert read_tolerantly(part(1), cut) == ([], 1)
