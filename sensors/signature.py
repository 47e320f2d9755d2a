"""Proof that a request comes from who knows the secret: HMAC-SHA256 over what was sent.

- `standard`: Standard Webhooks. The id, the time and the body are signed, so that nobody can repeat
  a delivery later or under another id.
- `github`: only the body is signed. Whoever has seen a delivery can send it again under another id:
  that such a delivery is taken once relies on TLS keeping it secret.

Source: Standard Webhooks 1.0; GitHub, "Validating webhook deliveries".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Scheme = Literal["standard", "github"]

_PREFIX = "whsec_"
_SECONDS = re.compile(r"[0-9]{1,12}")
_ID = re.compile(r"[!-~]{1,256}")
# A sender that rotates its secret signs with two; nobody needs more than a few.
_MOST = 20


class Unverified(Exception):
    """The request proves nothing; the message is for our own log, not for the sender."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What came, and what it is checked against."""

    headers: Mapping[str, str]
    body: bytes
    keys: Sequence[bytes]
    now: datetime
    tolerance: timedelta


def verified(scheme: Scheme, proof: Proof) -> str:
    """The delivery's id, once its signature has been checked; empty if the sender gave none.

    Raises: Unverified.
    """
    return _VERIFY[scheme](proof)


def sign(
    body: bytes,
    id: str,
    timestamp: datetime | int,
    secret: str,
    signature: Scheme = "standard",
) -> dict[str, str]:
    """The headers with which a sender signs a delivery.

    Args:
        timestamp: when it is sent, in seconds since 1970 or aware; GitHub's way has none.
    """
    key = key_of(secret)
    if signature == "github":
        return {"x-github-delivery": id, "x-hub-signature-256": f"sha256={_mac(key, body).hex()}"}
    seconds = timestamp if isinstance(timestamp, int) else int(timestamp.timestamp())
    mac = _mac(key, _standard_content(id, str(seconds), body))
    return {
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def key_of(secret: str) -> bytes:
    """The key that a secret stands for: base64 after `whsec_`, else its own UTF-8 bytes.

    Raises: ValueError if there is none, which says nothing about the secret.
    """
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raise ValueError("a secret that begins with whsec_ goes on in base64") from None
    else:
        key = secret.encode()
    if not key:
        raise ValueError("a secret is not empty")
    return key


def plausible(id: str) -> bool:
    """Whether an id is one that a sender may choose: up to 256 printable ASCII characters."""
    return _ID.fullmatch(id) is not None


def _standard(proof: Proof) -> str:
    id = proof.headers.get("webhook-id", "")
    seconds = proof.headers.get("webhook-timestamp", "")
    signatures = proof.headers.get("webhook-signature", "")
    if not plausible(id) or not _SECONDS.fullmatch(seconds) or not signatures:
        raise Unverified("webhook-id, webhook-timestamp or webhook-signature is missing or wrong")
    sent = datetime.fromtimestamp(min(int(seconds), 32_503_680_000), UTC)
    given = [
        _decoded(one.removeprefix("v1,"))
        for one in signatures.split()[:_MOST]
        if one.startswith("v1,")
    ]
    _check(proof, _standard_content(id, seconds, proof.body), given)
    # Only now, so that the answer takes as long whatever the time says.
    if abs(proof.now - sent) > proof.tolerance:
        raise Unverified(f"sent at {sent.isoformat()}, too far from {proof.now.isoformat()}")
    return id


def _github(proof: Proof) -> str:
    given = proof.headers.get("x-hub-signature-256", "")
    if not re.fullmatch(r"sha256=[0-9a-fA-F]{64}", given):
        raise Unverified("x-hub-signature-256 is missing or wrong")
    _check(proof, proof.body, [bytes.fromhex(given.removeprefix("sha256="))])
    id = proof.headers.get("x-github-delivery", "")
    return id if plausible(id) else ""


_VERIFY: dict[Scheme, Callable[[Proof], str]] = {"standard": _standard, "github": _github}


def _check(proof: Proof, content: bytes, given: Sequence[bytes]) -> None:
    """Compares each signature given with that of each key, all of them, in constant time."""
    matches = [hmac.compare_digest(_mac(key, content), one) for key in proof.keys for one in given]
    if not any(matches):
        raise Unverified("the signature is not ours")


def _standard_content(id: str, seconds: str, body: bytes) -> bytes:
    return f"{id}.{seconds}.".encode() + body


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, hashlib.sha256)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii", "replace"), validate=True)
    except binascii.Error:
        return b""
