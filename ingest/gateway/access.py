"""Registry of gateways, common to all protocols: whose token it is, and for which units it may send.

A `Gateways` is the registry as it was read at one moment; who asks often keeps one and reads it anew every few seconds.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final, Protocol

__all__ = [
    "INBOX",
    "INBOX_MESSAGE_BYTES",
    "NAME",
    "Gateway",
    "GatewayRegistry",
    "Gateways",
    "digest_of",
    "inbox_of",
    "new_token",
]

NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""Names of gateways, as Kafka's users too: without a dot, which is in the names of our own users."""

_MARK: Final = "mwg_"
INBOX: Final = "metering.inbox."
"""What the names of all inboxes begin with; no other topic's does."""

INBOX_MESSAGE_BYTES: Final = 1_000_000
"""Largest message of an inbox: what Kafka's clients send at most unless told otherwise. [byte]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """One gateway.

    Attributes
    ----------
    id : int
        Number in the registry.
    name : str
        As `NAME` has it.
    unit_codes : frozenset of str
        Energy-using units that it may send readings of.
    all_units : bool
        Whether it may send those of every unit, as a collector of the authority itself.
    valid_from, valid_to : datetime
        Half-open time in which it may come in; None does not end.
    kafka : bool
        Whether it has an inbox on Kafka.
    """

    id: int
    name: str
    unit_codes: frozenset[str] = frozenset()
    all_units: bool = False
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    kafka: bool = False

    def holds(self, now: datetime) -> bool:
        """Whether it may come in at this moment."""
        return (self.valid_from is None or self.valid_from <= now) and (self.valid_to is None or now < self.valid_to)

    def may_send(self, unit_code: str) -> bool:
        """Whether it may send readings of a unit.

        Examples
        --------
        >>> Gateway(id=1, name="boiler-house", unit_codes=frozenset({"U1"})).may_send("U2")
        False
        """
        return self.all_units or unit_code in self.unit_codes


@dataclass(frozen=True, slots=True)
class Gateways:
    """The registry at one moment.

    Attributes
    ----------
    by_name : mapping of str to Gateway
        All that are entered, those that are over too.
    tokens : mapping of bytes to (Gateway, datetime or None)
        Digest of each token, whose it is and when it ends.
    """

    by_name: Mapping[str, Gateway] = field(default_factory=lambda: MappingProxyType({}))
    tokens: Mapping[bytes, tuple[Gateway, datetime | None]] = field(
        default_factory=lambda: MappingProxyType({}), repr=False
    )

    @classmethod
    def of(cls, gateways: Iterable[Gateway], tokens: Mapping[bytes, tuple[str, datetime | None]]) -> "Gateways":
        """The registry of gateways and of the names and ends of their tokens by digest."""
        by_name = {gateway.name: gateway for gateway in gateways}
        return cls(by_name, {digest: (by_name[name], ends) for digest, (name, ends) in tokens.items()})

    def of_token(self, token: str, now: datetime, *, name: str | None = None) -> Gateway | None:
        """The gateway that a token belongs to; None where it is nobody's, over, or another's than the name stated.

        Parameters
        ----------
        token : str
            The bearer token of HTTP, or the password of MQTT.
        now : datetime
        name : str, optional
            The user name that came with it, where the protocol has one.
        """
        # looked up by digest, so that the time it takes reveals nothing to somebody who guesses
        gateway, ends = self.tokens.get(digest_of(token), (None, None))
        if gateway is None or (name is not None and name != gateway.name):
            return None
        return gateway if (ends is None or now < ends) and gateway.holds(now) else None


class GatewayRegistry(Protocol):
    """Where the registry is read from."""

    async def current(self) -> Gateways:
        """The registry, at most some seconds old.

        The last that could be read where the database is away; raises `StoreUnavailable` where there is none.
        """


def new_token() -> str:
    """A token that nobody can guess; what is kept of it is `digest_of`."""
    return _MARK + secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """SHA-256 of a token. It has 256 random bits, so that a slower digest would add nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def inbox_of(name: str) -> str:
    """Topic that a gateway writes to, and that nobody else does; without the prefix of the site.

    Examples
    --------
    >>> inbox_of("boiler-house")
    'metering.inbox.boiler-house'
    """
    return INBOX + name
