"""Where a schema registry is, and how to prove who we are. Opens nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from pydantic import SecretStr

Auth = tuple[str, SecretStr | str] | SecretStr | str | None


@dataclass(frozen=True, slots=True)
class Access:
    """A registry's REST API: `address` without credentials, and these.

    With a user it is HTTP Basic (an API key and its secret too), without one a bearer token.
    Certificates are always verified, against `cafile` or else the system's authorities.
    """

    address: str
    user: str = ""
    secret: SecretStr | None = None
    cafile: str = field(default="", kw_only=True)

    @property
    def host(self) -> str:
        """The host's name."""
        return urlsplit(self.address).hostname or ""


def parsed(url: str, auth: Auth, cafile: str) -> Access:
    """Where `url` leads; a user and a password in it count unless `auth` is given.

    Raises: ValueError, which quotes no secret.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = SplitResult("", "", "", "", ""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("the URL of a schema registry is http(s)://host:port, and maybe a path")
    if cafile and parts.scheme != "https":
        raise ValueError("ssl_cafile is for https://")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    address = urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
    if auth is None and parts.username:
        auth = (unquote(parts.username), unquote(parts.password or ""))
    if auth is None:
        return Access(address, cafile=cafile)
    if isinstance(auth, tuple):
        user, secret = auth
        if not user:
            raise ValueError("auth= is a user and a password, or a token; the user is empty")
        return Access(address, user, _hidden(secret), cafile=cafile)
    return Access(address, "", _hidden(auth), cafile=cafile)


def _hidden(secret: SecretStr | str) -> SecretStr:
    return secret if isinstance(secret, SecretStr) else SecretStr(secret)
