"""The page: static files that ship with the package, read once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from reactor.web.problem import Refused

FOLDER = Path(__file__).parent / "static"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def routes() -> APIRouter:
    """`GET /` and what the page is made of."""
    router = APIRouter(include_in_schema=False)
    files = {
        path.relative_to(FOLDER).as_posix(): _File(path)
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in _TYPES
    }

    @router.api_route("/", methods=["GET", "HEAD"])
    async def page(request: Request) -> Response:
        return files["index.html"].answer(request)

    @router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
    async def static(request: Request, path: str) -> Response:
        if path not in files:
            raise Refused(404, "no such file")
        return files[path].answer(request)

    return router


class _File:
    """One file, and a tag that changes when it does."""

    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()
        self._type = _TYPES[path.suffix]
        self._tag = f'"{hashlib.sha256(self._content).hexdigest()[:16]}"'

    def answer(self, request: Request) -> Response:
        # Asked for again each time, so that page and service are always of one version.
        headers = {"etag": self._tag, "cache-control": "no-cache"}
        if self._tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(self._content, headers=headers, media_type=self._type)
