"""A proxy in front of a server, as companies have them: it can be slow, cache, or be gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256

import anyio
import httpx
from anyio.abc import SocketStream

from tests.servers.process import free_port


class Front:
    """Passes requests on to `behind`, one a connection, and answers with an ETag of the body.

    `url` is where it listens. `delay` is how long it waits before it passes a request on, `status`
    what it answers instead if it is not 0. `asked` has what was asked for, `unchanged` how often it
    answered that the asker knows already.
    """

    def __init__(self, behind: str, port: int) -> None:
        self._behind = httpx.URL(behind)
        self.url = f"http://127.0.0.1:{port}{self._behind.path}"
        self.delay = 0.0
        self.status = 0
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.unchanged = 0

    async def serve(self, stream: SocketStream) -> None:
        """One request, unless the asker hangs up."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            await self._serve(stream)

    async def _serve(self, stream: SocketStream) -> None:
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive()
            line, *fields = head.decode().split("\r\n\r\n")[0].split("\r\n")
            headers = {n.lower(): v for n, _, v in (one.partition(": ") for one in fields)}
            path = line.split(" ")[1]
            self.asked.append(path.removeprefix(self._behind.path))
            self.headers.append(headers)
            await anyio.sleep(self.delay)
            if self.status:
                await stream.send(_answer(self.status, b"<html>not here</html>", ""))
                return
            async with httpx.AsyncClient() as client:
                got = await client.get(self._behind.copy_with(raw_path=path.encode()))
            tag = f'"{sha256(got.content).hexdigest()}"'
            if headers.get("if-none-match") == tag:
                self.unchanged += 1
                await stream.send(_answer(304, b"", tag))
            else:
                await stream.send(_answer(got.status_code, got.content, tag))


def _answer(status: int, body: bytes, tag: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Said",
        f"Content-Length: {len(body)}",
        f"ETag: {tag}",
        "Content-Type: application/json",
        "Connection: close",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def front(behind: str) -> AsyncIterator[Front]:
    """A front that listens until the block ends."""
    port = free_port()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    made = Front(behind, port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, made.serve)
        yield made
        tasks.cancel_scope.cancel()
