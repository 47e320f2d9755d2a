"""What a webhook takes, what it refuses, and what becomes of the rest."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, field_validator

from reactor.core.errors import SensorError
from sensors import Webhook
from sensors.webhook import WebhookRefused, sign

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "a secret of another kind"
BODY = b'{"order": 7, "amount": 2.5}'


class Order(BaseModel):
    order: int
    amount: float

    @field_validator("order")
    @classmethod
    def known(cls, order: int) -> int:
        if order == 13:
            raise KeyError("no order 13")
        return order


PAYMENTS = Webhook("payments", secret=SECRET)
GITHUB = Webhook("code", secret=OTHER, signature="github")
OPEN = Webhook("open")


def signed(
    body: bytes = BODY, id: str = "msg_1", at: datetime = NOW, secret: str = SECRET
) -> dict[str, str]:
    return {**sign(body, id, at, secret), "content-type": "application/json"}


def refused(hook: Webhook, headers: Mapping[str, str], body: bytes = BODY) -> WebhookRefused:
    with pytest.raises(WebhookRefused) as caught:
        hook.decode(headers, body, NOW)
    return caught.value


def test_a_signed_delivery_is_an_event_with_the_id_of_its_sender() -> None:
    batch = PAYMENTS.decode(signed(), BODY, NOW)
    (event,) = batch.events
    assert (event.id, event.source, event.type) == ("msg_1", "payments", "webhook.received")
    assert event.subject == "msg_1"
    assert event.data == {"order": 7, "amount": 2.5}
    assert event.raw == BODY
    assert event.time == event.received == NOW
    assert (batch.sensor, batch.repeats, batch.dead, batch.moves) == ("payments", True, (), ())


def test_known_signatures_of_other_implementations_are_ours() -> None:
    body = b'{"test": 2432232314}'
    headers = sign(body, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, SECRET)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    github = sign(b"Hello, World!", "1", NOW, "It's a Secret to Everybody", "github")
    assert github["x-hub-signature-256"] == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


@pytest.mark.parametrize(
    "spoilt",
    [
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-id": "mság"},
        {"webhook-timestamp": str(int(NOW.timestamp()) + 1)},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "1e9"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v2," + signed()["webhook-signature"][3:]},
        {"webhook-signature": signed()["webhook-signature"][3:]},
        {"webhook-signature": "v1,ü"},
        {"webhook-signature": " ".join(["v1,AAAA"] * 1000 + [signed()["webhook-signature"]])},
    ],
)
def test_whatever_is_wrong_with_a_signature_the_answer_is_the_same(spoilt: dict[str, str]) -> None:
    error = refused(PAYMENTS, signed() | spoilt)
    assert (error.status, str(error), error.hint) == (401, "not authorized", "")
    assert error.why


def test_a_changed_body_is_refused() -> None:
    assert refused(PAYMENTS, signed(), BODY + b" ").status == 401
    assert refused(GITHUB, sign(BODY, "1", NOW, OTHER, "github"), BODY + b" ").status == 401


def test_no_signature_is_refused_whatever_else_is_sent() -> None:
    for hook in (PAYMENTS, GITHUB):
        assert refused(hook, {}).status == 401
        assert refused(hook, sign(BODY, "1", NOW, "guessed")).status == 401
    assert refused(GITHUB, signed(secret=OTHER)).status == 401


def test_an_old_delivery_and_one_from_the_future_are_refused_and_the_limits_are_not() -> None:
    for seconds, well in ((300, True), (301, False), (-300, True), (-301, False)):
        headers = signed(at=NOW - timedelta(seconds=seconds))
        if well:
            assert PAYMENTS.decode(headers, BODY, NOW).events
        else:
            assert refused(PAYMENTS, headers).status == 401


def test_any_of_several_secrets_will_do_while_one_is_changed() -> None:
    hook = Webhook("payments", secret=[SecretStr(OTHER), SECRET])
    for secret in (SECRET, OTHER):
        assert hook.decode(signed(secret=secret), BODY, NOW).events
    assert refused(hook, signed(secret="third")).status == 401
    both = signed()
    both["webhook-signature"] = " ".join(
        [
            "v1a,xyz",
            sign(BODY, "msg_1", NOW, "third")["webhook-signature"],
            both["webhook-signature"],
        ]
    )
    assert PAYMENTS.decode(both, BODY, NOW).events


def test_github_deliveries_are_taken_by_their_own_header() -> None:
    headers = sign(BODY, "72d3162e", NOW, OTHER, "github") | {"x-github-event": "push"}
    (event,) = GITHUB.decode(headers, BODY, NOW).events
    assert event.id == "72d3162e"
    assert event.headers["x-github-event"] == "push"


def test_a_body_that_is_too_long_is_refused_before_anything_is_computed() -> None:
    hook = Webhook("small", secret=SECRET, max_bytes=10)
    assert refused(hook, {}, b"x" * 11).status == 413
    assert refused(hook, {}, b"x" * 10).status == 401


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"NaN", "not JSON"),
        (b'{"a": Infinity}', "not JSON"),
        (b'{"a": [1e999]}', "too large"),
        (b"-" + b"9" * 400 + b".0", "too large"),
        (b"9" * 100_000, "not JSON"),
        (b"[" * 100_000, "recursion"),
        (b'{"a":' * 100_000, "recursion"),
        (b'"\\ud800"', "not JSON"),
    ],
)
def test_what_is_not_json_becomes_a_dead_letter(body: bytes, reason: str) -> None:
    for hook, headers in ((PAYMENTS, signed(body)), (OPEN, {})):
        batch = hook.decode(headers, body, NOW)
        (letter,) = batch.dead
        assert reason in letter.error
        assert (letter.raw, letter.sensor, letter.at) == (body, hook.name, NOW)
        assert batch.events == ()


def test_what_does_not_fit_the_model_becomes_a_dead_letter_that_quotes_nothing() -> None:
    hook = Webhook("payments", secret=SECRET, model=Order)
    body = b'{"order": "c4n4ry"}'
    (letter,) = hook.decode(signed(body), body, NOW).dead
    assert letter.id == "msg_1"
    assert "order: Input should be a valid integer" in letter.error
    assert "amount: Field required" in letter.error
    assert "c4n4ry" not in letter.error


def test_a_model_that_raises_makes_a_dead_letter_too() -> None:
    hook = Webhook("payments", secret=SECRET, model=Order)
    body = b'{"order": 13, "amount": 1}'
    (letter,) = hook.decode(signed(body), body, NOW).dead
    assert "KeyError" in letter.error


def test_a_payload_is_validated_into_the_model_and_restored_as_it_was() -> None:
    hook = Webhook("payments", secret=SECRET, model=Order)
    (event,) = hook.decode(signed(), BODY, NOW).events
    assert event.data == Order(order=7, amount=2.5)
    assert event.raw is not None
    assert hook.restore(event.raw) == event.data
    with pytest.raises(SensorError, match="Field required"):
        hook.restore(b"{}")


def test_a_form_is_told_to_come_as_json() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    (letter,) = OPEN.decode(headers, b"payload=%7B%7D", NOW).dead
    assert "have the sender send JSON" in letter.error


def test_without_an_id_each_delivery_is_new_and_with_one_it_is_the_same() -> None:
    first, second = (OPEN.decode({}, BODY, NOW).events[0].id for _ in range(2))
    assert first != second
    for name in ("webhook-id", "x-github-delivery", "idempotency-key"):
        assert OPEN.decode({name: "k-1"}, BODY, NOW).events[0].id == "k-1"
    for bad in ("", "x" * 300, "a b", "é", "a\0"):
        assert len(OPEN.decode({"idempotency-key": bad}, BODY, NOW).events[0].id) == 32


def test_credentials_are_not_recorded_with_an_event() -> None:
    headers = signed() | {
        "authorization": "Bearer c4n4ry",
        "cookie": "c4n4ry",
        "x-api-key": "c4n4ry",
        "x-gitlab-token": "c4n4ry",
        "x-long": "c4n4ry" * 1000,
    }
    (event,) = PAYMENTS.decode(headers, BODY, NOW).events
    assert "c4n4ry" not in repr(event)
    assert set(event.headers) == {"webhook-id", "webhook-timestamp", "content-type"}


class Broken:
    """A secret whose keeper is away."""

    def get_secret_value(self) -> str:
        raise OSError("c4n4ry: no such file")


def test_a_secret_that_cannot_be_read_lets_nobody_in() -> None:
    for keeper in (Broken(), SecretStr("")):
        error = refused(Webhook("payments", secret=keeper), signed(secret="x"))
        assert error.status == 503
        assert "c4n4ry" not in f"{error} {error.why}"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"name": ""}, "end of its path"),
        ({"name": "a/b"}, "end of its path"),
        ({"name": "p", "secret": ""}, "not empty"),
        ({"name": "p", "secret": []}, "empty"),
        ({"name": "p", "secret": "whsec_?"}, "base64"),
        ({"name": "p", "signature": "md5"}, "standard or github"),
        ({"name": "p", "max_bytes": 0}, "at least 1"),
        ({"name": "p", "tolerance": "soon"}, "duration"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(
    settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        Webhook(**settings)


def test_equal_values_are_one_sensor_and_no_secret_is_shown() -> None:
    again = Webhook("payments", secret=SECRET)
    assert again == PAYMENTS
    assert hash(again) == hash(PAYMENTS)
    assert Webhook("payments", secret=OTHER) != PAYMENTS
    assert (PAYMENTS.name, PAYMENTS.address, str(PAYMENTS)) == (
        "payments",
        "/hooks/payments",
        "payments",
    )
    assert SECRET not in repr(PAYMENTS)
    with pytest.raises((FrozenInstanceError, TypeError)):
        PAYMENTS.max_bytes = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_a_test_event_is_as_one_that_came() -> None:
    hook = Webhook("payments", model=Order)
    event = hook.event(order=7, amount=2.5)
    assert (event.source, event.type, event.data) == (
        "payments",
        "webhook.received",
        Order(order=7, amount=2.5),
    )
    assert event.raw is not None
    assert hook.restore(event.raw) == event.data
    assert hook.event({"order": 7, "amount": 2.5}).data == hook.event(event.data).data == event.data
    assert hook.event(order=7, amount=2.5).id != event.id
    assert OPEN.event([1, 2]).data == [1, 2]
    with pytest.raises(SensorError, match="amount: Field required"):
        hook.event(order=7)
    with pytest.raises(TypeError, match="not both"):
        hook.event({"order": 7}, amount=1)


def test_a_test_event_happened_when_it_says_and_a_payload_may_have_a_time_of_its_own() -> None:
    event = OPEN.event(order=7, time=NOW)
    assert (event.time, event.received, event.data) == (NOW, NOW, {"order": 7})
    assert OPEN.event({"time": "09:00"}).data == {"time": "09:00"}
    assert OPEN.event({"time": "09:00"}, time=NOW).time == NOW
    with pytest.raises(TypeError, match="goes into a mapping"):
        OPEN.event(time="09:00")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="no datetime with a time zone"):
        OPEN.event(time=NOW.replace(tzinfo=None))
