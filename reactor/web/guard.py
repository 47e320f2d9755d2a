"""Who may ask, and how much they may send: checked before a request is read.

Laws: without a token only this machine is served, and only under its own names, so that no web
page can reach it by a name of its own (DNS rebinding) nor post to it from elsewhere (CSRF); with
one, `/api` wants it. A body is refused as soon as it is too long. Nothing that is shown may load
or run anything that is not ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from reactor.web.problem import Refused, answer
from reactor.web.service import WebSettings

PATIENCE = 30.0
"""Seconds in which a body has to have come."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_NAMES = ("localhost", "127.0.0.1", "[::1]")
_HEADERS = (
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
)


class Guard:
    """ASGI middleware around the whole application; `limit` answers how long a body may be."""

    def __init__(self, app: ASGIApp, settings: WebSettings, limit: Callable[[str], int]) -> None:
        self._app = app
        self._token = settings.token.encode() if settings.token else None
        self._limit = limit
        self._names = frozenset({*_NAMES, settings.host.lower()}) if settings.local else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(send, no_store=scope["path"].startswith("/api"))
        limit = self._limit(scope["path"])
        refused = self._refusal(scope, limit)
        if refused is not None:
            response = answer(refused.status_code, refused.detail, refused.hint, refused.headers)
            await response(scope, receive, guarded)
            return
        await self._app(scope, _bounded(receive, limit), guarded)

    def _refusal(self, scope: Scope, limit: int) -> Refused | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if self._names is not None and _without_port(host) not in self._names:
            return Refused(
                421, "this service is not known by that name", "ask for localhost or 127.0.0.1"
            )
        if scope["method"] not in _SAFE and _from_elsewhere(headers, host):
            return Refused(
                403,
                "another site's page may not do this",
                "send it from this service's own page, or without a browser",
            )
        if scope["path"].startswith("/api") and not self._allowed(headers.get("authorization", "")):
            return Refused(
                401,
                "this service asks for a token",
                "send the header Authorization: Bearer TOKEN, with the value of REACTOR_TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > limit:
            return _too_long(limit)
        return None

    def _allowed(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, token = authorization.partition(" ")
        same = hmac.compare_digest(token.strip().encode("utf-8", "surrogateescape"), self._token)
        return same and scheme.lower() == "bearer"


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host


def _from_elsewhere(headers: Headers, host: str) -> bool:
    """Whether a browser sends this for a page of another origin."""
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() != host
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def _too_long(limit: int) -> Refused:
    return Refused(
        413,
        f"the body is longer than {limit:,} bytes",
        "send it in parts, or send where it is kept",
    )


def _bounded(receive: Receive, limit: int) -> Receive:
    """`receive`, but a body that is too long or too slow ends the request."""
    got, whole, deadline = 0, False, anyio.current_time() + PATIENCE

    async def bounded() -> Message:
        nonlocal got, whole
        if whole:
            return await receive()
        with anyio.CancelScope(deadline=deadline):
            message = await receive()
            if message["type"] == "http.request":
                got += len(message.get("body", b""))
                whole = not message.get("more_body", False)
                if got > limit:
                    raise _too_long(limit)
            return message
        raise Refused(408, f"the body did not come within {PATIENCE:g} seconds")

    return bounded


def _with_headers(send: Send, no_store: bool) -> Callable[[Message], Awaitable[None]]:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS:
                headers[name] = value
            if no_store:
                headers.setdefault("cache-control", "no-store")
        await send(message)

    return guarded
