"""Logs: structlog, JSON for machines or colours for people, with no secret in them.

Every line says when (`at`), how bad (`level`), what (`message`), and, where it is known, for which
`event`, `run` and `step`. What libraries log through the standard `logging` joins the same stream.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO, cast
from urllib.parse import quote

import structlog

from reactor.core.errors import SettingsError
from reactor.ports import Logger

Style = Literal["json", "pretty"]

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
MASK = "***"

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)|secret|token|credential|authorization|cookie|(api|access|private)[_-]?key",
    re.IGNORECASE,
)
# Bounded on both sides of the colon, so that hostile text costs no more than its length. A number
# before a slash is a port, not a password.
_URL_PASSWORD = re.compile(
    r"\b([a-z][a-z0-9+.-]{0,30}://[^\s:/@]{0,200}):(?!\d+[/?#\s])\S{1,300}@", re.IGNORECASE
)
_URL_PARAMETER = re.compile(
    r"([?&;](?:pass(?:word|wd)?|secret|token|sig(?:nature)?|api_?key|access_token)=)[^&;\s\"']+",
    re.IGNORECASE,
)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DEEPEST = 8


class _Secrets:
    """The values that must never be shown, and one expression that finds them all."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._find: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        forms = {value, quote(value, safe=""), repr(value)[1:-1]}
        self._values |= {form for form in forms if len(form) >= 4}
        if self._values:
            longest_first = sorted(self._values, key=lambda form: (-len(form), form))
            self._find = re.compile("|".join(map(re.escape, longest_first)))

    def hide(self, text: str) -> str:
        return self._find.sub(MASK, text) if self._find else text


_secrets = _Secrets()


def hide(value: str) -> None:
    """Masks `value` from now on, wherever it turns up; under four characters it is left alone."""
    _secrets.add(value)


def masked(text: str) -> str:
    """`text` without registered secrets, URL passwords and secret URL parameters."""
    text = _secrets.hide(text)
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
    if "=" in text:
        text = _URL_PARAMETER.sub(rf"\1{MASK}", text)
    return text


def about(**context: Any) -> AbstractContextManager[Any]:
    """Binds `event`, `run`, `step` or anything else to every line logged inside the block."""
    # structlog calls its message `event`; ours goes by another name until a line is rendered.
    if "event" in context:
        context["_event"] = context.pop("event")
    return structlog.contextvars.bound_contextvars(**context)


def logger(**about: Any) -> Logger:
    """A logger that adds `about` to each of its lines."""
    return cast(Logger, structlog.get_logger(**about))


def configure(style: Style = "json", level: str = "info", out: TextIO | None = None) -> None:
    """Sets up the process's logs; may be called again.

    Raises: SettingsError if there is no such level.
    """
    if level.lower() not in LEVELS:
        raise SettingsError(f"no log level {level!r}", hint=f"one of {', '.join(LEVELS)}")
    lowest, stream = LEVELS[level.lower()], out or sys.stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message", "_event"),
            _clean,
            *_renderer(style, stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    # A library's chatter is not ours: its warnings are.
    root.setLevel(max(lowest, logging.WARNING))


def _renderer(style: Style, out: TextIO) -> tuple[Any, ...]:
    if style == "json":
        return (structlog.processors.JSONRenderer(default=str, ensure_ascii=True),)
    return (
        structlog.dev.ConsoleRenderer(
            colors=out.isatty(), event_key="message", timestamp_key="at", pad_event_to=24
        ),
    )


def _clean(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Masks secrets and makes control characters visible, so that no line can pose as two."""
    for key, value in line.items():
        if key == "exception" and isinstance(value, str):
            line[key] = _CONTROL_BUT_LINES.sub(_visible, masked(value))
        elif value is not None and not isinstance(value, (bool, int, float)):
            line[key] = MASK if _SECRET_KEY.search(key) else _cleaned(value, 0)
    return line


def _cleaned(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        text = masked(value)
        return text if text.isascii() and text.isprintable() else _CONTROL.sub(_visible, text)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth >= _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        return {
            str(key): MASK
            if isinstance(part, (str, bytes)) and _SECRET_KEY.search(str(key))
            else _cleaned(part, depth + 1)
            for key, part in pairs
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_cleaned(part, depth + 1) for part in cast("Iterable[Any]", value)]
    return _cleaned(str(value), depth)


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class _Forward(logging.Handler):
    """Hands what libraries log to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            log: Any = structlog.get_logger().bind(logger=record.name)
            log.log(record.levelno, record.getMessage(), exc_info=record.exc_info or None)
        except Exception:  # noqa: BLE001 - logging must not fail what logs
            self.handleError(record)
