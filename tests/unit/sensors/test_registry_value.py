"""`SchemaRegistry` as a value: where it leads, what it is called, its test events."""

import sys
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

import sensors.registry
from reactor import Pipeline
from reactor.core.errors import SensorError, SensorRefused
from reactor.core.field import field
from reactor.core.predicate import predicate_of
from reactor.review import mistakes
from sensors import KafkaTopic, SchemaRegistry

NO_DESK: Any = None
REGISTRY = SchemaRegistry("https://key:s3cret@registry.shop.example:8081/ccompat/", "orders-*")


@pytest.mark.parametrize(
    ("url", "name", "address"),
    [
        ("http://registry:8081", "registry", "http://registry:8081"),
        ("http://registry:8081/", "registry", "http://registry:8081"),
        ("https://k:p%40w@r.example/apis/v7", "r.example", "https://r.example/apis/v7"),
        ("http://[::1]:8081", "::1", "http://[::1]:8081"),
    ],
)
def test_name_and_address_come_from_the_url(url: str, name: str, address: str) -> None:
    registry = SchemaRegistry(url)
    assert (registry.name, registry.address) == (name, address)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"url": "registry:8081"}, "http"),
        ({"url": "http://"}, "http"),
        ({"url": "http://registry:port"}, "http"),
        ({"url": "http://registry?a=b"}, "http"),
        ({"url": "http://registry", "subjects": ""}, "a glob"),
        ({"url": "http://registry", "subjects": []}, "a glob"),
        ({"url": "http://registry", "every": "0s"}, "too often"),
        ({"url": "http://registry", "baseline": "guess"}, "record or announce"),
        ({"url": "http://registry", "auth": ("", "password")}, "the user is empty"),
        ({"url": "http://registry", "ssl_cafile": "ca.pem"}, "https"),
    ],
)
def test_what_cannot_be_asked_is_refused_where_it_is_written(
    settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        SchemaRegistry(**settings)


def test_equal_values_are_one_sensor_and_no_secret_is_shown() -> None:
    again = SchemaRegistry(
        "https://registry.shop.example:8081/ccompat", ["orders-*"], auth=("key", "s3cret")
    )
    assert again == REGISTRY
    assert hash(again) == hash(REGISTRY)
    assert again != SchemaRegistry(again.address, "orders-*")
    shown = f"{REGISTRY!r} {REGISTRY} {REGISTRY.address} {REGISTRY.access!r}"
    assert "s3cret" not in f"{shown} {KafkaTopic('orders', schema=REGISTRY)!r}"


def test_a_secret_is_a_password_or_a_token() -> None:
    basic = SchemaRegistry("http://r", auth=("me", SecretStr("pw"))).access
    token = SchemaRegistry("http://me:pw@r", auth="token").access
    assert (basic.user, basic.secret) == ("me", SecretStr("pw"))
    assert (token.user, token.secret) == ("", SecretStr("token"))


def test_subjects_are_chosen_by_globs_in_which_case_counts() -> None:
    registry = SchemaRegistry("http://r", ["orders-*", "shop.Customer"])
    assert registry.matches("orders-value")
    assert registry.matches("shop.Customer")
    assert not registry.matches("Orders-value")
    assert not registry.matches("refunds-value")


def test_a_test_event_says_what_changed() -> None:
    event = REGISTRY.event("orders-value", removed="customer.city", added=["total"])
    assert (event.source, event.type) == ("registry.shop.example", "schema.changed")
    assert event.subject == event.data.table == "orders-value"
    assert event.data.breaking
    assert event.data.columns == ("customer.city", "total")
    assert event.raw is not None
    assert REGISTRY.restore(event.raw) == event.data
    assert predicate_of(field.columns.contains("customer.city")).test()(event)
    with pytest.raises(SensorError, match="cannot be read"):
        REGISTRY.restore(b"{}")
    with pytest.raises(ValueError, match="nothing changed"):
        REGISTRY.event("orders-value")


@pytest.mark.parametrize("library", ["fastavro", "httpx", "jsonschema_rs"])
def test_without_the_extra_it_is_said_which_one_is_needed(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    for module in ("avro", "client", "json_schema", "schemas", "watching", "wire"):
        monkeypatch.delitem(sys.modules, f"sensors.registry.{module}", raising=False)
        monkeypatch.delattr(sensors.registry, module, raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    for use in (lambda: REGISTRY.open(NO_DESK), REGISTRY.schemas):
        with pytest.raises(SensorRefused, match=rf"needs {library}.*\[registry\]"):
            use()


def test_what_rules_ask_is_compared_with_the_model_as_for_any_topic() -> None:
    class Order(BaseModel):
        amount: Decimal
        region: str

    orders = KafkaTopic("orders", schema=REGISTRY, model=Order)
    shop = Pipeline("shop")

    @shop.asset
    def launched() -> None: ...

    shop.rule(orders.where(field.amont > 1), launched, name="a")
    shop.rule(orders.where(field.region > 5), launched, name="b")
    shop.rule(REGISTRY.where(field.braking == "yes"), launched, name="c")
    amont, region, braking = (problem.what for problem in mistakes(shop.definition()))
    assert "has no amont" in amont
    assert "compares text with a number" in region
    assert "has no braking" in braking


def test_a_topic_of_plain_bytes_has_no_use_for_a_schema() -> None:
    with pytest.raises(ValueError, match="no use for a schema"):
        KafkaTopic("orders", schema=REGISTRY, format="bytes")
