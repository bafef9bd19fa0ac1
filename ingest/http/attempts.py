"""Throttling of failed logins by address; credentials proven recently are not affected."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["Attempts", "address_of"]

K = TypeVar("K")

_REMEMBERED: Final = 10_000
"""Addresses, and proven credentials, that are kept in mind; the ones longest unseen go first."""


class Attempts:
    """Budget of failed logins of each address.

    Parameters
    ----------
    burst : int
        Wrong guesses before an address must wait. [1]
    every_s : float
        After so long it has one more. [s]
    proven_s : float
        How long a credential that was right goes on to be let in from an address that must wait. [s]
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        *,
        burst: int = 10,
        every_s: float = 6.0,
        proven_s: float = 3600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._burst = burst
        self._every_s = every_s
        self._proven_s = proven_s
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._proven: OrderedDict[tuple[bytes, str], float] = OrderedDict()

    def wait_s(self, client: str) -> float:
        """How long an address has to wait before its next guess; 0 where it may. [s]"""
        debt = self._full_at.get(client, 0.0) - self._clock()
        return max(0.0, debt - (self._burst - 1) * self._every_s)

    def wrong(self, client: str) -> None:
        """Count a wrong guess."""
        now = self._clock()
        self._full_at[client] = max(self._full_at.get(client, 0.0), now) + self._every_s
        _trim(self._full_at, client)

    def right(self, credential: bytes, client: str) -> bool:
        """Remember a credential that was right; whether it is new, or was not seen from this address for a while."""
        fresh = not self.is_proven(credential, client)
        self._proven[credential, client] = self._clock()
        _trim(self._proven, (credential, client))
        return fresh

    def is_proven(self, credential: bytes, client: str) -> bool:
        """Whether a credential was right not long ago, from this address."""
        at = self._proven.get((credential, client))
        return at is not None and self._clock() - at < self._proven_s


def _trim(known: "OrderedDict[K, float]", newest: K) -> None:
    known.move_to_end(newest)
    if len(known) > _REMEMBERED:
        known.popitem(last=False)


def address_of(client: str) -> str:
    """What counts as one guesser: an address, or the /64 network of one of IPv6, which a single line has all of.

    Examples
    --------
    >>> address_of("2001:db8:1:2:3:4:5:6"), address_of("192.0.2.7"), address_of("unix")
    ('2001:db8:1:2::/64', '192.0.2.7', 'unix')
    """
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4:
        return client
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
