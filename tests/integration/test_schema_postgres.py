"""Schema changes of a real PostgreSQL database, polled."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import anyio
import psycopg
import pytest
from anyio import to_thread
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from reactor.core.errors import SensorError
from sensors import SchemaChanges
from sensors.schema.catalogue import Inspected
from sensors.schema.database import Database, catalogue
from sensors.schema.pattern import Tables
from sensors.schema.watch import Watching
from tests.integration.desk import Recorder, running
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.anyio


@pytest.fixture
def url(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture
def shop(url: str) -> Iterator[Any]:
    """Runs statements, each in a transaction of its own, off the loop."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE orders (id bigint PRIMARY KEY, amount integer NOT NULL, note text)"
        )

        async def execute(*statements: str) -> Any:
            done: Any = None
            for statement in statements:
                done = await to_thread.run_sync(partial(connection.execute, statement.encode()))
            return done.fetchone() if done.description else None

        yield execute


def watching(url: str, **settings: Any) -> SchemaChanges:
    polling = {"every": "10ms", "tables": "public.*", "name": "shop", "notify": False}
    return SchemaChanges(url, **{**polling, **settings})


def said(desk: Recorder) -> list[str]:
    return [f"{event.id} {event.data}" for event in desk.events]


async def test_each_change_is_an_event_that_says_exactly_what_changed(url: str, shop: Any) -> None:
    desk = Recorder()
    steps = [
        "ALTER TABLE orders ADD COLUMN paid boolean NOT NULL DEFAULT false",
        "ALTER TABLE orders RENAME COLUMN note TO remark",
        "ALTER TABLE orders ALTER COLUMN amount TYPE bigint",
        "ALTER TABLE orders ALTER COLUMN amount TYPE numeric(10,2)",
        "ALTER TABLE orders ALTER COLUMN amount DROP NOT NULL",
        "ALTER TABLE orders ALTER COLUMN amount SET NOT NULL",
        "ALTER TABLE orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (id, amount)",
        "ALTER TABLE orders DROP COLUMN remark",
        "CREATE TABLE refunds (id int)",
        "DROP TABLE orders",
    ]
    async with running(watching(url), desk):
        await desk.looked()
        assert desk.events == []
        for count, step in enumerate(steps, 1):
            await shop(step)
            await desk.until(lambda count=count: len(desk.events) == count)
    assert said(desk) == [
        "public.orders@1 public.orders: column paid added (boolean not null)",
        "public.orders@2 public.orders: column note renamed to remark",
        "public.orders@3 public.orders: column amount is bigint, was integer",
        "public.orders@4 public.orders: column amount is numeric(10,2), was bigint",
        "public.orders@5 public.orders: column amount is null now",
        "public.orders@6 public.orders: column amount is not null now",
        "public.orders@7 public.orders: key is (id, amount), was (id)",
        "public.orders@8 public.orders: column remark removed",
        "public.refunds@1 public.refunds: table created",
        "public.orders@9 public.orders: table dropped",
    ]
    breaking = [event.data.breaking for event in desk.events]
    assert breaking == [False, True, False, True, True, False, True, True, False, True]


async def test_steps_of_one_transaction_are_one_event_and_none_before_it_commits(
    url: str, shop: Any
) -> None:
    desk = Recorder()
    async with running(watching(url), desk):
        await desk.looked()
        await shop("BEGIN", "ALTER TABLE orders DROP COLUMN note", "ALTER TABLE orders ADD x int")
        await desk.looked(5)
        assert desk.events == []
        await shop("COMMIT")
        await desk.until(lambda: len(desk.events) == 1)
        await shop("BEGIN", "DROP TABLE orders", "ROLLBACK")
        await desk.looked()
    assert said(desk) == [
        "public.orders@1 public.orders: column note removed; column x added (integer)"
    ]


async def test_a_table_made_anew_as_it_was_is_no_change_and_renames_go_on(
    url: str, shop: Any
) -> None:
    desk = Recorder()
    again = "CREATE TABLE orders (id bigint PRIMARY KEY, amount integer NOT NULL, note text)"
    async with running(watching(url), desk):
        await desk.looked()
        before = desk.recorded["public.orders"]
        await shop("BEGIN", "DROP TABLE orders", again, "COMMIT")
        await desk.until(lambda: desk.recorded["public.orders"] != before)
        assert desk.events == []
        await shop("ALTER TABLE orders RENAME COLUMN note TO remark")
        await desk.until(lambda: len(desk.events) == 1)
    assert said(desk) == ["public.orders@1 public.orders: column note renamed to remark"]


async def test_a_renamed_table_says_its_new_name_even_if_it_was_renamed_meanwhile(
    url: str, shop: Any
) -> None:
    desk = Recorder()
    async with running(watching(url, tables="*.*"), desk):
        await desk.looked()
        await shop("CREATE SCHEMA sales", "ALTER TABLE orders RENAME TO purchases")
        await desk.until(lambda: len(desk.events) == 2)
    await shop("ALTER TABLE purchases SET SCHEMA sales")
    again = desk.again()
    async with running(watching(url, tables="*.*"), again):
        await again.until(lambda: len(again.events) == 2)
    assert said(desk) + said(again) == [
        "public.orders@1 public.orders: table renamed to public.purchases",
        "public.purchases@1 public.purchases: table created, renamed from public.orders",
        "public.purchases@2 public.purchases: table renamed to sales.purchases",
        "sales.purchases@1 sales.purchases: table created, renamed from public.purchases",
    ]


async def test_only_what_the_pattern_names_is_watched(url: str, shop: Any) -> None:
    await shop("CREATE SCHEMA sales", "CREATE SCHEMA sales_old", "CREATE TABLE sales.a_b (id int)")
    desk = Recorder()
    async with running(watching(url, tables=["sales.a_?", "order[st]"]), desk):
        await desk.looked()
        await shop(
            "CREATE TABLE sales.axb (id int)",
            "CREATE TABLE sales_old.a_b (id int)",
            "ALTER TABLE orders DROP COLUMN note",
            "CREATE TEMP TABLE orderz (id int)",
            "ALTER TABLE sales.a_b ADD COLUMN n int",
        )
        await desk.until(lambda: len(desk.events) == 2)
        await desk.looked()
    assert {event.subject for event in desk.events} == {"public.orders", "sales.a_b"}
    assert set(desk.recorded) == {"*", "public.orders", "sales.a_b"}


async def test_partitions_of_a_table_and_views_are_not_tables(url: str, shop: Any) -> None:
    desk = Recorder()
    async with running(watching(url), desk):
        await desk.looked()
        await shop(
            "CREATE TABLE hits (day date) PARTITION BY RANGE (day)",
            "CREATE TABLE hits_1 PARTITION OF hits DEFAULT",
            "CREATE VIEW big AS SELECT * FROM orders",
            "CREATE TABLE last (id int)",
        )
        await desk.until(lambda: any(event.subject == "public.last" for event in desk.events))
    assert {event.subject for event in desk.events} == {"public.hits", "public.last"}


async def test_types_that_nobody_knows_are_told_exactly(url: str, shop: Any) -> None:
    await shop(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE DOMAIN cents AS integer",
        "CREATE TYPE place AS (x int, y int)",
        'CREATE TABLE "Odd ""one""" (a mood, b cents, c place[], d varchar(7)[], e tsrange,'
        ' "f\'; DROP TABLE orders" int GENERATED ALWAYS AS IDENTITY)',
        "CREATE TABLE bare ()",
    )
    desk = Recorder()
    async with running(watching(url, baseline="announce"), desk):
        await desk.until(lambda: len(desk.events) == 3)
        await shop('ALTER TABLE "Odd ""one""" ALTER COLUMN d TYPE varchar(9)[]')
        await desk.until(lambda: len(desk.events) == 4)
    odd = next(event for event in desk.events if "Odd" in event.subject)
    types = [column.type for column in odd.data.after.columns]
    assert types == ["mood", "cents", "place[]", "character varying(7)[]", "tsrange", "integer"]
    assert said(desk)[-1].endswith("column d is character varying(9)[], was character varying(7)[]")


@pytest.mark.filterwarnings("ignore:Did not recognize type")
async def test_the_catalogue_agrees_with_the_inspector_of_sqlalchemy(url: str, shop: Any) -> None:
    await shop(
        "CREATE TABLE lines (item int, n int NOT NULL, at timestamptz, PRIMARY KEY (n, item))",
        "ALTER TABLE lines DROP COLUMN at, ADD COLUMN cost numeric(8,3)",
    )
    desk = Recorder()
    async with running(watching(url, baseline="announce"), desk):
        await desk.until(lambda: len(desk.events) == 2)

    def inspected() -> dict[str, Any]:
        sqlalchemy_url = make_url(url).set(drivername="postgresql+psycopg")
        engine = create_engine(sqlalchemy_url, poolclass=NullPool)
        general = Inspected(sqlalchemy_url, Tables(("public.*",)))
        with engine.connect() as connection:
            general.connected(connection)
            names = inspect(connection).get_table_names("public")
            found = general.look(connection)
        engine.dispose()
        assert {f"public.{name}" for name in names} == set(found)
        return found

    expected = await to_thread.run_sync(inspected)
    for event in desk.events:
        table, other = event.data.after, expected[event.subject]
        assert [(c.name, c.nullable) for c in table.columns] == [
            (c.name, c.nullable) for c in other.columns
        ]
        assert table.key == other.key


async def test_as_many_columns_as_there_are_each_change_is_seen_once(url: str, shop: Any) -> None:
    wide = ", ".join(f"c{n} int" for n in range(600))
    steps = {
        "ALTER TABLE orders ADD COLUMN a int": "public.orders: column a added (integer)",
        f"CREATE TABLE wide ({wide})": "public.wide: table created",
        "ALTER TABLE orders ADD COLUMN b int": "public.orders: column b added (integer)",
        "ALTER TABLE orders RENAME b TO c": "public.orders: column b renamed to c",
        "DROP TABLE wide": "public.wide: table dropped",
        "ALTER TABLE orders DROP COLUMN c": "public.orders: column c removed",
        "ALTER TABLE orders DROP COLUMN a": "public.orders: column a removed",
    }
    desk = Recorder()
    async with running(watching(url), desk):
        for count, step in enumerate(steps):
            await desk.looked(3)
            await shop(step)
            await desk.until(lambda count=count: len(desk.events) > count)
        await desk.looked(3)
    assert [str(event.data) for event in desk.events] == [*steps.values()]


async def test_a_server_that_goes_is_down_and_its_changes_come_after_the_restart(
    postgres: Postgres, url: str
) -> None:
    def do(statement: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())

    await to_thread.run_sync(do, "CREATE TABLE orders (id int)")
    desk = Recorder()
    failures: list[SensorError] = []

    async def run() -> None:
        try:
            await watching(url).open(desk).run()
        except SensorError as error:
            failures.append(error)

    stopped = datetime.max.replace(tzinfo=UTC)
    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await desk.looked()
        await to_thread.run_sync(postgres.stop)
        stopped = datetime.now(UTC)
        await desk.until(lambda: bool(failures))
    assert desk.upto is not None
    assert desk.upto < stopped
    assert desk.health[0] == (True, "")
    assert desk.health[-1][0] is False
    with pytest.raises(SensorError, match=r"Connection refused|connection failed"):
        await watching(url).open(Recorder()).run()
    await to_thread.run_sync(postgres.start)
    await to_thread.run_sync(do, "ALTER TABLE orders ADD COLUMN note text")
    desk = desk.again()
    async with running(watching(url), desk):
        await desk.until(lambda: len(desk.events) == 1)
    assert said(desk) == ["public.orders@1 public.orders: column note added (text)"]


def as_role(url: str, role: str, password: str = "") -> str:
    parts = urlsplit(url)
    return f"postgresql://{role}:{password}@127.0.0.1:{parts.port}{parts.path}"


async def test_a_role_that_may_only_connect_sees_every_schema(url: str, shop: Any) -> None:
    role = f"guest_{urlsplit(url).path[1:]}"
    await shop(
        f"CREATE ROLE {role} LOGIN",
        "CREATE SCHEMA secret",
        "CREATE TABLE secret.plans (id int GENERATED ALWAYS AS IDENTITY)",
        "REVOKE ALL ON SCHEMA public FROM public",
    )
    desk = Recorder()
    async with running(watching(as_role(url, role), tables="*.*"), desk):
        await desk.looked()
        await shop("ALTER TABLE secret.plans ADD COLUMN what text")
        await desk.until(lambda: len(desk.events) == 1)
    assert set(desk.recorded) == {"*", "public.orders", "secret.plans"}


async def test_a_role_without_rights_is_told_what_to_grant(url: str, shop: Any) -> None:
    role, database = f"nobody_{urlsplit(url).path[1:]}", urlsplit(url).path[1:]
    await shop(f"CREATE ROLE {role} LOGIN", f"REVOKE CONNECT ON DATABASE {database} FROM public")
    with pytest.raises(SensorError, match=r"for database.*GRANT CONNECT"):
        await watching(as_role(url, role)).open(Recorder()).run()
    await shop(
        f"GRANT CONNECT ON DATABASE {database} TO {role}",
        "REVOKE SELECT ON pg_catalog.pg_attribute FROM public",
    )
    with pytest.raises(SensorError, match=r"for table pg_attribute.*pg_catalog"):
        await watching(as_role(url, role)).open(Recorder()).run()


async def test_no_password_is_ever_shown(url: str) -> None:
    port = urlsplit(url).port
    for target in (
        f"postgresql://me:c4n4ry@127.0.0.1:{port}/nowhere?application_name=c4n4ry",
        f"postgresql://me:c4n4ry/@#?x@127.0.0.1:{port}/nowhere",
        "postgresql://me:c4n4ry@no-such-host.invalid:x/nowhere",
        "nonsense://me:c4n4ry@127.0.0.1/nowhere",
    ):
        sensor = SchemaChanges(target)
        desk = Recorder()
        shown = [sensor.name, sensor.address, repr(sensor), str(sensor)]
        with pytest.raises(SensorError) as failed:
            await sensor.open(desk).run()
        shown += [str(failed.value), repr(desk.health), repr(desk.log.about)]
        assert "c4n4ry" not in " ".join(shown)


async def test_a_storm_of_changes_is_followed_to_its_end(url: str, shop: Any) -> None:
    desk = Recorder()
    async with running(watching(url), desk):
        await desk.looked()
        for n in range(40):
            await shop(f"CREATE TABLE t{n} (id int)", f"ALTER TABLE t{n} ADD COLUMN x int")
            if n % 2:
                await shop(f"DROP TABLE t{n}")
        await desk.until(lambda: all(f"t{n}" in "".join(desk.recorded) for n in range(0, 40, 2)))
        await desk.looked()
    last = {event.subject: event.data.after for event in desk.events}
    alive = {name for name, table in last.items() if table is not None}
    assert alive == {f"public.t{n}" for n in range(0, 40, 2)}
    assert all(len(last[name].columns) == 2 for name in alive)
    assert desk.health == [(True, "")]


async def test_cancelling_ends_the_session(url: str, shop: Any) -> None:
    def sessions() -> int:
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'reactor' AND datname = current_database()"
            ).fetchone()
        assert row is not None
        return row[0]

    desk = Recorder()
    async with running(watching(url), desk):
        await desk.looked()
        assert await to_thread.run_sync(sessions) == 1
    # The server takes a moment to notice that we hung up.
    with anyio.fail_after(20):
        while await to_thread.run_sync(sessions):
            await anyio.sleep(0.02)


async def test_a_server_that_gives_no_answer_is_down_and_no_thread_waits_for_it(
    url: str, shop: Any
) -> None:
    tables = Tables(("*",))
    desk = Recorder()
    database = Database(catalogue(url, tables), desk.log, 1.0)
    watch = Watching(
        "shop",
        desk,
        lambda: database,
        pattern=str(tables),
        every=timedelta(milliseconds=10),
        baseline="record",
    )
    failed: list[SensorError] = []

    async def run() -> None:
        try:
            await watch.run()
        except SensorError as error:
            failed.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await desk.looked()
        [pid] = await shop(
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'reactor' AND datname = current_database()"
        )
        os.kill(pid, signal.SIGSTOP)
        try:
            await desk.until(lambda: bool(failed))
            with anyio.fail_after(20):
                assert await to_thread.run_sync(database.look, abandon_on_cancel=True) is None
        finally:
            os.kill(pid, signal.SIGCONT)
    assert "no answer within 1 s" in str(failed[0])
    assert desk.health[-1] == (False, str(failed[0]))


async def test_a_catalogue_that_is_locked_is_waited_for(url: str, shop: Any) -> None:
    desk = Recorder()
    async with running(watching(url), desk):
        await desk.looked()
        await shop("BEGIN", "LOCK TABLE pg_catalog.pg_attribute IN ACCESS EXCLUSIVE MODE")
        await desk.until(lambda: "schema not read, database busy" in desk.log.said)
        await shop("COMMIT", "ALTER TABLE orders DROP COLUMN note")
        await desk.until(lambda: len(desk.events) == 1)
    assert desk.health == [(True, "")]


async def test_a_look_that_waits_for_a_lock_ends_when_the_sensor_is_cancelled(
    url: str, shop: Any
) -> None:
    desk = Recorder()
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with running(watching(url), desk):
        await desk.looked()
        await shop("BEGIN", "LOCK TABLE pg_catalog.pg_attribute IN ACCESS EXCLUSIVE MODE")
        while await shop(waiting) == (0,):
            await anyio.sleep(0.005)
    with anyio.fail_after(20):
        while await shop(waiting) != (0,):
            await anyio.sleep(0.005)
    await shop("COMMIT")
    assert desk.events == []
