"""Hears at once that a PostgreSQL database changed its schema, where an event trigger tells.

A notification is only a hint, and who polls finds the change without it. So nothing that goes wrong
here is an error: it is said why nothing can be heard, and tried again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import anyio
from sqlalchemy.exc import NoSuchModuleError

from reactor.core.errors import SensorRefused
from reactor.ports import Log
from sensors.schema.event_trigger import CHANNEL, STATE, State, state
from sensors.schema.postgres import Postgres

_LONGEST_PAUSE = 30.0
_ECHO_SECONDS = 2.0
_STUCK_SECONDS = 6.0
_SESSION = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery()"


class Listener:
    """A connection of its own that listens, kept for as long as `listen` runs.

    Args:
        check: seconds between looks at whether the event trigger is (still) there.
    """

    def __init__(self, database: Postgres, log: Log, check: float) -> None:
        self._database = database
        self._log = log
        self._check = check
        self._why = ""

    async def listen(self, hint: Callable[[], None], say: Callable[[str], None]) -> None:
        """Calls `hint` when something may have changed, until cancelled.

        Also once whenever it begins to hear: what changed before that was not heard. `say` is told
        why nothing can be heard, or `""` when it can.
        """
        try:
            engine = self._database.engine()
        except (ImportError, NoSuchModuleError, SensorRefused):
            return  # the look at the tables says so
        # The same driver, and the same reading of the URL, as the look at the tables has.
        driver: Any = engine.dialect.loaded_dbapi
        _, named = engine.dialect.create_connect_args(engine.url)
        arguments = {**self._database.arguments, **named, "autocommit": True}
        failures = 0
        while True:
            began = anyio.current_time()
            try:
                why = await self._attend(driver, arguments, hint, say)
                failures, pause = 0, self._check
            except (driver.Error, OSError) as error:
                lasted = anyio.current_time() - began
                failures = 1 if lasted > _LONGEST_PAUSE else failures + 1
                pause = min(_LONGEST_PAUSE, 0.05 * 2 ** min(failures, 16))
                said = " ".join(str(error).split()) or "no answer"
                why = f"the listening connection broke: {said}"
            if why != self._why:
                self._log.info("schema changes are only polled", why=why)
            self._why = why
            say(why)
            await anyio.sleep(pause)

    async def _attend(
        self,
        driver: Any,
        arguments: dict[str, Any],
        hint: Callable[[], None],
        say: Callable[[str], None],
    ) -> str:
        """Listens on one connection; answers why nothing can be heard on it."""
        connection = await driver.AsyncConnection.connect(**arguments)
        try:
            connection.add_notify_handler(lambda _: hint())
            with anyio.fail_after(_STUCK_SECONDS):
                if why := await self._begun(driver, arguments, connection):
                    return why
            self._why = ""
            say("")
            hint()
            while not why:
                with anyio.move_on_after(self._check):
                    while True:
                        await anyio.wait_readable(connection.fileno())
                        if _received(connection):
                            hint()
                with anyio.fail_after(_STUCK_SECONDS):
                    why = _deaf(await _state(connection))
            return why
        finally:
            await connection.close()

    async def _begun(self, driver: Any, arguments: dict[str, Any], connection: Any) -> str:
        """Has the connection listen, or answers why that would be of no use."""
        found = await _state(connection)
        if why := _deaf(found):
            return why
        [(pid, standby)] = await (await connection.execute(_SESSION)).fetchall()
        if standby:
            return "the database is a standby, which cannot be listened to"
        if pid != connection.info.backend_pid and not await _echo(driver, arguments):
            return "a pooler before the database does not pass notifications on"
        await connection.execute(f"LISTEN {CHANNEL}")
        self._log.info("listening for schema changes", note=found.value)
        return ""


def _deaf(found: State) -> str:
    return (
        f"{found.value} (reactor sensors install)"
        if found in (State.ABSENT, State.DISABLED)
        else ""
    )


async def _state(connection: Any) -> State:
    return state(await (await connection.execute(STATE)).fetchall())


def _received(connection: Any) -> int:
    """Reads what came without waiting; answers how many notifications that were."""
    connection.pgconn.consume_input()
    count = 0
    while connection.pgconn.notifies() is not None:
        count += 1
    return count


async def _echo(driver: Any, arguments: dict[str, Any]) -> bool:
    """Whether what one session says is heard by another through the pooler between us.

    On a channel that nobody else uses: a pooler that lends a session for a transaction leaves it
    listening when the next client gets it.
    """
    channel = f"reactor_echo_{secrets.token_hex(8)}"
    ear = await driver.AsyncConnection.connect(**arguments)
    try:
        await ear.execute(f"LISTEN {channel}")
        mouth = await driver.AsyncConnection.connect(**arguments)
        try:
            await mouth.execute("SELECT pg_catalog.pg_notify(%s, '')", [channel])
        finally:
            await mouth.close()
        with anyio.move_on_after(_ECHO_SECONDS):
            while not _received(ear):
                await anyio.wait_readable(ear.fileno())
            return True
        return False
    finally:
        await ear.close()
