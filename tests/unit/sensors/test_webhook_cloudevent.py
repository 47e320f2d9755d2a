"""CloudEvents that come to a webhook: structured, batched and binary."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel

from reactor.ports import Batch
from sensors import Webhook
from sensors.webhook import sign

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BODY = b'{"order": 7, "amount": 2.5}'
OPEN = Webhook("open")


class Order(BaseModel):
    order: int
    amount: float


def cloud(**attributes: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order.paid", **attributes}


def structured(hook: Webhook, event: Any, media: str = "application/cloudevents+json") -> Batch:
    body = json.dumps(event).encode()
    return hook.decode({"content-type": f"{media}; charset=utf-8"}, body, NOW)


def test_a_structured_cloud_event_keeps_what_it_says() -> None:
    sent = cloud(
        subject="o/7",
        time="2026-05-01T13:00:00+02:00",
        data={"order": 7},
        partitionkey="eu",
        n=5,
        x=None,
    )
    (event,) = structured(OPEN, sent).events
    assert (event.id, event.source, event.type) == ("/shop#e1", "open", "order.paid")
    assert (event.subject, event.key, event.data) == ("o/7", "eu", {"order": 7})
    assert event.time == datetime(2026, 5, 1, 11, tzinfo=UTC)
    assert event.raw is not None
    assert OPEN.restore(event.raw) == event.data
    about = {name: value for name, value in event.headers.items() if name.startswith("ce-")}
    assert about == {"ce-source": "/shop", "ce-id": "e1", "ce-partitionkey": "eu", "ce-n": "5"}


def test_a_binary_cloud_event_is_its_headers_and_its_body() -> None:
    headers = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "e1",
        "ce-source": "/shop",
        "ce-type": "order.paid",
        "ce-subject": "Euro%20%E2%82%AC%20%F0%9F%98%80",
        "ce-note": '"two \\"words\\""',
    }
    (event,) = OPEN.decode(headers, BODY, NOW).events
    assert (event.id, event.type, event.subject) == ("/shop#e1", "order.paid", "Euro € 😀")
    assert event.headers["ce-note"] == 'two "words"'
    assert event.data == {"order": 7, "amount": 2.5}
    (letter,) = OPEN.decode(headers | {"ce-subject": "%C0%A0"}, BODY, NOW).dead
    assert "percent-encoded" in letter.error


def test_the_id_of_a_signed_binary_event_is_the_one_that_is_signed() -> None:
    hook = Webhook("payments", secret="s")
    headers = sign(BODY, "msg_1", NOW, "s") | {
        "ce-specversion": "1.0",
        "ce-id": "forged",
        "ce-source": "/shop",
        "ce-type": "t",
    }
    (event,) = hook.decode(headers, BODY, NOW).events
    assert event.id == "msg_1"
    assert event.headers["ce-id"] == "forged"


def test_a_batch_brings_its_good_events_and_its_bad_ones_apart() -> None:
    hook = Webhook("open", model=Order)
    good = cloud(data={"order": 1, "amount": 1})
    batch = structured(
        hook,
        [good, 7, cloud(id="e2", data={}), cloud(id="", data=1), good],
        "application/cloudevents-batch+json",
    )
    assert [event.id for event in batch.events] == ["/shop#e1"]
    assert [letter.error.split(":")[0] for letter in batch.dead] == [
        "a CloudEvent is a JSON object",
        "order",
        "id is missing",
    ]
    assert [letter.raw for letter in batch.dead][:2] == [b"7", b"{}"]
    assert len({letter.id for letter in batch.dead}) == 3
    assert structured(hook, [], "application/cloudevents-batch+json").events == ()


def test_a_batch_of_too_many_is_one_dead_letter() -> None:
    batch = structured(OPEN, [1] * 1001, "application/cloudevents-batch+json")
    assert len(batch.dead) == 1


@pytest.mark.parametrize(
    ("sent", "data"),
    [
        (cloud(), None),
        (cloud(data=None), None),
        (cloud(data="just text"), "just text"),
        (cloud(data="<much/>", datacontenttype="application/xml"), "<much/>"),
        (cloud(data_base64="AAH/"), "AAH/"),
        (
            cloud(
                data_base64=base64.b64encode(b'{"a": 1}').decode(),
                datacontenttype="application/json",
            ),
            {"a": 1},
        ),
        (
            cloud(
                data_base64=base64.b64encode("é".encode()).decode(), datacontenttype="text/plain"
            ),
            "é",
        ),
    ],
)
def test_data_of_any_type_is_kept(sent: dict[str, Any], data: Any) -> None:
    (event,) = structured(OPEN, sent).events
    assert event.data == data
    assert event.raw is not None
    assert OPEN.restore(event.raw) == data


@pytest.mark.parametrize(
    "sent",
    [
        cloud(specversion="0.3"),
        cloud(id=None),
        cloud(id=7),
        cloud(id="a\0b"),
        cloud(source="x" * 2000),
        cloud(type=""),
        cloud(subject=[]),
        cloud(time="yesterday"),
        cloud(time="2026-05-01"),
        cloud(time=1777777777),
        cloud(time="1777777777"),
        cloud(time="2026-05-01T13:00:00"),
        cloud(time="0001-01-01T00:00:00+14:00"),
        cloud(data=1, data_base64="AA=="),
        cloud(data_base64="?"),
        cloud(data={}, datacontenttype="application/xml"),
        [],
        "text",
        None,
    ],
)
def test_what_is_no_cloud_event_becomes_a_dead_letter(sent: Any) -> None:
    batch = structured(OPEN, sent)
    assert batch.events == ()
    assert len(batch.dead) == 1


def test_another_format_of_cloud_events_becomes_a_dead_letter() -> None:
    (letter,) = structured(OPEN, cloud(), "application/cloudevents+avro").dead
    assert "application/cloudevents+avro" in letter.error


def test_a_long_identity_is_shortened_and_stays_one() -> None:
    sent = cloud(source="s" * 900, id="i" * 900)
    one, same = (structured(OPEN, sent).events[0].id for _ in range(2))
    other = structured(OPEN, sent | {"id": "j" * 900}).events[0].id
    assert one == same != other
    assert len(one) < 100
