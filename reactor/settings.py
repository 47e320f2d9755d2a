"""The settings of a process: flags, then `REACTOR_*` variables, then `[tool.reactor]`.

Of `[tool.reactor]` in the nearest pyproject.toml, the table that the profile names
(`[tool.reactor.prod]`) comes before the rest. A setting that does not exist is an error, wherever
it stands: one that is silently ignored may be the token.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as UnreadableSetting

from reactor.core.duration import duration
from reactor.core.errors import SettingsError

PREFIX = "REACTOR_"
_OF_TESTS = f"{PREFIX}TEST_"
_OF_STEPS = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "ASSET", "ATTEMPT", "EVENTS", "EVENT_COUNT", "PARTITION", "RUN", "RUN_KEY", "STEP",
        "UPSTREAM",
    )
)  # fmt: skip
"""What the commands of assets are told: they may well call `reactor` themselves."""
_OF_KUBERNETES = (f"{PREFIX}SERVICE_", f"{PREFIX}PORT_")
_LINKS = "Kubernetes sets it for a service called reactor: say enableServiceLinks: false"

_TABLE = "tool.reactor"


def _length(value: Any) -> Any:
    """A duration as people write it; a bare number is seconds, `forever` has no end."""
    if value is None or value == "forever":
        return None
    if isinstance(value, str) and value.replace(".", "", 1).isdigit():
        value = float(value)
    return duration(value)


Length = Annotated[timedelta, BeforeValidator(_length)]
Endless = Annotated[timedelta | None, BeforeValidator(_length)]


class Settings(BaseSettings):
    """What can be set, and what it is when nobody sets it. Read them with `read`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    store: str = "sqlite:///.reactor/reactor.db"
    """The URL of the durable store."""
    host: str = "127.0.0.1"
    """The address to listen on, or where the service is."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8321
    """The one port; 0 takes a free one."""
    token: SecretStr | None = None
    """What the API asks for. Needed beyond this machine."""
    kafka: str = ""
    """Bootstrap servers of topics that name none: `host:port`, separated by commas."""
    log: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is logged."""
    profile: str = ""
    """Which table of `[tool.reactor]` comes first: dev, prod ..."""
    grace: Length = timedelta(seconds=30)
    """How long a stop waits for running steps."""
    slots: Annotated[int, Field(ge=1, le=10_000)] = 64
    """How many steps run at once at most."""
    retention_events: Endless = timedelta(days=30)
    """How long events are kept once nothing needs them; `forever` keeps all."""
    retention_runs: Endless = timedelta(days=90)
    """How long runs and their output are kept once they ended; `forever` keeps all."""
    catch_up: bool = True
    """Whether what is out of date at the start is brought up to date."""
    connections: Mapping[str, str] = {}
    """URLs by name, for `context.connection(name)`."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `read` hands the file's values over beside the flags, under a name that no flag can have.
        given = dict(cast(InitSettingsSource, init_settings).init_kwargs)
        from_file = InitSettingsSource(settings_cls, given.pop(_TABLE, {}))
        return InitSettingsSource(settings_cls, given), env_settings, from_file


def read(folder: Path | None = None, **flags: Any) -> Settings:
    """The settings that hold in `folder` (None: the current one). A flag of None was not given.

    Raises: SettingsError, naming where the wrong setting stands.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    _refuse_unknown([*os.environ], given)
    file, table = _nearest_table(folder or Path.cwd())
    profile = given.get("profile") or os.environ.get(f"{PREFIX}PROFILE") or table.get("profile")
    values: dict[str, Any] = {**given, _TABLE: _with_profile(file, table, profile)}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise _wrong(error, given, file) from None
    except UnreadableSetting:
        raise SettingsError(
            'is no JSON object such as {"shop": "postgresql://..."}', where=f"{PREFIX}CONNECTIONS"
        ) from None


def _names() -> list[str]:
    return list(Settings.model_fields)


def _refuse_unknown(variables: list[str], flags: Mapping[str, Any]) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in _names()}
    for variable in variables:
        if not variable.startswith(PREFIX) or variable in known | _OF_STEPS:
            continue
        if not variable.startswith(_OF_TESTS):
            raise _unknown(variable, sorted(known), "the environment")
    for flag in flags:
        if flag not in Settings.model_fields:
            raise _unknown(flag, _names(), "the flags")


def _unknown(name: str, known: list[str], where: str) -> SettingsError:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    if name.startswith(_OF_KUBERNETES):
        hint = _LINKS
    return SettingsError(f"there is no setting {name}", where=where, hint=hint)


def _nearest_table(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The nearest pyproject.toml upwards that has our table, and the table; empty if none has."""
    for place in (folder, *folder.absolute().parents):
        file = place / "pyproject.toml"
        try:
            text = file.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot be read: {error}", where=str(file)) from error
        try:
            table = tomllib.loads(text).get("tool", {}).get("reactor")
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"is no TOML: {error}", where=str(file)) from error
        if isinstance(table, dict):
            return file, cast("dict[str, Any]", table)
    return Path("pyproject.toml"), {}


def _with_profile(file: Path, table: Mapping[str, Any], profile: str | None) -> dict[str, Any]:
    """The table's own settings, and over them those of the profile."""
    settings = Settings.model_fields
    profiles = {
        name: value
        for name, value in table.items()
        if isinstance(value, dict) and name not in settings
    }
    if profile and profile not in profiles:
        close = difflib.get_close_matches(profile, profiles, n=1)
        known = f"there are {', '.join(profiles)}" if profiles else "it has no profile"
        raise SettingsError(
            f"no profile {profile} ([{_TABLE}.{profile}])",
            where=str(file),
            hint=f"did you mean {close[0]}?" if close else known,
        )
    found: dict[str, Any] = {}
    own = {name: value for name, value in table.items() if name not in profiles}
    for title, values in [(_TABLE, own), *((f"{_TABLE}.{n}", v) for n, v in profiles.items())]:
        for name in values:
            if name not in settings:
                raise _unknown(name, _names(), f"{file}, [{title}]")
        if title == _TABLE or title == f"{_TABLE}.{profile}":
            merged = {**found.get("connections", {}), **values.get("connections", {})}
            found |= {**values, **({"connections": merged} if merged else {})}
    return found


def _wrong(error: ValidationError, flags: Mapping[str, Any], file: Path) -> SettingsError:
    """The first wrong setting, where it stands, and what is wrong with it; never its value."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0])
    variable = f"{PREFIX}{name.upper()}"
    if name in flags:
        where = f"--{name.replace('_', '-')}"
    elif os.environ.get(variable):
        where = variable
    else:
        where = f"{file}, {name}"
    message = str(first.get("ctx", {}).get("error", first["msg"]))
    hint = ""
    if name == "port" and os.environ.get(variable, "").startswith("tcp://"):
        hint = _LINKS
    return SettingsError(message[:1].lower() + message[1:], where=where, hint=hint)
