"""When a message is tried again, and how fast a channel may be used."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

__all__ = ["GIVEN_UP_AFTER", "retry_at", "room_at"]

GIVEN_UP_AFTER: Final = timedelta(days=3)
"""A message that could not be delivered for this long is marked failed; it is kept, and can be sent again."""
_FIRST: Final = timedelta(seconds=10)
_LONGEST: Final = timedelta(hours=1)


def retry_at(failed_at: datetime, attempts: int, *, created_at: datetime, key: bytes) -> datetime | None:
    """Exponential backoff: 10 s after the first failure, doubling up to an hour, plus up to 20 % jitter from `key`.

    Parameters
    ----------
    failed_at : datetime
    attempts : int
        Attempts made so far, the failed one included. [1]
    created_at : datetime
    key : bytes
        Seed of the jitter, so that messages that failed together are not retried together.

    Returns
    -------
    datetime or None
        None where it is given up.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 22, tzinfo=UTC)
    >>> [(retry_at(at, n, created_at=at, key=bytes(1)) - at).total_seconds() for n in (1, 2, 3, 20)]
    [10.0, 20.0, 40.0, 3600.0]
    >>> retry_at(at, 90, created_at=at - timedelta(days=3), key=bytes(1)) is None
    True
    """
    if failed_at - created_at >= GIVEN_UP_AFTER:
        return None
    wait: timedelta = min(_FIRST * float(2 ** min(attempts - 1, 20)), _LONGEST)
    return failed_at + wait * (1 + (key[0] if key else 0) / 255 / 5)


def room_at(sent: Sequence[datetime], now: datetime, *, per_minute: int) -> datetime:
    """When a channel may be used next, after the times it was used.

    Parameters
    ----------
    sent : sequence of datetime
        In rising order.
    per_minute : int
        Most messages in any 60 s. [1]

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 22, tzinfo=UTC)
    >>> sent = [at, at + timedelta(seconds=20)]
    >>> (room_at(sent, at + timedelta(seconds=30), per_minute=2) - at).total_seconds()
    60.0
    >>> room_at(sent, at + timedelta(seconds=30), per_minute=3) == at + timedelta(seconds=30)
    True
    """
    recent = [at for at in sent if at > now - timedelta(minutes=1)]
    if len(recent) < per_minute:
        return now
    return recent[-per_minute] + timedelta(minutes=1)
