"""Schema changes of a real SQLite file."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from reactor.core.errors import SensorError
from sensors import SchemaChanges
from sensors.schema import SchemaChanged
from tests.integration.desk import Recorder, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "shop.db"
    with closing(
        sqlite3.connect(path, isolation_level=None, timeout=20, check_same_thread=False)
    ) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL NOT NULL)")
        connection.execute("CREATE TABLE regions (code TEXT PRIMARY KEY, name TEXT)")
        yield connection


def watching(tmp_path: Path, **settings: object) -> SchemaChanges:
    return SchemaChanges(f"sqlite:///{tmp_path / 'shop.db'}", every="10ms", **settings)  # pyright: ignore[reportArgumentType]


def said(desk: Recorder) -> list[str]:
    return [f"{event.id} {event.data}" for event in desk.events]


async def test_the_first_look_records_and_fires_nothing(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path), desk):
        await desk.looked()
    assert desk.events == []
    assert set(desk.recorded) == {"*", "orders", "regions"}
    assert desk.health == [(True, "")]


async def test_the_first_look_announces_when_asked(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path, baseline="announce"), desk):
        await desk.until(lambda: len(desk.events) == 2)
        await desk.looked()
    assert said(desk) == ["orders@1 orders: table created", "regions@1 regions: table created"]
    desk = desk.again()
    async with running(watching(tmp_path, baseline="announce"), desk):
        await desk.looked()
    assert desk.events == []


async def test_each_change_is_an_event_that_says_exactly_what_changed(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    steps = [
        "ALTER TABLE orders ADD COLUMN note TEXT",
        "ALTER TABLE orders RENAME COLUMN note TO remark",
        "ALTER TABLE orders DROP COLUMN remark",
        "CREATE TABLE refunds (id INT)",
        "DROP TABLE regions",
    ]
    async with running(watching(tmp_path), desk):
        await desk.looked()
        for count, step in enumerate(steps, 1):
            shop.execute(step)
            await desk.until(lambda count=count: len(desk.events) == count)
    assert said(desk) == [
        "orders@1 orders: column note added (text)",
        "orders@2 orders: column note removed; column remark added (text)",
        "orders@3 orders: column remark removed",
        "refunds@1 refunds: table created",
        "regions@1 regions: table dropped",
    ]
    event = desk.events[0]
    assert (event.type, event.subject, event.source) == ("schema.changed", "orders", "shop")
    assert event.data.columns == ("note",)
    assert [column.name for column in event.data.after.columns] == ["id", "amount", "note"]


async def test_there_and_back_again_is_three_events(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path, tables="orders"), desk):
        await desk.looked()
        for count, step in enumerate(
            ["ADD COLUMN note TEXT", "DROP COLUMN note", "ADD COLUMN note TEXT"], 1
        ):
            shop.execute(f"ALTER TABLE orders {step}")
            await desk.until(lambda count=count: len(desk.events) == count)
    assert [event.id for event in desk.events] == ["orders@1", "orders@2", "orders@3"]


async def test_what_changed_while_nobody_looked_is_one_event_after_the_restart(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path), desk):
        await desk.looked()
    shop.execute("ALTER TABLE orders ADD COLUMN note TEXT")
    shop.execute("ALTER TABLE orders ADD COLUMN paid INT")
    shop.execute("DROP TABLE regions")
    shop.execute("CREATE TABLE refunds (id INT)")
    desk = desk.again()
    async with running(watching(tmp_path), desk):
        await desk.until(lambda: len(desk.events) == 3)
    assert said(desk) == [
        "orders@1 orders: column note added (text); column paid added (int)",
        "refunds@1 refunds: table created",
        "regions@1 regions: table dropped",
    ]
    desk = desk.again()
    async with running(watching(tmp_path), desk):
        await desk.looked()
    assert desk.events == []


async def test_a_dropped_table_that_comes_back_goes_on_counting(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path), desk):
        await desk.looked()
        shop.execute("DROP TABLE regions")
        await desk.until(lambda: len(desk.events) == 1)
        shop.execute("CREATE TABLE regions (code TEXT)")
        await desk.until(lambda: len(desk.events) == 2)
    assert said(desk) == ["regions@1 regions: table dropped", "regions@2 regions: table created"]


async def test_a_wider_pattern_records_what_it_newly_matches(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path, tables="orders"), desk):
        await desk.looked()
    desk = desk.again()
    async with running(watching(tmp_path, tables=["main.*"]), desk):
        await desk.looked()
        shop.execute("ALTER TABLE regions ADD COLUMN size INT")
        await desk.until(lambda: len(desk.events) == 1)
    assert said(desk) == ["regions@1 regions: column size added (int)"]
    desk = desk.again()
    async with running(watching(tmp_path, tables="regions"), desk):
        await desk.looked()
    assert desk.events == []


async def test_writes_and_indexes_and_a_vacuum_are_no_schema_change(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path), desk):
        await desk.looked()
        shop.execute("INSERT INTO orders VALUES (1, 2.5)")
        shop.execute("CREATE INDEX by_amount ON orders (amount)")
        shop.execute("CREATE VIEW big AS SELECT * FROM orders WHERE amount > 10")
        shop.execute("CREATE TRIGGER t AFTER INSERT ON orders BEGIN SELECT 1; END")
        shop.execute("VACUUM")
        await desk.looked()
    assert desk.events == []


async def test_a_file_put_in_the_place_of_another_is_read(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    with closing(sqlite3.connect(tmp_path / "next.db", isolation_level=None)) as other:
        other.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    async with running(watching(tmp_path), desk):
        await desk.looked()
        os.replace(tmp_path / "next.db", tmp_path / "shop.db")
        await desk.until(lambda: len(desk.events) == 2)
    assert said(desk) == [
        "orders@1 orders: column amount removed",
        "regions@1 regions: table dropped",
    ]


async def test_a_missing_database_is_down_and_is_not_created(tmp_path: Path) -> None:
    desk = Recorder()
    with pytest.raises(SensorError, match="no database at"):
        await watching(tmp_path).open(desk).run()
    assert desk.health[0][0] is False
    assert "shop.db" in desk.health[0][1]
    assert not (tmp_path / "shop.db").exists()
    assert desk.recorded == {}


async def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"no database at all, just text" * 100)
    with pytest.raises(SensorError, match="file is not a database"):
        await watching(tmp_path).open(Recorder()).run()


async def test_a_database_held_by_a_writer_is_waited_for(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path), desk):
        await desk.looked()
        shop.execute("BEGIN EXCLUSIVE")
        locked = datetime.now(UTC)
        shop.execute("ALTER TABLE orders ADD COLUMN note TEXT")
        await desk.until(lambda: "schema not read, database busy" in desk.log.said)
        assert desk.events == []
        assert desk.upto is not None
        assert desk.upto < locked
        shop.execute("COMMIT")
        await desk.until(lambda: len(desk.events) == 1)
    assert desk.health == [(True, "")]


async def test_how_far_it_has_read_follows_the_looks(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path), desk):
        await desk.looked()
        asked = datetime.now(UTC)
        await desk.until(lambda: desk.upto and desk.upto > asked)
        shop.execute("ALTER TABLE orders ADD COLUMN note TEXT")
        asked = datetime.now(UTC)
        await desk.until(lambda: desk.upto and desk.upto > asked)
        assert len(desk.events) == 1
    assert desk.late == []


async def test_the_file_is_never_locked_between_two_looks(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    shop.execute("PRAGMA journal_mode=WAL")
    desk = Recorder()
    async with running(watching(tmp_path), desk):
        await desk.looked()
        await anyio.to_thread.run_sync(
            lambda: [shop.execute(f"CREATE TABLE t{n} (id INT)") for n in range(50)]
        )
        await desk.until(lambda: len(desk.events) == 50)
        assert shop.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)


async def test_a_thousand_tables_come_in_order_and_all_of_them(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    async with running(watching(tmp_path), desk):
        await desk.looked()
        shop.execute("BEGIN")
        for n in range(1000):
            shop.execute(f"CREATE TABLE t{n:04} (id INT)")
        shop.execute("COMMIT")
        await desk.until(lambda: len(desk.events) == 1000)
    subjects = [event.subject for event in desk.events]
    assert subjects == sorted(subjects)


async def test_types_are_as_declared_and_hostile_names_do_no_harm(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    shop.execute(
        'CREATE TABLE "or""der; DROP TABLE orders" ("a "" b" GEO_point ( 3 ,4 ), "c.d", e)'
    )
    shop.execute("CREATE TABLE made (a INT, b INT GENERATED ALWAYS AS (a + 1)) -- a remark")
    shop.execute("CREATE VIRTUAL TABLE found USING fts5 (words)")
    desk = Recorder()
    async with running(watching(tmp_path, baseline="announce"), desk):
        await desk.until(lambda: any(event.subject == "regions" for event in desk.events))
    hostile = next(event for event in desk.events if "DROP" in event.subject)
    columns = [(column.name, column.type) for column in hostile.data.after.columns]
    assert columns == [('a " b', "geo_point(3, 4)"), ("c.d", ""), ("e", "")]
    assert "found" not in [event.subject for event in desk.events]


async def test_the_catalogue_agrees_with_the_inspector_of_sqlalchemy(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    shop.execute(
        "CREATE TABLE lines (item INT, n INT NOT NULL, made INT AS (n), PRIMARY KEY (n, item))"
    )
    desk = Recorder()
    async with running(watching(tmp_path, baseline="announce"), desk):
        await desk.until(lambda: len(desk.events) == 3)
    engine = create_engine(f"sqlite:///{tmp_path / 'shop.db'}", poolclass=NullPool)
    inspector = inspect(engine)
    for event in desk.events:
        listed = inspector.get_columns(event.subject)
        key = inspector.get_pk_constraint(event.subject)["constrained_columns"]
        table = event.data.after
        assert [(c.name, c.nullable) for c in table.columns] == [
            (column["name"], column["nullable"]) for column in listed
        ]
        assert list(table.key) == key
    engine.dispose()


async def test_a_recorded_payload_is_restored_as_it_was(
    shop: sqlite3.Connection, tmp_path: Path
) -> None:
    desk = Recorder()
    sensor = watching(tmp_path, baseline="announce")
    async with running(sensor, desk):
        await desk.until(lambda: len(desk.events) == 2)
    event = desk.events[0]
    assert event.raw is not None
    assert sensor.restore(event.raw) == event.data
    assert isinstance(event.data, SchemaChanged)


async def test_cancelling_closes_the_connection(shop: sqlite3.Connection, tmp_path: Path) -> None:
    def opened() -> int:
        return sum(
            str(tmp_path) in os.readlink(link)
            for link in Path("/proc/self/fd").iterdir()
            if link.is_symlink()
        )

    before = opened()
    desk = Recorder()
    async with running(watching(tmp_path), desk):
        await desk.looked()
    assert opened() == before
