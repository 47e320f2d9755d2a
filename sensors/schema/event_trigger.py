"""The event trigger by which a PostgreSQL database tells at once that its schema changed.

It notifies of one thing only: look again. So all of a transaction is one notification, for
PostgreSQL folds equal ones, however many tables were changed; which, the look finds out (an event
trigger is not told the old name of a table that was renamed).

It must never be in the way of who changes the schema. What goes wrong in it is swallowed, it is
silent while the queue of notifications is half full (a full one would fail the commit), and
`SET reactor.notify = 'off'` silences it in a session: PostgreSQL prepares no transaction for a
two-phase commit that has notified. Temporary tables are nobody's business.
"""

from __future__ import annotations

from enum import Enum

from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from reactor.core.errors import ReactorError
from sensors.schema.catalogue import said
from sensors.schema.pattern import Tables
from sensors.schema.postgres import Postgres

CHANNEL = "reactor_schema_changed"
VERSION = "reactor schema notifications, version 1"

_TRIGGERS = ("reactor_schema_changed", "reactor_schema_dropped")
# What makes a table or alters one, and what renames a type or a schema.
_TAGS = (
    "CREATE TABLE",
    "CREATE TABLE AS",
    "SELECT INTO",
    "ALTER TABLE",
    "CREATE FOREIGN TABLE",
    "ALTER FOREIGN TABLE",
    "IMPORT FOREIGN SCHEMA",
    "CREATE SCHEMA",
    "ALTER SCHEMA",
    "ALTER TYPE",
    "ALTER DOMAIN",
    "CREATE EXTENSION",
    "ALTER EXTENSION",
)
# Two at once would trip over each other's rows of the catalogue.
_ALONE = """DO $$ BEGIN PERFORM pg_catalog.pg_advisory_xact_lock(7263514982); END $$;"""

INSTALL = f"""\
-- Tells who listens on the channel {CHANNEL} that a table was created, altered or dropped.
BEGIN;
{_ALONE}
CREATE SCHEMA IF NOT EXISTS reactor_notify;
CREATE OR REPLACE FUNCTION reactor_notify.schema_changed() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    changed boolean;
BEGIN
    IF current_setting('reactor.notify', true) = 'off' OR pg_notification_queue_usage() > 0.5 THEN
        RETURN;
    END IF;
    IF tg_event = 'sql_drop' THEN
        changed := EXISTS (
            SELECT FROM pg_event_trigger_dropped_objects() WHERE NOT is_temporary
            AND object_type IN ('table', 'foreign table', 'table column', 'table constraint'));
    ELSE
        changed := EXISTS (
            SELECT FROM pg_event_trigger_ddl_commands()
            WHERE schema_name IS DISTINCT FROM 'pg_temp');
    END IF;
    IF changed THEN
        PERFORM pg_notify('{CHANNEL}', '');
    END IF;
EXCEPTION WHEN OTHERS THEN
    NULL; -- whoever changes a schema must not fail because of who looks on
END
$body$;
COMMENT ON FUNCTION reactor_notify.schema_changed() IS '{VERSION}';
DROP EVENT TRIGGER IF EXISTS {_TRIGGERS[0]};
DROP EVENT TRIGGER IF EXISTS {_TRIGGERS[1]};
CREATE EVENT TRIGGER {_TRIGGERS[0]} ON ddl_command_end
    WHEN TAG IN ({", ".join(f"'{tag}'" for tag in _TAGS)})
    EXECUTE FUNCTION reactor_notify.schema_changed();
CREATE EVENT TRIGGER {_TRIGGERS[1]} ON sql_drop
    EXECUTE FUNCTION reactor_notify.schema_changed();
COMMIT;
"""
UNINSTALL = f"""\
BEGIN;
{_ALONE}
DROP EVENT TRIGGER IF EXISTS {_TRIGGERS[0]};
DROP EVENT TRIGGER IF EXISTS {_TRIGGERS[1]};
DROP FUNCTION IF EXISTS reactor_notify.schema_changed();
DROP SCHEMA IF EXISTS reactor_notify;
COMMIT;
"""
STATE = f"""
    SELECT t.evtenabled::text,
           pg_catalog.obj_description(t.evtfoid, 'pg_proc') IS NOT DISTINCT FROM '{VERSION}'
    FROM pg_catalog.pg_event_trigger AS t
    WHERE t.evtname IN {_TRIGGERS}
"""
_MAY_NOT = "42501"


class State(Enum):
    """How the event trigger of a database is."""

    ABSENT = "there is no event trigger"
    DISABLED = "the event trigger is disabled"
    OTHER_VERSION = "the event trigger is of another version"
    CURRENT = ""


def state(rows: list[tuple[str, bool]]) -> State:
    """What the rows of the query `STATE` mean."""
    if len(rows) < len(_TRIGGERS):
        return State.ABSENT
    if any(enabled not in ("O", "A") for enabled, _ in rows):
        return State.DISABLED
    return State.CURRENT if all(current for _, current in rows) else State.OTHER_VERSION


def install(url: str) -> State:
    """Installs the event trigger, anew if it is there; answers how it was before. Blocks.

    Raises: ReactorError if the database cannot be reached, or the role may not.
    """
    return _carried_out(url, INSTALL)


def uninstall(url: str) -> State:
    """Removes all that `install` made; answers how it was before. Blocks.

    Raises: ReactorError as `install`, or if somebody put things of their own into its schema.
    """
    return _carried_out(url, UNINSTALL)


def _carried_out(url: str, script: str) -> State:
    database = Postgres(make_url(url), Tables(("*",)))
    engine = database.engine()
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            before = _state(connection)
            connection.exec_driver_sql(script)
            return before
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _MAY_NOT:
            raise ReactorError(
                f"role {engine.url.username or 'of the URL'} may not do this: {said(error)}",
                hint="--print shows the SQL for a superuser to run",
            ) from error
        hint = database.hint(error)
        raise ReactorError(f"the database says: {said(error)}", hint=hint) from error
    finally:
        engine.dispose()


def _state(connection: Connection) -> State:
    rows = connection.exec_driver_sql(STATE).all()
    return state([(enabled, current) for enabled, current in rows])
