"""Schema changes that a real PostgreSQL database tells at once, by an event trigger.

Most sensors here look once an hour by themselves: what they see, they were told of.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from itertools import takewhile
from typing import Any
from urllib.parse import urlsplit

import anyio
import psycopg
import pytest
from anyio import to_thread

from reactor.core.errors import ReactorError, SensorError
from sensors import SchemaChanges
from sensors.schema.event_trigger import CHANNEL, INSTALL, State, install, uninstall
from tests.integration.desk import Recorder, running
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import Postgres, Standby

pytestmark = pytest.mark.anyio

ABSENT = "only polls: there is no event trigger (reactor sensors install)"
DISABLED = "only polls: the event trigger is disabled (reactor sensors install)"
POOLED = "only polls: a pooler before the database does not pass notifications on"
STANDBY = "only polls: the database is a standby, which cannot be listened to"
LISTENS = "listening for schema changes"


@pytest.fixture
def url(postgres: Postgres) -> str:
    found = postgres.database()
    with psycopg.connect(found, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders (id bigint PRIMARY KEY, note text)")
    return found


class Session:
    """A session of somebody who changes the schema; each statement is its own transaction."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    async def __call__(self, *statements: str) -> Any:
        done: Any = None
        for statement in statements:
            done = await to_thread.run_sync(partial(self.connection.execute, statement.encode()))
        return done.fetchall() if done.description else None


@pytest.fixture
def shop(url: str) -> Iterator[Session]:
    session = Session(url)
    yield session
    session.connection.close()


@pytest.fixture
def told(url: str) -> Iterator[Any]:
    """How many notifications came since it was last asked."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"LISTEN {CHANNEL}".encode())

        def count() -> int:
            # Notifications come in the order of commits, so none is missing before this one.
            connection.execute(f"NOTIFY {CHANNEL}, 'end'".encode())
            notices = connection.notifies()
            return sum(1 for _ in takewhile(lambda notice: notice.payload != "end", notices))

        yield count


def watching(url: str, **settings: Any) -> SchemaChanges:
    hourly = {"every": "1h", "tables": "*.*", "name": "shop"}
    return SchemaChanges(url, **{**hourly, **settings})


def said(desk: Recorder) -> list[str]:
    return [str(event.data) for event in desk.events]


async def listening(desk: Recorder, times: int = 1) -> None:
    await desk.until(lambda: desk.log.said.count(LISTENS) == times)
    await desk.until(lambda: desk.health[-1:] == [(True, "")])


async def test_a_server_that_was_restarted_is_listened_to_again(
    postgres: Postgres, url: str
) -> None:
    install(url)
    desk = Recorder()
    failures: list[SensorError] = []

    async def run(desk: Recorder) -> None:
        try:
            await watching(url, every="50ms").open(desk).run()
        except SensorError as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, desk)
        await listening(desk)
        await to_thread.run_sync(postgres.kill)
        await desk.until(lambda: bool(failures))
    await to_thread.run_sync(postgres.start)
    again = desk.again()
    other = Session(url)
    async with running(watching(url), again):
        await listening(again)
        await other("DROP TABLE orders")
        await again.until(lambda: len(again.events) == 1)
    other.connection.close()


async def test_a_standby_is_only_polled_until_it_is_promoted(
    postgres: Postgres, url: str, shop: Session
) -> None:
    install(url)
    standby = await to_thread.run_sync(Standby, postgres)
    theirs = standby.url(url)
    desk = Recorder()
    try:
        async with running(watching(theirs, every="50ms"), desk):
            await desk.until(lambda: desk.health[-1:] == [(True, STANDBY)])
            await shop("DROP TABLE orders")
            await desk.until(lambda: len(desk.events) == 1)
            promoted = Session(theirs)
            await promoted("SELECT pg_promote()")
            await listening(desk)
            promoted.connection.close()
    finally:
        await to_thread.run_sync(standby.close)


async def test_a_change_is_seen_at_once_by_who_looks_once_an_hour(url: str, shop: Session) -> None:
    install(url)
    desk = Recorder()
    async with running(watching(url), desk):
        await listening(desk)
        for n in range(30):
            await shop(f"ALTER TABLE orders ADD COLUMN c{n} int")
            await desk.until(lambda n=n: len(desk.events) > n)
    assert said(desk) == [f"public.orders: column c{n} added (integer)" for n in range(30)]


async def test_a_transaction_is_seen_when_it_commits_and_not_before(
    url: str, shop: Session
) -> None:
    install(url)
    desk = Recorder()
    other = Session(url)
    async with running(watching(url), desk):
        await listening(desk)
        await shop("BEGIN", "ALTER TABLE orders ADD COLUMN a int", "ALTER TABLE orders ADD b int")
        await other("CREATE TABLE refunds (id int)")
        await desk.until(lambda: len(desk.events) == 1)
        await shop("COMMIT")
        await desk.until(lambda: len(desk.events) == 2)
    other.connection.close()
    assert said(desk) == [
        "public.refunds: table created",
        "public.orders: column a added (integer); column b added (integer)",
    ]


async def test_the_end_of_a_burst_is_seen(url: str, shop: Session) -> None:
    install(url)
    desk = Recorder()
    async with running(watching(url), desk):
        await listening(desk)
        await shop(*(f"CREATE TABLE t{n} (id int)" for n in range(50)))
        await desk.until(lambda: len(desk.events) == 50)


TOLD = {
    "CREATE TABLE a (id serial PRIMARY KEY)": 1,
    "CREATE TABLE a AS SELECT 1 AS x": 1,
    "SELECT 1 AS x INTO a": 1,
    "CREATE SCHEMA s CREATE TABLE a (id int)": 1,
    "DO $$ BEGIN CREATE TABLE a (id int); END $$": 1,
    "ALTER TABLE orders ALTER COLUMN note SET NOT NULL": 1,
    "ALTER TABLE orders RENAME COLUMN note TO remark": 1,
    "ALTER TABLE orders RENAME TO purchases": 1,
    "ALTER TABLE orders DROP CONSTRAINT orders_pkey": 1,
    "ALTER TABLE orders DROP COLUMN note": 1,
    "ALTER SCHEMA public RENAME TO shop": 1,
    "DROP TABLE orders": 1,
    "DROP SCHEMA public CASCADE": 1,
    "CREATE TYPE m AS ENUM ('a'); CREATE TABLE b (m m); DROP TYPE m CASCADE": 1,
    "BEGIN; ALTER TABLE orders ADD x int; DROP TABLE orders; COMMIT": 1,
    f"BEGIN; {'; '.join(f'CREATE TABLE t{n} (id int)' for n in range(50))}; COMMIT": 1,
    "BEGIN; DROP TABLE orders; ROLLBACK": 0,
    "CREATE TEMP TABLE a (id serial); ALTER TABLE a ADD x int; DROP TABLE a": 0,
    "CREATE INDEX ON orders (note)": 0,
    "CREATE VIEW v AS SELECT 1 AS x; DROP VIEW v": 0,
    "GRANT SELECT ON orders TO public; COMMENT ON TABLE orders IS 'ours'": 0,
    "CREATE TYPE m AS ENUM ('a'); DROP TYPE m": 0,
    "SET reactor.notify = 'off'; CREATE TABLE a (id int)": 0,
    "SET reactor.notify = 'off'; RESET reactor.notify; CREATE TABLE a (id int)": 1,
}


async def test_what_may_change_a_table_is_told_once_a_transaction(
    url: str, shop: Session, told: Any
) -> None:
    install(url)
    found: dict[str, int] = {}
    for statement in TOLD:
        await shop(statement)
        found[statement] = told()
        await shop(
            "SET reactor.notify = 'off'",
            "DROP SCHEMA IF EXISTS public, shop, s CASCADE",
            "CREATE SCHEMA public",
            "CREATE TABLE orders (id bigint PRIMARY KEY, note text)",
            "RESET ALL",
        )
    assert found == TOLD


async def test_one_database_is_not_told_of_another(postgres: Postgres, url: str, told: Any) -> None:
    other = postgres.database()
    install(url)
    install(other)
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("CREATE TABLE elsewhere (id int)")
    assert told() == 0


async def test_who_changes_a_schema_needs_no_rights_and_never_fails_for_it(
    url: str, shop: Session, told: Any
) -> None:
    install(url)
    role = f"maker_{urlsplit(url).path[1:]}"
    await shop(f"CREATE ROLE {role}", f"GRANT CREATE ON SCHEMA public TO {role}")
    await shop(f"SET ROLE {role}", "CREATE TABLE a (id int)", "RESET ROLE")
    assert told() == 1
    await shop("REVOKE EXECUTE ON FUNCTION pg_notify FROM public")
    await shop(f"SET ROLE {role}", "CREATE TABLE b (id int)", "DROP TABLE a", "RESET ROLE")
    assert told() == 0
    assert await shop("SELECT 'b'::regclass::text, to_regclass('a')") == [("b", None)]


async def test_installing_again_changes_nothing_and_uninstalling_leaves_nothing(
    url: str, shop: Session, told: Any
) -> None:
    whole = """
        SELECT 'namespace', nspname::text FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
        UNION ALL SELECT 'function', oid::regprocedure::text FROM pg_proc
        UNION ALL SELECT 'trigger', evtname::text FROM pg_event_trigger
        UNION ALL SELECT 'description', description FROM pg_description
        ORDER BY 1, 2
    """
    before = await shop(whole)
    assert uninstall(url) is State.ABSENT
    assert install(url) is State.ABSENT
    once = await shop(whole)
    assert len(once) == len(before) + 5
    assert install(url) is State.CURRENT
    assert await shop(whole) == once
    await shop("COMMENT ON FUNCTION reactor_notify.schema_changed() IS 'version 0'")
    assert install(url) is State.OTHER_VERSION
    await shop("ALTER EVENT TRIGGER reactor_schema_changed DISABLE")
    assert install(url) is State.DISABLED
    await shop("CREATE TABLE a (id int)")
    assert told() == 1
    assert uninstall(url) is State.CURRENT
    assert await shop(whole) == before
    await shop("CREATE TABLE b (id int)")
    assert told() == 0


async def test_two_that_install_at_once_both_succeed(url: str) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(to_thread.run_sync, install, url)
    assert uninstall(url) is State.CURRENT


async def test_what_is_printed_is_what_a_superuser_can_run(url: str, shop: Session) -> None:
    await shop(INSTALL)
    assert install(url) is State.CURRENT


async def test_a_role_that_may_not_install_is_told_what_to_do(url: str, shop: Session) -> None:
    role = f"owner_{urlsplit(url).path[1:]}"
    await shop(
        f"CREATE ROLE {role} LOGIN", f"ALTER DATABASE {urlsplit(url).path[1:]} OWNER TO {role}"
    )
    theirs = url.replace("//reactor@", f"//{role}:c4n4ry@")
    with pytest.raises(ReactorError, match=rf"{role} may not.*event trigger.*--print") as refused:
        install(theirs)
    assert "c4n4ry" not in str(refused.value)
    assert await shop("SELECT nspname FROM pg_namespace WHERE nspname = 'reactor_notify'") == []


async def test_a_database_that_is_away_cannot_be_installed_into(url: str) -> None:
    with pytest.raises(ReactorError, match="does not exist"):
        install(f"{url}_not")


async def test_without_an_event_trigger_it_says_that_it_only_polls(url: str, shop: Session) -> None:
    desk = Recorder()
    async with running(watching(url, every="20ms"), desk):
        await desk.until(lambda: desk.health[-1:] == [(True, ABSENT)])
        await shop("DROP TABLE orders")
        await desk.until(lambda: len(desk.events) == 1)
    assert "schema changes are only polled" in desk.log.said


async def test_who_insists_on_it_is_down_without_it_but_goes_on_looking(
    url: str, shop: Session
) -> None:
    desk = Recorder()
    async with running(watching(url, every="20ms", notify=True), desk):
        await desk.until(lambda: desk.health[-1:] == [(False, ABSENT)])
        await shop("DROP TABLE orders")
        await desk.until(lambda: len(desk.events) == 1)
        install(url)
        await listening(desk)


async def test_who_does_not_want_it_says_nothing_and_opens_nothing(url: str, shop: Session) -> None:
    install(url)
    desk = Recorder()
    async with running(watching(url, every="20ms", notify=False), desk):
        await desk.looked(5)
        assert len(await sessions(shop)) == 1
    assert desk.health == [(True, "")]
    assert desk.log.said == []


async def sessions(shop: Session) -> list[int]:
    """The sessions of the sensor, the listening one last."""
    found = await shop(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'reactor'"
        f" AND datname = current_database() ORDER BY query ~ '{CHANNEL}', pid"
    )
    return [pid for (pid,) in found]


async def test_an_event_trigger_that_comes_is_noticed_and_one_that_goes_is_too(
    url: str, shop: Session
) -> None:
    desk = Recorder()
    async with running(watching(url, every="20ms"), desk):
        await desk.until(lambda: desk.health[-1:] == [(True, ABSENT)])
        install(url)
        await listening(desk)
        await shop("ALTER EVENT TRIGGER reactor_schema_dropped DISABLE")
        await desk.until(lambda: desk.health[-1:] == [(True, DISABLED)])
        uninstall(url)
        await desk.until(lambda: desk.health[-1:] == [(True, ABSENT)])
        await shop("DROP TABLE orders")
        await desk.until(lambda: len(desk.events) == 1)


async def test_a_listener_whose_session_is_ended_listens_again_and_looks(
    url: str, shop: Session
) -> None:
    install(url)
    desk = Recorder()
    async with running(watching(url), desk):
        await listening(desk)
        for n in range(5):
            *_, ear = await sessions(shop)
            change = f"ALTER TABLE orders ADD COLUMN c{n} int"
            if n % 2:
                await shop(f"SELECT pg_terminate_backend({ear})", change)
            else:
                # Both at once: whoever was told of the change was told that it is over, too.
                await shop("BEGIN", change, f"SELECT pg_terminate_backend({ear})", "COMMIT")
            await desk.until(lambda n=n: len(desk.events) > n)
            await listening(desk, n + 2)
    broken = [why for well, why in desk.health if why]
    assert all(why.startswith("only polls: the listening connection broke") for why in broken)
    assert len(broken) == 5
    assert all(well for well, _ in desk.health)


async def test_a_listener_that_gets_no_answer_listens_anew(url: str, shop: Session) -> None:
    install(url)
    desk = Recorder()
    async with running(watching(url, every="50ms"), desk):
        await listening(desk)
        *_, ear = await sessions(shop)
        os.kill(ear, signal.SIGSTOP)
        try:
            await shop("DROP TABLE orders")
            await desk.until(lambda: len(desk.events) == 1)
            await listening(desk, 2)
        finally:
            os.kill(ear, signal.SIGCONT)
    assert (True, "only polls: the listening connection broke: no answer") in desk.health


async def test_a_change_made_while_nothing_is_heard_is_found_by_looking(
    url: str, shop: Session
) -> None:
    install(url)
    desk = Recorder()
    async with running(watching(url, every="200ms"), desk):
        await listening(desk)
        await shop("SET reactor.notify = 'off'", "DROP TABLE orders")
        await desk.until(lambda: len(desk.events) == 1)


@pytest.fixture
def pooled(url: str) -> Iterator[Any]:
    """Poolers before the database: `pooled("transaction")` is the URL of one."""
    with ExitStack() as stack:

        def start(mode: Any) -> str:
            pooler = PgBouncer(url, mode)
            stack.callback(pooler.close)
            return pooler.url

        yield start


async def test_through_a_pooler_that_lends_whole_sessions_it_is_told(
    url: str, shop: Session, pooled: Any
) -> None:
    install(url)
    desk = Recorder()
    async with running(watching(await to_thread.run_sync(pooled, "session")), desk):
        await listening(desk)
        await shop("DROP TABLE orders")
        await desk.until(lambda: len(desk.events) == 1)


async def test_through_a_pooler_that_lends_transactions_it_only_polls_and_says_so(
    url: str, shop: Session, pooled: Any
) -> None:
    install(url)
    desk = Recorder()
    through = await to_thread.run_sync(pooled, "transaction")
    async with running(watching(through, every="100ms"), desk):
        await desk.until(lambda: desk.health[-1:] == [(True, POOLED)])
        await shop("DROP TABLE orders")
        await desk.until(lambda: len(desk.events) == 1)
    assert LISTENS not in desk.log.said


async def test_cancelling_ends_both_sessions(url: str, shop: Session) -> None:
    install(url)
    desk = Recorder()
    async with running(watching(url), desk):
        await listening(desk)
        assert len(await sessions(shop)) == 2
    with anyio.fail_after(20):
        while await sessions(shop):
            await anyio.sleep(0.02)
