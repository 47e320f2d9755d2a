"""Requests that nobody thought of."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from reactor.ports import Batch
from sensors import Webhook
from sensors.webhook import WebhookRefused, sign

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECRET = "the one that is shared"
STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
CONTEXT = {"specversion": "1.0", "id": "e1", "source": "/shop", "type": "order.paid"}


class Order(BaseModel):
    order: int


HOOKS = [
    Webhook("open"),
    Webhook("open", model=Order),
    Webhook("standard", secret=SECRET),
    Webhook("github", secret=SECRET, signature="github", model=Order),
]
NAMES = """content-type webhook-id webhook-timestamp webhook-signature x-hub-signature-256
    x-github-delivery idempotency-key ce-id ce-specversion ce-source ce-type ce-time ce-subject
    ce-data ce-partitionkey ce- ce-Ä"""
VALUES = """1.0 application/json application/xml text/plain 2026-05-01T00:00:00Z v1, %
    9999-12-31T23:59:59-14:00 %ff%00 "\\" """
HEADERS = st.dictionaries(
    st.sampled_from([*NAMES.split(), "x-\0", "x-\ud800"]),
    st.text(max_size=30)
    | st.sampled_from([*VALUES.split(), STRUCTURED, BATCHED, "sha256=" + "0" * 64]),
)
ATTRIBUTES = st.sampled_from(
    [*CONTEXT, "data", "data_base64", "time", "subject", "datacontenttype", "partitionkey", "é"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ATTRIBUTES, inner, max_size=8),
    max_leaves=12,
)
CLOUD = st.dictionaries(ATTRIBUTES, JSON, max_size=4).map(lambda more: {**CONTEXT, **more})
BODIES = st.one_of(
    st.binary(max_size=200),
    (JSON | CLOUD | st.lists(CLOUD, max_size=3)).map(lambda value: json.dumps(value).encode()),
    st.integers(1, 3000).map(lambda depth: b"[" * depth + b"]" * depth),
)


def storable(batch: Batch, hook: Webhook) -> None:
    """Holds of all that a store, a page and a restart would be given."""
    for event in batch.events:
        assert event.raw is not None
        assert hook.restore(event.raw) == event.data
        json.dumps(event.data if hook.model is None else event.data.model_dump(), allow_nan=False)
        assert event.time.utcoffset() == timedelta(0)
        texts = [event.id, event.type, event.subject, event.key or "", *event.headers.values()]
        assert b"\0" not in "".join([*texts, *event.headers]).encode()
    for letter in batch.dead:
        assert letter.error
        assert b"\0" not in "".join([letter.id, letter.error, *letter.headers]).encode()
    ids = [event.id for event in batch.events] + [letter.id for letter in batch.dead]
    assert len(set(ids)) == len(ids)


@given(HEADERS, BODIES, st.sampled_from(HOOKS), st.booleans())
@example({"content-type": STRUCTURED}, b'{"time": "9999-12-31T23:59:59-14:00"}', HOOKS[0], False)
@example({"content-type": BATCHED}, b"[1, 1, 1]", HOOKS[0], False)
@example({"content-type": BATCHED}, json.dumps([CONTEXT] * 3).encode(), HOOKS[2], True)
def test_any_request_is_refused_or_makes_what_can_be_stored(
    headers: dict[str, str], body: bytes, hook: Webhook, knows_the_secret: bool
) -> None:
    if knows_the_secret:
        headers = headers | sign(body, "msg_1", NOW, SECRET, hook.signature)
    try:
        batch = hook.decode(headers, body, NOW)
    except WebhookRefused as error:
        status = error.status
    else:
        storable(batch, hook)
        assert batch.events or batch.dead or body.strip() == b"[]"
        assert knows_the_secret or not hook.secrets
        return
    assert status == 401
    assert hook.secrets
    assert not knows_the_secret
