"""Signed links that act for one person on one alert, once, until they expire; nothing of them is stored."""

import base64
import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

from analytics.domain.errors import MeterwardenError

__all__ = ["Deed", "Link", "LinkRefused", "LinkUnknown", "open_link", "sign_link"]

_SHAPE: Final = struct.Struct(">16sIIQBQ")
_MAC_BYTES: Final = 16


class LinkRefused(MeterwardenError):  # noqa: N818 - named after what happened
    """A link that is too old or was used."""


class LinkUnknown(LinkRefused):
    """A link that nobody made."""


class Deed(IntEnum):
    """Action of a link."""

    ACKNOWLEDGE = 1
    VERDICT = 2
    COMMENT = 3

    @property
    def roles(self) -> frozenset[str]:
        """Roles that may do it, asked of the person as he stands when the link is used."""
        return _OFFICE | {"enterprise"} if self is Deed.COMMENT else _OFFICE


_OFFICE: Final = frozenset({"staff", "inspector"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Who may do what to which alert, until when.

    Attributes
    ----------
    standing : int
        How the person stood when the link was made: with another role, unit or standing it acts no longer.
    """

    person_id: int
    standing: int
    alert_id: int
    deed: Deed
    expires_at: datetime
    nonce: bytes

    @classmethod
    def fresh(cls, person_id: int, alert_id: int, deed: Deed, expires_at: datetime, *, standing: int) -> "Link":
        """A link that no other is like."""
        nonce = secrets.token_bytes(16)
        return cls(
            person_id=person_id, standing=standing, alert_id=alert_id, deed=deed, expires_at=expires_at, nonce=nonce
        )


def sign_link(link: Link, secret: bytes) -> str:
    """A link as text that fits into a URL.

    Parameters
    ----------
    link : Link
    secret : bytes
        Who has it can make links: it stays with sender and API.
    """
    expires = int(link.expires_at.timestamp())
    fields = (link.nonce, link.person_id, link.standing, link.alert_id, int(link.deed), expires)
    body = _SHAPE.pack(*fields)
    return base64.urlsafe_b64encode(body + _mac(body, secret)).decode().rstrip("=")


def open_link(text: str, secret: bytes, now: datetime) -> Link:
    """A link that `sign_link` made; whether it was used is for the caller to see.

    Raises `LinkUnknown` where it was altered, `LinkRefused` where it is too old.
    """
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raw = b""
    body, mac = raw[: _SHAPE.size], raw[_SHAPE.size :]
    if len(body) != _SHAPE.size or not hmac.compare_digest(mac, _mac(body, secret)):
        raise LinkUnknown("a link must be one that a message brought, unaltered")
    nonce, person_id, standing, alert_id, deed, expires = _SHAPE.unpack(body)
    expires_at = datetime.fromtimestamp(expires, UTC)
    if now >= expires_at:
        raise LinkRefused(f"a link must be used in its time (this one ended at {expires_at.isoformat()})")
    return Link(
        person_id=person_id,
        standing=standing,
        alert_id=alert_id,
        deed=Deed(deed),
        expires_at=expires_at,
        nonce=nonce,
    )


def _mac(body: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, b"meterwarden link\0" + body, hashlib.sha256)[:_MAC_BYTES]
