"""Errors as answers: `{error, hint}`, in the words that the command line uses too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from reactor.core.errors import ReactorError, StoreUnavailable
from reactor.logs import logger

RETRY_SOON = {"Retry-After": "2"}
_HINTS = {
    404: "/openapi.json lists what there is",
    405: "/openapi.json lists what there is",
}


class Problem(BaseModel):
    """What went wrong, and what to do about it."""

    error: str
    hint: str = ""


class Refused(HTTPException):
    """A request that is answered with an error."""

    def __init__(
        self, status: int, error: str, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, error, headers)
        self.hint = hint


def answer(
    status: int, error: str, hint: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """The response that says so."""
    return JSONResponse({"error": error, "hint": hint}, status, headers)


def explain_errors(app: FastAPI) -> None:
    """Makes every error of `app` a problem in words."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ReactorError, _named)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, error: Exception) -> Response:
    refused = cast(HTTPException, error)
    hint = refused.hint if isinstance(refused, Refused) else _HINTS.get(refused.status_code, "")
    return answer(refused.status_code, _readable(refused.detail), hint, refused.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    found = cast(RequestValidationError, error).errors()
    return answer(422, said(found), _HINTS[404])


async def _named(request: Request, error: Exception) -> Response:
    named = cast(ReactorError, error)
    if isinstance(named, StoreUnavailable):
        hint = named.hint or "nothing was accepted; send it again in a moment"
        return answer(503, _readable(named.what), hint, RETRY_SOON)
    return answer(409, _readable(named.what), named.hint)


async def _unexpected(request: Request, error: Exception) -> Response:
    logger().error("request failed", path=request.url.path, exc_info=error)
    return answer(500, "something went wrong here", "the service's log says what")


def said(errors: Any) -> str:
    """Validation errors in one line, without the values that came in."""
    lines = [f"{_place(one['loc'])}{one['msg'][:1].lower()}{one['msg'][1:]}" for one in errors[:5]]
    more = [f"and {len(errors) - 5} more"] if len(errors) > 5 else []
    return _readable("; ".join([*lines, *more]))


def _place(loc: tuple[Any, ...]) -> str:
    parts = [str(part) for part in loc if part not in ("body", "query", "path")]
    return f"{'.'.join(parts)[:200]}: " if parts else ""


def _readable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()[:2000]
