"""Where settings come from, which one wins, and what is said of one that does not exist."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reactor.core.errors import SettingsError
from reactor.settings import Settings, read


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder without settings, and an environment without ours."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"REACTOR_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _pyproject(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text)


def _refused(**flags: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        read(**flags)
    return str(caught.value)


def test_without_anything_the_defaults_hold() -> None:
    assert read().store == "sqlite:///.reactor/reactor.db"
    assert (read().host, read().port) == ("127.0.0.1", 8321)
    assert read().token is None


def test_a_flag_comes_before_a_variable_and_that_before_the_file(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pyproject(bare, "[tool.reactor]\nport = 1\nslots = 3\nhost = 'localhost'\n")
    monkeypatch.setenv("REACTOR_PORT", "2")
    monkeypatch.setenv("REACTOR_SLOTS", "4")
    found = read(port=5)
    assert (found.port, found.slots, found.host) == (5, 4, "localhost")


def test_the_file_is_found_from_a_folder_below_it(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pyproject(bare, "[tool.reactor]\nport = 7\n")
    below = bare / "a" / "b"
    below.mkdir(parents=True)
    _pyproject(below, "[project]\nname = 'of something else'\n")
    monkeypatch.chdir(below)
    assert read().port == 7


def test_a_profile_comes_before_the_rest_of_the_file(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pyproject(
        bare,
        """
        [tool.reactor]
        port = 7
        slots = 2
        [tool.reactor.connections]
        shop = "sqlite:///shop.db"
        lake = "s3://lake"
        [tool.reactor.prod]
        port = 8
        [tool.reactor.prod.connections]
        shop = "postgresql://db/shop"
        [tool.reactor.dev]
        port = 9
        """,
    )
    assert read().port == 7
    monkeypatch.setenv("REACTOR_PROFILE", "prod")
    assert (read().port, read().slots) == (8, 2)
    assert read().connections == {"shop": "postgresql://db/shop", "lake": "s3://lake"}
    assert read(profile="dev").port == 9


def test_the_file_itself_may_name_its_profile(bare: Path) -> None:
    _pyproject(bare, "[tool.reactor]\nprofile = 'dev'\n[tool.reactor.dev]\nport = 9\n")
    assert read().port == 9


@pytest.mark.parametrize(
    ("text", "length"),
    [("90", timedelta(seconds=90)), ("1m30s", timedelta(seconds=90)), ("0.5", timedelta(0, 0.5))],
)
def test_lengths_are_written_as_people_write_them(
    text: str, length: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REACTOR_GRACE", text)
    assert read().grace == length


def test_what_is_kept_may_be_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_RETENTION_EVENTS", "forever")
    assert read().retention_events is None
    assert read().retention_runs == timedelta(days=90)


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_TOKEN", "")
    monkeypatch.setenv("REACTOR_PORT", "")
    assert read().token is None
    assert read().port == 8321


def test_a_token_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_TOKEN", "hunter2hunter2")
    assert "hunter2" not in repr(read())
    monkeypatch.setenv("REACTOR_PORT", "x")
    assert "hunter2" not in _refused()


def test_a_misspelt_variable_names_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_TOKN", "secret")
    assert _refused() == (
        "the environment: there is no setting REACTOR_TOKN (did you mean REACTOR_TOKEN?)"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.reactor]\nprot = 1\n", "[tool.reactor]: there is no setting prot (did you mean"),
        ("[tool.reactor.prod]\nprot = 1\n", "[tool.reactor.prod]: there is no setting prot"),
        ("[tool.reactor\n", "is no TOML"),
        ("[tool.reactor]\nport = 'x'\n", "port: input should be a valid integer"),
        ("[tool.reactor]\nslots = 0\n", "slots: input should be greater than or equal to 1"),
        ("[tool.reactor]\ngrace = 'soon'\n", "grace: 'soon': a duration is text such as"),
    ],
)
def test_what_is_wrong_in_the_file_is_said_with_its_place(text: str, said: str, bare: Path) -> None:
    _pyproject(bare, text)
    assert str(bare / "pyproject.toml") in _refused()
    assert said in _refused()


def test_a_profile_that_is_not_there_names_the_nearest(bare: Path) -> None:
    _pyproject(bare, "[tool.reactor.prod]\nport = 1\n")
    assert _refused(profile="prd").endswith(
        "no profile prd ([tool.reactor.prd]) (did you mean prod?)"
    )


def test_a_wrong_flag_and_a_wrong_variable_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _refused(port=99_999).startswith("--port: input should be less than")
    monkeypatch.setenv("REACTOR_LOG", "loud")
    assert _refused().startswith("REACTOR_LOG: input should be 'debug', 'info'")
    monkeypatch.delenv("REACTOR_LOG")
    monkeypatch.setenv("REACTOR_CONNECTIONS", "{")
    assert _refused().startswith("REACTOR_CONNECTIONS: is no JSON object")


def test_the_port_that_kubernetes_sets_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REACTOR_PORT", "tcp://10.0.0.1:8321")
    assert "enableServiceLinks: false" in _refused()


def test_what_a_command_of_an_asset_is_told_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ASSET", "RUN_KEY", "EVENTS", "EVENT_COUNT", "UPSTREAM"):
        monkeypatch.setenv(f"REACTOR_{name}", "x")
    assert read().port == 8321
    monkeypatch.setenv("REACTOR_SERVICE_HOST", "10.0.0.1")
    assert "enableServiceLinks: false" in _refused()
