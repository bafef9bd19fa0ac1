"""What a gateway tells of its spool, a message of its own on the way to Kafka: so that silence has a cause there.

It is told once a minute over the same connection as readings, and never put into the spool: what was true an hour ago
is of no use. Where Kafka is away nothing can be told, which is why whoever watches also goes by the last delivery.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

__all__ = ["LONGEST", "PREFIX", "SpoolState"]

PREFIX: Final = b'{"gateway_status":'
"""How such a message begins; no reading does."""
LONGEST: Final = 4096
"""Bytes of the longest."""
_FAULT_CHARACTERS: Final = 500
_LARGEST: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolState:
    """How a spool is.

    Attributes
    ----------
    at_us : int
        When this was so, by the gateway's clock. [us since 1970-01-01 UTC]
    readings, stored_bytes, max_bytes : int
        That wait for Kafka, on the disk, and at most.
    oldest_us : int or None
        When the oldest of those that wait came. [us since 1970-01-01 UTC]
    dropped_readings : int
        Given up since the spool was made: full, and older than is kept.
    fault : str
        What is wrong besides, in the gateway's words.
    """

    at_us: int
    readings: int = 0
    stored_bytes: int = 0
    max_bytes: int = 0
    oldest_us: int | None = None
    dropped_readings: int = 0
    fault: str = ""

    def encode(self) -> bytes:
        """The message.

        Examples
        --------
        >>> SpoolState(at_us=5, readings=2, oldest_us=3).encode()[:41]
        b'{"gateway_status":{"at_us":5,"readings":2'
        """
        said = {**asdict(self), "fault": self.fault[:_FAULT_CHARACTERS]}
        return PREFIX + json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode() + b"}"

    @classmethod
    def decode(cls, message: bytes) -> Self | None:
        """State in a message; None where it is none.

        Examples
        --------
        >>> state = SpoolState(at_us=5, readings=2, fault="no broker")
        >>> SpoolState.decode(state.encode()) == state, SpoolState.decode(b'{"gateway_status":{"at_us":-1}}')
        (True, None)
        """
        try:
            said = json.loads(message)["gateway_status"]
            facts = {name: _whole(said.get(name, 0)) for name in ("at_us", "readings", "stored_bytes", "max_bytes")}
            oldest = said.get("oldest_us")
            return cls(
                **facts,
                oldest_us=None if oldest is None else _whole(oldest),
                dropped_readings=_whole(said.get("dropped_readings", 0)),
                fault=str(said.get("fault", "")).replace("\0", "")[:_FAULT_CHARACTERS],
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def _whole(number: Any) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < _LARGEST:
        raise ValueError(number)
    return number
