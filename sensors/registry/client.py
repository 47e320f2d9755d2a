"""The REST API of a Confluent-compatible schema registry.

Source: Confluent Platform, Schema Registry API Reference; error codes 40401 to 40403.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

import anyio
import httpx
from anyio import to_thread
from pydantic import BaseModel, Field, ValidationError

from reactor.core.errors import SensorError, SensorRefused
from sensors.registry.access import Access
from sensors.registry.schema import Reference, Resolved, Schema, Version

# It has a line for each request; what matters of them the sensor says.
if (_http_log := logging.getLogger("httpx")).level == logging.NOTSET:
    _http_log.setLevel(logging.WARNING)

PATIENCE = 10.0
"""How long an answer may take, in seconds."""
CONNECTIONS = 8
"""How many questions are asked at once."""
_IDLE_SECONDS = 2.0
"""How long a connection is kept: less than any server keeps it, so that none is found closed."""
_MOST_REFERENCES = 1000
_NOT_THERE = frozenset({40401, 40402, 40403})
"""A subject, a version, a schema. A 404 without one of them comes from something else."""

Model = TypeVar("Model", bound=BaseModel)


class Unavailable(SensorError):
    """The registry does not answer, or not as a registry does: it may later."""


class Unresolved(Exception):
    """A schema refers to one that is not there."""


class _Refers(BaseModel):
    name: str
    subject: str
    version: int


class _Written(BaseModel):
    kind: str | None = Field(None, alias="schemaType")
    text: str = Field(alias="schema")
    references: tuple[_Refers, ...] | None = None

    def schema_of(self) -> Schema:
        listed = (Reference(one.name, one.subject, one.version) for one in self.references or ())
        return Schema(self.kind or "AVRO", self.text, tuple(listed))


class _Registered(_Written):
    id: int
    version: int


class Client:
    """A registry that can be asked.

    Every method raises Unavailable if it cannot be, and SensorRefused if it does not let us in.
    """

    def __init__(self, access: Access, http: httpx.AsyncClient, patience: float) -> None:
        self._access = access
        self._http = http
        self._patience = patience
        self._fresh: dict[str, tuple[str, Any]] = {}

    async def subjects(self) -> list[str]:
        """The names of all subjects that are not deleted."""
        answer = await self._get("subjects", again=True)
        if not isinstance(answer, list) or not all(isinstance(name, str) for name in answer):
            raise self._strange("subjects")
        return answer

    async def latest(self, subject: str) -> Version | None:
        """The newest version of a subject; None if there is none (any more)."""
        return await self._version(subject, "latest", again=True)

    async def by_id(self, id: int) -> Schema | None:
        """The schema with this id, if only deleted versions have it too; None if there is none."""
        path = f"schemas/ids/{id}"
        answer = await self._get(path)
        return None if answer is None else self._read(_Written, answer, path).schema_of()

    async def resolve(self, schema: Schema) -> Resolved:
        """The schema with all that it refers to, directly or not.

        Raises: Unresolved.
        """
        others: dict[str, str] = {}
        await self._collect(schema, others, set())
        return Resolved(schema, others)

    async def _collect(self, schema: Schema, others: dict[str, str], seen: set[Reference]) -> None:
        for one in schema.references:
            if one in seen:
                continue
            seen.add(one)
            if len(seen) > _MOST_REFERENCES:
                raise Unresolved(f"it refers to more than {_MOST_REFERENCES} others")
            found = await self._version(one.subject, str(one.version))
            if found is None:
                raise Unresolved(
                    f"it refers to {one.name}, but there is no version {one.version} of"
                    f" {one.subject}"
                )
            await self._collect(found.schema, others, seen)
            others.setdefault(one.name, found.schema.text)

    async def _version(self, subject: str, number: str, *, again: bool = False) -> Version | None:
        path = f"subjects/{quote(subject, safe='')}/versions/{number}"
        answer = await self._get(path, again=again)
        if answer is None:
            return None
        read = self._read(_Registered, answer, path)
        return Version(subject, read.version, read.id, read.schema_of())

    async def _get(self, path: str, *, again: bool = False) -> Any:
        """The answer, or None if there is no such subject, version or schema.

        Args:
            again: whether the same will be asked often, so that an ETag is worth keeping.
        """
        etag, known = self._fresh.get(path, ("", None))
        try:
            with anyio.fail_after(self._patience):
                answer = await self._http.get(
                    f"/{path}", headers={"If-None-Match": etag} if etag else {}
                )
        except TimeoutError as error:
            raise self._unavailable(f"does not answer within {self._patience:g} s") from error
        except (httpx.HTTPError, OSError) as error:
            why = str(error) or type(error).__name__
            raise self._unavailable(f"cannot be reached: {why}") from error
        status = answer.status_code
        if etag and status == httpx.codes.NOT_MODIFIED:
            return known
        self._fresh.pop(path, None)
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise self._refused(status)
        body = _json(answer)
        if status == httpx.codes.NOT_FOUND and _code(body) in _NOT_THERE:
            return None
        if status != httpx.codes.OK or body is None:
            raise self._strange(path, status)
        if again and (fresh := answer.headers.get("ETag")):
            self._fresh[path] = (fresh, body)
        return body

    def _read(self, model: type[Model], answer: Any, path: str) -> Model:
        try:
            return model.model_validate(answer)
        except ValidationError as error:
            raise self._strange(path) from error

    def _strange(self, path: str, status: int = 200) -> Unavailable:
        hint = "is its URL that of the REST API, such as http://registry:8081?"
        what = f"does not answer as a registry does: {status} for /{path}"
        return self._unavailable(what, "" if status >= 500 else hint)

    def _unavailable(self, what: str, hint: str = "") -> Unavailable:
        return Unavailable(f"the schema registry {self._access.address} {what}", hint=hint)

    def _refused(self, status: int) -> SensorRefused:
        return SensorRefused(
            f"the schema registry {self._access.address} does not let us in: {status}",
            hint="check auth= of SchemaRegistry(...)",
        )


@asynccontextmanager
async def connected(access: Access, patience: float = PATIENCE) -> AsyncIterator[Client]:
    """A client whose connections are closed afterwards. It connects when first asked.

    Raises: SensorRefused if the certificates cannot be read.
    """
    headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
    auth = None
    if access.secret is not None:
        secret = access.secret.get_secret_value()
        if access.user:
            auth = httpx.BasicAuth(access.user, secret)
        else:
            headers["Authorization"] = f"Bearer {secret}"
    async with httpx.AsyncClient(
        base_url=access.address,
        headers=headers,
        auth=auth,
        verify=await to_thread.run_sync(_trust, access),
        timeout=patience,
        limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=_IDLE_SECONDS),
    ) as http:
        yield Client(access, http, patience)


def _trust(access: Access) -> ssl.SSLContext | bool:
    """Whom to trust; nobody has to be without TLS. Reads files: not for the loop."""
    if not access.address.startswith("https:"):
        return False
    try:
        return ssl.create_default_context(cafile=access.cafile or None)
    except OSError as error:
        raise SensorRefused(
            f"the certificates {access.cafile} cannot be read: {error}",
            hint="check ssl_cafile= of SchemaRegistry(...)",
        ) from error


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _code(body: Any) -> Any:
    return body.get("error_code") if isinstance(body, dict) else None
