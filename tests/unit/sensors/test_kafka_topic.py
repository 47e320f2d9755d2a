"""The value that says which Kafka topics to listen to."""

import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel, SecretStr

from reactor.core.errors import SensorError, SettingsError
from sensors import KafkaTopic
from sensors.kafka.topic import MESSAGE, TOMBSTONE


class Order(BaseModel):
    order_id: int
    region: str = "eu"


def test_equal_values_are_one_sensor() -> None:
    one, two = KafkaTopic("orders", model=Order), KafkaTopic("orders", model=Order)
    assert one == two
    assert len({one, two}) == 1
    assert one != KafkaTopic("orders", model=Order, start="earliest")
    assert one != KafkaTopic("orders", "refunds", model=Order)


def test_the_name_is_the_topic_unless_it_is_given() -> None:
    assert KafkaTopic("orders").name == "orders"
    assert KafkaTopic("orders", "refunds").name == "orders+refunds"
    assert str(KafkaTopic("orders", "refunds", name="sales")) == "sales"
    assert KafkaTopic("orders", name="sales").group == "reactor-sales"
    assert KafkaTopic("orders").kind == "kafka"


def test_a_value_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        KafkaTopic("orders").name = "other"  # type: ignore[misc]


def test_no_credential_is_shown() -> None:
    topic = KafkaTopic(
        "orders",
        bootstrap="kafka:9093",
        username="reader",
        password="canary",
        ssl_cafile="ca.pem",
    )
    assert topic.address == "kafka://kafka:9093/orders"
    assert "canary" not in f"{topic!r} {topic} {topic.address}"
    assert topic.security.password == SecretStr("canary")


def test_a_trigger_is_made_of_it() -> None:
    orders, refunds = KafkaTopic("orders"), KafkaTopic("refunds")
    assert str(orders | refunds) == "orders | refunds"


@pytest.mark.parametrize(
    ("start", "wanted"),
    [
        ("latest", "latest"),
        ("earliest", "earliest"),
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T02:00:00+02:00", datetime(2026, 1, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_start_is_a_word_or_an_instant(start: str | datetime, wanted: object) -> None:
    assert KafkaTopic("orders", start=start).start == wanted


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"start": "yesterday"}, "start is 'latest', 'earliest' or an instant"),
        ({"start": "2026-01-01T00:00:00"}, "has no time zone"),
        ({"on_out_of_range": "ignore"}, "on_out_of_range is 'halt', 'earliest' or 'latest'"),
        ({"format": "xml"}, "format is 'json' or 'bytes'"),
        ({"format": "bytes", "model": Order}, "has no use for a model"),
        ({"bootstrap": "kafka:abc"}, "'kafka:abc' is no Kafka server"),
        ({"bootstrap": "kafka:9092,"}, "'' is no Kafka server"),
        ({"bootstrap": "kafka://kafka:9092"}, "is no Kafka server"),
        ({"max_bytes": 0}, "max_bytes is at least 1"),
        ({"lateness": "soon"}, "a duration is text such as"),
        ({"username": "reader"}, "without a password"),
        ({"security_protocol": "TLS"}, "security_protocol is one of"),
        ({"security_protocol": "SASL_SSL"}, "SASL_SSL without a username"),
        ({"security_protocol": "PLAINTEXT", "username": "x", "password": "y"}, "with a username"),
        ({"username": "x", "password": "y", "sasl_mechanism": "GSSAPI"}, "sasl_mechanism is one"),
        ({"security_protocol": "PLAINTEXT", "ssl_cafile": "ca.pem"}, "uses no certificates"),
        ({"ssl_certfile": "me.pem"}, "belong together"),
    ],
)
def test_a_setting_that_means_nothing_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as error:
        KafkaTopic("orders", **settings)  # type: ignore[arg-type]
    assert said in str(error.value)


@pytest.mark.parametrize("topics", [(), ("or ders",), ("a/b",), ("..",), ("x" * 250,), ("a", "a")])
def test_what_is_no_topic_is_refused(topics: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        KafkaTopic(*topics)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError) as error:
        KafkaTopic("orders", pasword="x")  # type: ignore[call-arg]
    assert "pasword" in str(error.value)


@pytest.mark.parametrize(
    ("given", "protocol", "mechanism"),
    [
        ({}, "PLAINTEXT", ""),
        ({"ssl_cafile": "ca.pem"}, "SSL", ""),
        ({"username": "x", "password": "y"}, "SASL_SSL", "PLAIN"),
        ({"username": "x", "password": "y", "sasl_mechanism": "SCRAM-SHA-512"}, "SASL_SSL",
         "SCRAM-SHA-512"),
    ],
)  # fmt: skip
def test_credentials_are_encrypted_unless_it_is_spelled_out(
    given: dict[str, str], protocol: str, mechanism: str
) -> None:
    security = KafkaTopic("orders", **given).security  # type: ignore[arg-type]
    assert (security.security_protocol, security.sasl_mechanism) == (protocol, mechanism)
    assert not security.exposed


def test_the_servers_come_from_the_environment_when_they_are_not_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REACTOR_KAFKA", "kafka:9092")
    assert KafkaTopic("orders").servers() == "kafka:9092"
    assert KafkaTopic("orders", bootstrap="other:9092").servers() == "other:9092"
    monkeypatch.setenv("REACTOR_KAFKA", "not a server")
    with pytest.raises(SettingsError) as error:
        KafkaTopic("orders").servers()
    assert str(error.value).startswith("REACTOR_KAFKA: 'not a server' is no Kafka server")
    monkeypatch.delenv("REACTOR_KAFKA")
    with pytest.raises(SettingsError) as error:
        KafkaTopic("orders").servers()
    assert "REACTOR_KAFKA" in error.value.hint


@pytest.mark.parametrize("servers", ["a:1,b:2", "kafka", "[::1]:9092", "10.0.0.1:9092, b:9092"])
def test_servers_are_hosts_with_or_without_a_port(servers: str) -> None:
    assert KafkaTopic("orders", bootstrap=servers).servers() == servers.replace(" ", "")


def test_a_test_event_is_like_one_that_arrives() -> None:
    orders = KafkaTopic("orders", model=Order)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    event = orders.event(order_id=1, region="us")
    assert event.data == Order(order_id=1, region="us")
    assert event.raw == b'{"order_id":1,"region":"us"}'
    assert (event.source, event.type, event.subject) == ("orders", MESSAGE, "orders/0")
    assert orders.restore(event.raw) == event.data

    other = orders.event(Order(order_id=2), key="k", headers={"a": "b"}, partition=3, time=at)
    assert (other.key, other.headers, other.subject) == ("k", {"a": "b"}, "orders/3")
    assert (other.time, other.data) == (at, Order(order_id=2))
    assert orders.event({"order_id": 3}, offset=7).id == "orders/3".replace("3", "0") + "/test/7"
    assert orders.event(None).type == TOMBSTONE


def test_two_test_events_are_two_events() -> None:
    orders = KafkaTopic("orders")
    assert orders.event(a=1).id != orders.event(a=1).id


def test_a_test_event_that_would_be_a_dead_letter_is_an_error() -> None:
    orders = KafkaTopic("orders", model=Order)
    with pytest.raises(SensorError) as error:
        orders.event(order_id="x")
    assert "order_id: Input should be a valid integer" in str(error.value)
    with pytest.raises(TypeError):
        orders.event({"order_id": 1}, region="eu")


def test_a_payload_is_restored_as_the_format_says() -> None:
    assert KafkaTopic("orders", format="bytes").restore(b"\xff") == b"\xff"
    assert KafkaTopic("orders").restore(b'{"a": 1}') == {"a": 1}
    assert KafkaTopic("orders", model=list[int]).restore(b"[1, 2]") == [1, 2]


def test_lateness_is_a_duration() -> None:
    assert KafkaTopic("orders").lateness == timedelta(minutes=1)
    assert KafkaTopic("orders", lateness="5s").lateness == timedelta(seconds=5)


def test_saying_where_to_listen_does_not_load_the_client() -> None:
    code = "import sys, sensors; sensors.KafkaTopic('orders'); print('aiokafka' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
