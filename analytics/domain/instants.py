"""Lengths of time in microseconds, the unit of every instant in memory: int64 microseconds since 1970-01-01 UTC."""

from typing import Final

__all__ = ["US_PER_DAY", "US_PER_HOUR", "US_PER_MINUTE", "US_PER_SECOND"]

US_PER_SECOND: Final = 1_000_000
US_PER_MINUTE: Final = 60 * US_PER_SECOND
US_PER_HOUR: Final = 60 * US_PER_MINUTE
US_PER_DAY: Final = 24 * US_PER_HOUR
