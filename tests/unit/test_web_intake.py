"""What a request to POST /api/events is read as."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.web.intake import read_events
from sensors.cloudevent import CloudEvent, Malformed

LEAST = {"specversion": "1.0", "id": "1", "source": "orders", "type": "order"}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
PLAIN = {"content-type": "application/json; charset=utf-8"}


def one(event: dict[str, Any], headers: dict[str, str] = STRUCTURED) -> CloudEvent:
    (found,) = read_events(headers, json.dumps(event).encode())
    return found


def test_a_payload_is_handed_on_as_the_bytes_that_it_is() -> None:
    assert one(LEAST).content == b""
    assert one({**LEAST, "data": {"amount": 1.5}}).content == b'{"amount":1.5}'
    assert one({**LEAST, "data": "x"}).content == b'"x"'
    assert one({**LEAST, "data": "a,b", "datacontenttype": "text/csv"}).content == b"a,b"
    encoded = base64.b64encode(b"\xff\x00").decode()
    assert one({**LEAST, "data_base64": encoded}).content == b"\xff\x00"
    headers = {f"ce-{name}": value for name, value in LEAST.items()}
    (found,) = read_events({**headers, "content-type": "x/y"}, b"\xff")
    assert found.content == b"\xff"


@pytest.mark.parametrize("headers", [PLAIN, {}])
def test_plain_json_is_an_event_or_a_list_of_them(headers: dict[str, str]) -> None:
    assert one(LEAST, headers).id == "1"
    body = json.dumps([LEAST, {**LEAST, "id": "2"}]).encode()
    assert [event.id for event in read_events(headers, b"\n " + body)] == ["1", "2"]


def test_what_is_wrong_in_a_batch_is_said_with_its_place() -> None:
    with pytest.raises(Malformed, match="event 1 of the batch: id is missing"):
        read_events(BATCH, json.dumps([LEAST, {**LEAST, "id": ""}]).encode())


def test_a_body_of_another_kind_is_refused_with_what_to_send() -> None:
    with pytest.raises(Malformed, match="ce-id, ce-source and ce-type"):
        read_events({"content-type": "text/plain"}, b"hello")


@given(
    st.binary(max_size=200),
    st.sampled_from([STRUCTURED, BATCH, PLAIN, {}, {"ce-specversion": "1.0", "ce-id": "1"}]),
)
def test_any_bytes_make_events_or_a_complaint(body: bytes, headers: dict[str, str]) -> None:
    with suppress(Malformed):
        events = read_events(headers, body)
        assert all(event.id and event.source and event.type for event in events)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*LEAST, "time", "data", "data_base64", "x"]), _JSON))
def test_any_attributes_make_an_event_or_a_complaint(attributes: dict[str, Any]) -> None:
    with suppress(Malformed):
        assert len(read_events(STRUCTURED, json.dumps({**LEAST, **attributes}).encode())) == 1
