"""Asking a running service, at REACTOR_HOST and REACTOR_PORT, with REACTOR_TOKEN."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from reactor import settings
from reactor.cli.complaint import BadUsage
from reactor.core.errors import ReactorError, SettingsError

Host = Annotated[
    str | None, typer.Option("--host", help="Where the service is.", show_default=False)
]
Port = Annotated[int | None, typer.Option("--port", help="Its port.", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="How many at most.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones.")]

_PATIENCE_S = 30.0
_SILENCE_S = 60.0
"""How long a stream may be silent; the service says something every 15 seconds."""


class Client:
    """The API of one service; every call is a request of its own."""

    def __init__(self, host: str | None = None, port: int | None = None) -> None:
        found = settings.read(host=host, port=port)
        self._host = "127.0.0.1" if found.host in ("0.0.0.0", "::") else found.host.strip("[]")
        self._port = found.port
        self._headers = {"Accept": "application/json"}
        if found.token is not None:
            self._headers["Authorization"] = f"Bearer {found.token.get_secret_value()}"

    @property
    def url(self) -> str:
        """Where it asks."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def get(self, path: str, **query: Any) -> Any:
        """The answer to a question; a query of None is left out.

        Raises: BadUsage if what was asked for is not there, ReactorError if nobody answers.
        """
        given = {name: value for name, value in query.items() if value is not None}
        return self._answer("GET", f"{path}?{urlencode(given)}" if given else path)

    def post(self, path: str, body: Any = None, media: str = "application/json") -> Any:
        """The answer to an order. Raises: as `get`."""
        return self._answer("POST", path, json.dumps(body or {}).encode(), {"Content-Type": media})

    def _answer(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Any:
        with self._asked(method, path, _PATIENCE_S, body, headers) as response:
            try:
                return json.loads(response.read())
            except ValueError:
                raise ReactorError(f"what answers at {self.url} is no reactor service") from None

    @contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        patience: float,
        body: bytes | None = None,
        headers: Mapping[str, str] = {},
    ) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=patience)
        try:
            connection.request(method, path, body, {**self._headers, **headers})
            response = connection.getresponse()
            if response.status >= 400:
                raise self._refused(response)
            yield response
        except TimeoutError:
            raise ReactorError(f"the service at {self.url} does not answer") from None
        except (OSError, http.client.HTTPException) as error:
            raise ReactorError(
                f"no service answers at {self.url}: {_said(error)}",
                hint="start one with reactor serve TARGET, or say where it is: --host, --port",
            ) from error
        finally:
            connection.close()

    def _refused(self, response: http.client.HTTPResponse) -> ReactorError:
        try:
            said = json.loads(response.read())
            what, hint = str(said["error"]), str(said.get("hint", ""))
        except (ValueError, KeyError, TypeError):
            return ReactorError(f"{self.url} answers {response.status} {response.reason}")
        if response.status == 401:
            what = "the service wants another token" if self._token else what
            return SettingsError(what, hint="say REACTOR_TOKEN=..., as the service was given it")
        error = BadUsage if response.status < 500 and response.status != 429 else ReactorError
        return error(what, hint=hint)

    @property
    def _token(self) -> bool:
        return "Authorization" in self._headers

    def stream(self) -> Iterator[dict[str, Any]]:
        """The news, from now on, until the service ends it; `hello` and `reload` are left out."""
        headers = {"Accept": "text/event-stream"}
        with self._asked("GET", "/api/stream", _SILENCE_S, headers=headers) as response:
            event, data = "", ""
            for raw in response:
                line = raw.decode().rstrip("\r\n")
                name, _, text = line.partition(":")
                if name == "event":
                    event = text.strip()
                elif name == "data":
                    data += text.strip()
                elif not line:
                    if data and event not in ("hello", "reload"):
                        yield json.loads(data)
                    event, data = "", ""


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def follow(
    client: Client,
    kind: str,
    known: Iterable[dict[str, Any]],
    wanted: Callable[[dict[str, Any]], bool],
    show: Callable[[dict[str, Any]], None],
) -> None:
    """Shows what is known, then news of that kind, until interrupted or the service ends."""
    news = (item for item in client.stream() if item.get("kind") == kind)
    for item in filter(wanted, chain(known, news)):
        show(item)


def part(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")
