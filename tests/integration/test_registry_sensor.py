"""Schema changes of a real schema registry."""

import json
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import anyio
import pytest
from anyio import to_thread

from reactor.core.errors import SensorError, SensorRefused
from sensors import SchemaRegistry
from sensors.registry.client import Unavailable
from sensors.registry.watching import Watching
from sensors.schema import SchemaChanged
from tests.integration.desk import Recorder, running
from tests.integration.front import front
from tests.servers.registry import Registry

pytestmark = pytest.mark.anyio


def new_prefix() -> str:
    """What the subjects of one test begin with."""
    return f"t-{uuid4().hex[:8]}"


def order(*fields: Any) -> dict[str, Any]:
    named = [{"name": name, "type": type} for name, type in fields]
    return {"type": "record", "name": "Order", "namespace": "shop", "fields": named}


def watching(url: str, prefix: str, **settings: Any) -> SchemaRegistry:
    return SchemaRegistry(url, f"{prefix}*", **{"every": "20ms", "name": "registry", **settings})


def said(desk: Recorder) -> list[str]:
    return [f"{event.id} {event.data}" for event in desk.events]


async def all_said(desk: Recorder, expected: Iterable[str]) -> None:
    """Waits for these, and that nothing else comes."""
    wanted = list(expected)
    await desk.until(lambda: len(desk.events) >= len(wanted))
    await desk.looked()
    assert said(desk) == wanted


@pytest.fixture
async def mended(registry: Registry) -> AsyncIterator[Registry]:
    """The registry, running again afterwards even if the test failed."""
    yield registry
    if not registry.running:
        await to_thread.run_sync(registry.start)


async def test_the_first_look_records_and_later_versions_are_events(registry: Registry) -> None:
    t = new_prefix()
    registry.register(f"{t}-value", order(("id", "int")))
    desk = Recorder()
    async with running(watching(registry.url, t), desk):
        await desk.looked()
        assert desk.events == []
        assert desk.health == [(True, "")]
        registry.register(f"{t}-value", order(("id", "long")))
        await desk.until(lambda: len(desk.events) == 1)
        registry.register(f"{t}-value", order(("id", "long"), ("note", ["null", "string"])))
        await desk.until(lambda: len(desk.events) == 2)
        registry.register(f"{t}-value", order(("note", ["null", "string"])))
        await desk.until(lambda: len(desk.events) == 3)
        registry.register(f"{t}-key", {"type": "string"})
        await all_said(
            desk,
            [
                f"{t}-value@1 {t}-value: column id is long, was int",
                f"{t}-value@2 {t}-value: column note added (string)",
                f"{t}-value@3 {t}-value: column id removed",
                f"{t}-key@1 {t}-key: table created",
            ],
        )
    assert [event.data.breaking for event in desk.events] == [False, False, True, False]
    event = desk.events[2]
    assert isinstance(event.data, SchemaChanged)
    assert (event.type, event.subject, event.source) == ("schema.changed", f"{t}-value", "registry")
    assert event.data.columns == ("id",)
    assert set(desk.recorded) == {"*", f"{t}-value", f"{t}-key"}


async def test_a_version_that_changes_no_column_is_no_event(registry: Registry) -> None:
    t = new_prefix()
    registry.register(t, order(("id", "int")))
    desk = Recorder()
    async with running(watching(registry.url, t), desk):
        await desk.looked()
        registry.register(t, {**order(("id", "int")), "doc": "An order."})
        await desk.looked(3)
    assert desk.events == []


async def test_what_changed_while_nobody_looked_is_one_event(registry: Registry) -> None:
    t = new_prefix()
    registry.register(t, order(("id", "int"), ("a", "int")))
    desk = Recorder()
    async with running(watching(registry.url, t), desk):
        await desk.looked()
    registry.register(t, order(("id", "int")))
    registry.register(t, order(("id", "int"), ("b", "int")))
    desk = desk.again()
    async with running(watching(registry.url, t), desk):
        await all_said(desk, [f"{t}@1 {t}: column a removed; column b added (int not null)"])


async def test_the_first_look_announces_when_asked(registry: Registry) -> None:
    t = new_prefix()
    registry.register(t, order(("id", "int")))
    desk = Recorder()
    async with running(watching(registry.url, t, baseline="announce"), desk):
        await all_said(desk, [f"{t}@1 {t}: table created"])


async def test_a_deleted_subject_is_dropped_and_comes_back_when_registered_anew(
    registry: Registry,
) -> None:
    t = new_prefix()
    registry.register(t, order(("id", "int")))
    desk = Recorder()
    async with running(watching(registry.url, t), desk):
        await desk.looked()
        registry.delete(t)
        await desk.until(lambda: len(desk.events) == 1)
        registry.register(t, order(("id", "int"), ("a", "int")))
        await all_said(desk, [f"{t}@1 {t}: table dropped", f"{t}@2 {t}: table created"])
    assert desk.events[0].data.breaking


async def test_deleted_and_registered_between_two_looks_is_what_became_of_the_columns(
    registry: Registry,
) -> None:
    t = new_prefix()
    registry.register(t, order(("id", "int")))
    desk = Recorder()
    async with running(watching(registry.url, t), desk):
        await desk.looked()
    registry.delete(t)
    registry.register(t, order(("id", "string")))
    desk = desk.again()
    async with running(watching(registry.url, t), desk):
        await all_said(desk, [f"{t}@1 {t}: column id is string, was int"])


async def test_a_deleted_version_brings_the_one_before_it_back(registry: Registry) -> None:
    t = new_prefix()
    registry.register(t, order(("id", "int")))
    registry.register(t, order(("id", "int"), ("a", "int")))
    desk = Recorder()
    async with running(watching(registry.url, t), desk):
        await desk.looked()
        registry.delete(t, 2)
        await all_said(desk, [f"{t}@1 {t}: column a removed"])
    desk = desk.again()
    async with running(watching(registry.url, t), desk):
        await desk.looked()
    assert desk.events == []


async def test_json_schemas_and_references_are_read_and_the_rest_is_named_in_the_log(
    registry: Registry,
) -> None:
    t = new_prefix()
    city = {"type": "record", "name": f"City{t[2:]}", "namespace": "shop", "fields": []}
    city["fields"] = [{"name": "zip", "type": "string"}]
    name = f"shop.{city['name']}"
    registry.register(f"{t}-city", city)
    desk = Recorder()
    async with running(watching(registry.url, t), desk):
        await desk.looked()
        properties = {"id": {"type": "integer"}}
        registry.register(f"{t}-json", {"type": "object", "properties": properties}, "JSON")
        registry.register(f"{t}-sale", order(("city", name)), references=[(name, f"{t}-city", 1)])
        registry.register(f"{t}-proto", 'syntax = "proto3"; message A { int32 a = 1; }', "PROTOBUF")
        await desk.until(lambda: len(desk.events) == 2 and "schema not read" in desk.log.said)
        await desk.looked()
    found = {event.subject: event.data.after for event in desk.events}
    assert [one.name for one in found[f"{t}-json"].columns] == ["id"]
    assert [one.name for one in found[f"{t}-sale"].columns] == ["city", "city.zip"]
    assert f"{t}-proto" not in found
    [about] = [each for each in desk.log.about if "subject" in each]
    assert (about["subject"], "PROTOBUF" in about["error"]) == (f"{t}-proto", True)


async def test_fifty_subjects_are_told_apart(registry: Registry) -> None:
    t = new_prefix()
    subjects = [f"{t}-{number:02}" for number in range(50)]
    for subject in subjects:
        registry.register(subject, order(("id", "int")))
    desk = Recorder()
    async with running(watching(registry.url, t), desk):
        await desk.looked()
        for subject in subjects[::2]:
            registry.register(subject, order(("id", "int"), ("a", "int")))
        await desk.until(lambda: len(desk.events) == 25)
        await desk.looked()
    assert sorted(event.subject for event in desk.events) == subjects[::2]
    assert set(desk.recorded) == {"*", *subjects}


async def test_a_subject_may_have_any_name(registry: Registry) -> None:
    t = new_prefix()
    subject = f"{t} ü%2F?#&.value"
    registry.register(subject, order(("id", "int")))
    desk = Recorder()
    async with running(watching(registry.url, t, baseline="announce"), desk):
        await all_said(desk, [f"{subject}@1 {subject}: table created"])


async def test_what_did_not_change_is_not_sent_again_where_there_are_etags(
    registry: Registry,
) -> None:
    t = new_prefix()
    registry.register(t, order(("id", "int")))
    desk = Recorder()
    async with front(registry.url) as proxy, running(watching(proxy.url, t), desk):
        await desk.looked(3)
        assert proxy.unchanged >= 4
        registry.register(t, order(("id", "long")))
        await desk.until(lambda: len(desk.events) == 1)
    assert set(proxy.asked) == {"/subjects", f"/subjects/{t}/versions/latest"}


async def test_credentials_are_sent_and_a_refusal_stops_the_sensor(registry: Registry) -> None:
    t = new_prefix()
    desk = Recorder()
    async with front(registry.url) as proxy:
        async with running(watching(proxy.url, t, auth=("me", "pw")), desk):
            await desk.looked(1)
        desk = desk.again()
        async with running(watching(proxy.url, t, auth="token"), desk):
            await desk.looked(1)
        sent = {headers["authorization"] for headers in proxy.headers}
        assert sent == {"Basic bWU6cHc=", "Bearer token"}
        proxy.status = 401
        with pytest.raises(SensorRefused, match="does not let us in: 401"):
            await watching(proxy.url, t).open(desk).run()
    assert not desk.health[-1][0]


async def test_certificates_that_cannot_be_read_stop_the_sensor() -> None:
    value = SchemaRegistry("https://registry", ssl_cafile="/nowhere/ca.pem")
    with pytest.raises(SensorRefused, match=r"/nowhere/ca\.pem cannot be read"):
        await value.open(Recorder()).run()


@pytest.mark.parametrize(("status", "hint"), [(404, "REST API"), (500, "500"), (200, "REST API")])
async def test_what_answers_like_no_registry_is_down(
    registry: Registry, status: int, hint: str
) -> None:
    desk = Recorder()
    async with front(registry.url) as proxy:
        proxy.status = status
        with pytest.raises(SensorError, match=hint):
            await watching(proxy.url, "t").open(desk).run()
    assert desk.health[-1][0] is False
    assert desk.recorded == {}


async def test_a_registry_that_is_too_slow_is_down_and_half_a_look_is_none(
    registry: Registry,
) -> None:
    t = new_prefix()
    registry.register(t, order(("id", "int")))
    desk = Recorder()
    async with front(registry.url) as proxy:
        value = watching(proxy.url, t)
        sensor = Watching(
            value.name,
            desk,
            value.access,
            pattern=t,
            matches=value.matches,
            every=timedelta(milliseconds=20),
            baseline="record",
            patience=0.5,
        )
        caught: list[SensorError] = []
        async with anyio.create_task_group() as tasks:

            async def run() -> None:
                try:
                    await sensor.run()
                except Unavailable as error:
                    caught.append(error)

            tasks.start_soon(run)
            await desk.looked(1)
            proxy.delay = 30
            registry.delete(t)
            await desk.until(lambda: caught)
            tasks.cancel_scope.cancel()
    assert "does not answer within 0.5 s" in str(caught[0])
    assert desk.events == []
    assert desk.health[-1] == (False, str(caught[0]))


async def test_a_registry_that_is_down_is_said_to_be_and_costs_no_change(mended: Registry) -> None:
    t = new_prefix()
    mended.register(t, order(("id", "int")))
    desk = Recorder()
    sensor = watching(mended.url, t)
    async with running(sensor, desk):
        await desk.looked()
    mended.register(t, order(("id", "long")))
    await to_thread.run_sync(mended.stop)
    desk = desk.again()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await sensor.open(desk).run()
    assert desk.health[-1][0] is False
    assert (desk.events, desk.upto) == ([], None)
    await to_thread.run_sync(mended.start)
    async with running(sensor, desk):
        await all_said(desk, [f"{t}@1 {t}: column id is long, was int"])
    assert json.loads(desk.recorded[t])["revision"] == 1
