"""How to prove to a Kafka cluster who we are, and to make sure that it is the right one."""

from __future__ import annotations

from dataclasses import dataclass
from ssl import SSLContext, create_default_context
from typing import Any, TypedDict

from pydantic import SecretStr

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class SecurityOptions(TypedDict, total=False):
    """What may be given; each is described at `Security`."""

    security_protocol: str
    sasl_mechanism: str
    username: str
    password: SecretStr | str
    ssl_cafile: str
    ssl_certfile: str
    ssl_keyfile: str
    ssl_password: SecretStr | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """Credentials and certificates.

    With a username the default protocol is SASL_SSL, with certificates only it is SSL; a password
    crosses the network in the clear only if `security_protocol="SASL_PLAINTEXT"` is spelled out.
    Certificates are always verified, against `ssl_cafile` or else the system's authorities.
    """

    security_protocol: str = ""
    sasl_mechanism: str = ""
    username: str = ""
    password: SecretStr | None = None
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""
    ssl_password: SecretStr | None = None

    def __post_init__(self) -> None:
        certificates = self.ssl_cafile or self.ssl_certfile
        default = "SASL_SSL" if self.username else "SSL" if certificates else "PLAINTEXT"
        _fill(self, "security_protocol", self.security_protocol or default)
        _fill(self, "sasl_mechanism", self.sasl_mechanism or ("PLAIN" if self.username else ""))
        for name in ("password", "ssl_password"):
            if isinstance(given := getattr(self, name), str):
                _fill(self, name, SecretStr(given))
        self._check()

    def _check(self) -> None:
        protocol, mechanism = self.security_protocol, self.sasl_mechanism
        if protocol not in PROTOCOLS:
            raise ValueError(
                f"security_protocol is one of {', '.join(PROTOCOLS)}, not {protocol!r}"
            )
        if protocol.startswith("SASL") != bool(self.username):
            raise ValueError(f"{protocol} {'without' if not self.username else 'with'} a username")
        if self.username and mechanism not in MECHANISMS:
            raise ValueError(f"sasl_mechanism is one of {', '.join(MECHANISMS)}, not {mechanism!r}")
        if self.username and self.password is None:
            raise ValueError(f"username {self.username!r} without a password")
        if "SSL" not in protocol and (self.ssl_cafile or self.ssl_certfile or self.ssl_keyfile):
            raise ValueError(f"{protocol} uses no certificates: leave the ssl_ options out")
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            raise ValueError("ssl_certfile and ssl_keyfile belong together")

    @property
    def files(self) -> list[str]:
        """The certificates that are named."""
        return [name for name in (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile) if name]

    @property
    def exposed(self) -> bool:
        """Whether a password would cross the network in the clear."""
        return self.security_protocol == "SASL_PLAINTEXT" and self.sasl_mechanism == "PLAIN"

    def options(self) -> dict[str, Any]:
        """The same in aiokafka's words. Reads the certificate files: not for the loop.

        Raises: OSError (ssl.SSLError among them) if a file is missing or is no certificate.
        """
        said: dict[str, Any] = {"security_protocol": self.security_protocol}
        if "SSL" in self.security_protocol:
            said["ssl_context"] = self._context()
        if self.username:
            assert self.password is not None
            said["sasl_mechanism"] = self.sasl_mechanism
            said["sasl_plain_username"] = self.username
            said["sasl_plain_password"] = self.password.get_secret_value()
        return said

    def _context(self) -> SSLContext:
        context = create_default_context(cafile=self.ssl_cafile or None)
        if self.ssl_certfile:
            secret = self.ssl_password.get_secret_value() if self.ssl_password else None
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, secret)
        return context


def _fill(value: Security, name: str, what: object) -> None:
    object.__setattr__(value, name, what)
