"""CloudEvents as they come over HTTP."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.web.cloudevent import MOST, CloudEvent, Malformed, read

LEAST = {"specversion": "1.0", "id": "1", "source": "orders", "type": "order"}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}


def one(event: dict[str, Any], headers: dict[str, str] = STRUCTURED) -> CloudEvent:
    (found,) = read(headers, json.dumps(event).encode())
    return found


def test_the_least_that_an_event_has() -> None:
    assert one(LEAST) == CloudEvent("1", "orders", "order")


def test_everything_an_event_may_have() -> None:
    event = {
        **LEAST,
        "subject": "eu",
        "time": "2026-11-02T01:00:00.5+01:00",
        "datacontenttype": "application/json",
        "dataschema": "https://x.example/order",
        "partitionkey": "k",
        "attempt": 3,
        "data": {"amount": 1.5},
    }
    found = one(event)
    assert found.time == datetime(2026, 11, 2, 0, 0, 0, 500_000, tzinfo=UTC)
    assert (found.subject, found.key, found.data) == ("eu", "k", b'{"amount":1.5}')
    assert found.extensions == {"partitionkey": "k", "attempt": "3"}


def test_a_payload_is_json_text_or_bytes() -> None:
    assert one({**LEAST, "data": "x"}).data == b'"x"'
    assert one({**LEAST, "data": None}).data == b"null"
    assert one({**LEAST, "data": "a,b", "datacontenttype": "text/csv"}).data == b"a,b"
    assert one({**LEAST, "data_base64": base64.b64encode(b"\xff\x00").decode()}).data == b"\xff\x00"


def test_attributes_in_headers_are_percent_decoded() -> None:
    headers = {f"ce-{name}": value for name, value in LEAST.items()}
    (found,) = read({**headers, "ce-subject": "Euro%20%E2%82%AC", "content-type": "x/y"}, b"\xff")
    assert (found.subject, found.data) == ("Euro €", b"\xff")


def test_a_plain_json_body_is_an_event_or_a_batch() -> None:
    plain = {"content-type": "application/json"}
    assert one(LEAST, plain).id == "1"
    assert [event.id for event in read({}, json.dumps([LEAST, {**LEAST, "id": "2"}]).encode())] == [
        "1",
        "2",
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"specversion": None}, "specversion is missing"),
        ({"specversion": "0.3"}, "specversion is not 1.0"),
        ({"id": ""}, "id is missing"),
        ({"id": 7}, "id is not a text"),
        ({"source": None}, "source is missing"),
        ({"type": ["a"]}, "type is not a text"),
        ({"id": "x" * 2001}, "id is longer than 2,000 characters"),
        ({"subject": "a\0b"}, "subject holds what is no text"),
        ({"time": "today"}, "time is no RFC 3339 instant"),
        ({"time": "2026-11-02T01:00:00"}, "time is no RFC 3339 instant"),
        ({"time": 5}, "time is not a text"),
        ({"data": 1, "data_base64": ""}, "data or data_base64, not both"),
        ({"data_base64": "!"}, "data_base64 is no base64"),
        ({"data_base64": 5}, "data_base64 is no base64"),
    ],
)
def test_what_is_wrong_with_an_event_is_said(change: dict[str, Any], says: str) -> None:
    with pytest.raises(Malformed, match=says):
        one({**LEAST, **change})


def test_what_is_wrong_in_a_batch_is_said_with_its_place() -> None:
    with pytest.raises(Malformed, match="event 1 of the batch: id is missing"):
        read(BATCH, json.dumps([LEAST, {**LEAST, "id": ""}]).encode())
    with pytest.raises(Malformed, match=f"at most {MOST} events"):
        read(BATCH, json.dumps([LEAST] * (MOST + 1)).encode())
    with pytest.raises(Malformed, match="a JSON array"):
        read(BATCH, json.dumps(LEAST).encode())


def test_a_body_of_another_kind_is_refused_with_what_to_send() -> None:
    with pytest.raises(Malformed, match="ce-id, ce-source, ce-type"):
        read({"content-type": "text/plain"}, b"hello")


@given(
    st.binary(max_size=200),
    st.sampled_from([STRUCTURED, BATCH, {}, {"ce-id": "1"}, {"content-type": "a/b"}]),
)
def test_any_bytes_make_events_or_a_complaint(body: bytes, headers: dict[str, str]) -> None:
    with suppress(Malformed):
        assert all(event.id and event.source and event.type for event in read(headers, body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*LEAST, "time", "data", "data_base64", "x"]), json_values))
def test_any_attributes_make_an_event_or_a_complaint(attributes: dict[str, Any]) -> None:
    with suppress(Malformed):
        assert len(read(STRUCTURED, json.dumps({**LEAST, **attributes}).encode())) == 1
