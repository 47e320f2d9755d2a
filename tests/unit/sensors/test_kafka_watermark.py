"""How far a Kafka sensor says that it has read, against logs that grow while they are read."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from sensors.kafka.position import Position
from sensors.kafka.record import Part
from sensors.kafka.watermark import Answer, Watermark

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATENESS = timedelta(seconds=60)


@dataclass(frozen=True)
class Record:
    timestamp: int


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def before(seconds: float) -> datetime:
    return at(seconds) - timedelta(microseconds=1)


def records(*seconds: float) -> list[Record]:
    return [Record(int(at(second).timestamp() * 1000)) for second in seconds]


def part(number: int, offset: int = 0) -> Part:
    return Part.at(TopicPartition("orders", number), Position("-", offset))


def test_a_partition_read_to_its_end_is_read_up_to_the_question_that_showed_it() -> None:
    one = part(0, offset=5)
    answers = {one.tp: Answer(5, at(10.0009))}
    assert Watermark([one], LATENESS).upto(answers, at(60)) == before(10)
    assert Watermark([one], LATENESS).upto(answers, at(9)) == before(9)


def test_a_partition_that_lags_is_read_up_to_its_newest_record_less_the_lateness() -> None:
    one = part(0)
    watermark = Watermark([one], LATENESS)
    answers = {one.tp: Answer(5, at(1000))}
    assert watermark.upto(answers, at(1000)) is None
    watermark.saw(one, records(100, 200, 150), at(1000))
    assert watermark.upto(answers, at(1000)) == before(140)
    watermark.saw(one, records(190), at(1000))
    assert watermark.upto(answers, at(1000)) == before(140)


def test_a_record_of_the_future_says_nothing() -> None:
    one = part(0)
    watermark = Watermark([one], LATENESS)
    watermark.saw(one, records(100, 5_000), at(1000))
    watermark.saw(one, records(6_000), at(1000))
    assert watermark.upto({one.tp: Answer(5, at(1000))}, at(1000)) == before(40)


def test_the_whole_is_read_as_far_as_the_partition_that_is_least_far() -> None:
    behind, done, silent = part(0), part(1, offset=3), part(2)
    watermark = Watermark([behind, done, silent], LATENESS)
    watermark.saw(behind, records(100), at(1000))
    answers = {behind.tp: Answer(5, at(1000)), done.tp: Answer(3, at(1000))}
    assert watermark.upto(answers, at(1000)) is None
    answers[silent.tp] = Answer(0, at(1000))
    assert watermark.upto(answers, at(1000)) == before(40)
    behind.move(5)
    assert watermark.upto(answers, at(1000)) == before(1000)


def test_an_end_before_our_position_is_not_believed() -> None:
    one = part(0, offset=5)
    assert Watermark([one], LATENESS).upto({one.tp: Answer(4, at(10))}, at(60)) is None


@given(st.data())
def test_nothing_that_is_said_to_be_read_comes_later(data: st.DataObject) -> None:
    parts = [part(number) for number in range(data.draw(st.integers(1, 3)))]
    logs: dict[TopicPartition, list[int]] = {one.tp: [] for one in parts}
    asked, answers = dict.fromkeys(logs, 0), dict[TopicPartition, Answer]()
    watermark, said, now = Watermark(parts, LATENESS), at(-1), 1
    for _ in range(data.draw(st.integers(1, 40))):
        now += data.draw(st.integers(0, 30))
        one = data.draw(st.sampled_from(parts))
        log = logs[one.tp]
        match data.draw(st.sampled_from(["append", "fetch", "consume"])):
            case "append":
                # Records come in disorder, but none so late that a fetch should have shown it.
                newest = max(log, default=0)
                log.append(max(now - data.draw(st.integers(0, 90)), newest - 60, asked[one.tp]))
            case "fetch":
                asked[one.tp] = now - 1
                answers[one.tp] = Answer(len(log), at(now - 1))
            case _:
                known = answers[one.tp].end if one.tp in answers else 0
                after = max(min(one.offset + data.draw(st.integers(1, 5)), known), one.offset)
                came = log[one.offset : after]
                assert all(at(second) > said for second in came)
                watermark.saw(one, records(*came), at(now))
                one.move(after)
        said = max(said, watermark.upto(answers, at(now)) or said)
