"""What a log line holds, and what it must never hold."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from reactor import logs
from reactor.core.errors import SettingsError

SECRET = "hunter2/and more"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging is of the whole process: put it back."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(style: logs.Style = "json", level: str = "debug") -> io.StringIO:
    """Logs go here from now on."""
    out = io.StringIO()
    logs.configure(style, level, out)
    return out


def only(out: io.StringIO) -> dict[str, Any]:
    """The one line that was logged."""
    (line,) = out.getvalue().splitlines()
    return json.loads(line)


def test_a_line_says_when_how_bad_and_what() -> None:
    out = lines()
    logs.logger(sensor="inbox").warning("sensor down", why="gone", seconds=1.5)
    line = only(out)
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "warning",
        "message": "sensor down",
        "sensor": "inbox",
        "why": "gone",
        "seconds": 1.5,
    }


def test_event_run_and_step_are_bound_for_a_while() -> None:
    out = lines()
    with logs.about(event="inbox/1", run=12), logs.about(step=40):
        logs.logger().info("started")
    logs.logger().info("later")
    started, later = map(json.loads, out.getvalue().splitlines())
    assert (started["event"], started["run"], started["step"]) == ("inbox/1", 12, 40)
    assert started["message"] == "started"
    assert not {"event", "run", "step"} & set(later)


def test_a_level_keeps_what_is_below_it_out() -> None:
    out = lines(level="warning")
    logs.logger().info("quiet")
    logs.logger().error("loud")
    assert only(out)["message"] == "loud"
    with pytest.raises(SettingsError, match="no log level 'chatty'"):
        logs.configure(level="chatty")


@pytest.mark.parametrize(
    "about",
    [
        {"password": SECRET},
        {"API_KEY": SECRET},
        {"headers": {"Authorization": f"Bearer {SECRET}", "Cookie": SECRET}},
        {"settings": [{"client_secret": SECRET}]},
        {"url": f"postgresql://shop:{SECRET.split()[0]}@db.example:5432/shop"},
        {"url": "https://x.example/hook?token=hunter2&x=1"},
        {"text": "connecting to redis://:hunter2@cache:6379/0 failed"},
    ],
)
def test_secrets_are_masked_by_what_they_stand_under(about: dict[str, Any]) -> None:
    out = lines()
    logs.logger().info("seen", **about)
    assert "hunter2" not in out.getvalue()
    assert logs.MASK in out.getvalue()


def test_a_registered_secret_is_masked_wherever_it_turns_up() -> None:
    logs.hide("s3cr+t/ü value")
    out = lines()
    try:
        raise ValueError("login with s3cr+t/ü value failed")
    except ValueError:
        logs.logger().error(
            "at s3cr+t/ü value",
            exc_info=True,
            where={"deep": ["s3cr+t/ü value", "s3cr%2Bt%2F%C3%BC%20value"]},
            error=ValueError("s3cr+t/ü value"),
        )
    assert "s3cr" not in out.getvalue()
    assert "login with *** failed" in only(out)["exception"]


def test_what_is_no_secret_is_left_alone() -> None:
    text = "http://127.0.0.1:8321/api?before=3 and mail to data@shop.example"
    assert logs.masked(text) == text
    out = lines()
    logs.logger().info("counted", tokens=3, token_count=7, partition=None, run_key="ab12")
    line = only(out)
    assert (line["tokens"], line["token_count"], line["partition"]) == (3, 7, None)
    assert line["run_key"] == "ab12"


@pytest.mark.parametrize("style", ["json", "pretty"])
def test_a_hostile_name_cannot_pose_as_another_line(style: logs.Style) -> None:
    out = lines(style)
    name = "a.csv\n2026-01-01 [error] forged\r\x1b[2J\u2028\udce9"
    logs.logger().info("arrived", path=name)
    text = out.getvalue()
    assert len(text.splitlines()) == 1
    assert "\x1b[2J" not in text
    assert text.isprintable() or style == "pretty" or text.rstrip("\n").isprintable()
    text.encode()


def test_hostile_text_costs_no_more_than_its_length() -> None:
    """A pattern that backtracks would not return before the machine is switched off."""
    for unit in ("a://b:", "a" * 50 + "://", "://x:y", "?token", "password=", "@:/"):
        logs.masked(unit * 50_000)


def test_what_libraries_log_joins_the_stream() -> None:
    out = lines()
    logging.getLogger("a.library").warning("broker %s is gone", "kafka://u:hunter2@b:9092")
    logging.getLogger("a.library").info("chatter")
    line = only(out)
    assert (line["logger"], line["level"]) == ("a.library", "warning")
    assert line["message"] == "broker kafka://u:***@b:9092 is gone"


def test_a_value_that_is_no_json_is_logged_all_the_same() -> None:
    class Odd:
        def __str__(self) -> str:
            return "odd"

    circle: list[Any] = []
    circle.append(circle)
    out = lines()
    logs.logger().info("seen", odd=Odd(), raw=b"\xff", many={1, 2}, circle=circle)
    assert only(out)["odd"] == "odd"
