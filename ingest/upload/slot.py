"""The daily slot that a platform gives with the registration, and what is done until all is acknowledged."""

import logging
import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Final

from analytics.domain.errors import ConfigurationError, MeterwardenError

__all__ = ["begin_of", "keep_uploading", "next_slot", "slot_of"]

log = logging.getLogger("metering.upload")

_FORM: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_FIRST_PAUSE_S: Final = 60.0
_LONGEST_PAUSE_S: Final = 3600.0
_LOOK_S: Final = 60.0  # somebody may set the clock


def slot_of(text: str) -> time:
    """Time of day in a text.

    Examples
    --------
    >>> slot_of("01:38:00"), slot_of("8:30")
    (datetime.time(1, 38), datetime.time(8, 30))
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ConfigurationError(f"a daily slot must be a time such as 01:38:00 (got {text!r})")
    return time(int(found[1]), int(found[2]), int(found[3] or 0))


def next_slot(slot: time, after: datetime) -> datetime:
    """The next instant of a daily slot, later than `after`; both local time of the site."""
    today = datetime.combine(after.date(), slot)
    return today if today > after else today + timedelta(days=1)


def begin_of(first: datetime, last_end: datetime, midnight: datetime) -> datetime:
    """From when on a run looks at the data again: a month must be whole to be sent, and some hours come late.

    Parameters
    ----------
    first : datetime
        Where the first run began: what was before is not sent.
    last_end : datetime
        Where the last run ended: days that nobody ran are not left out.
    midnight : datetime
        Of today. All are local.

    Examples
    --------
    >>> today = datetime(2026, 12, 1)
    >>> begin_of(datetime(2026, 3, 5), datetime(2026, 11, 30), today), begin_of(datetime(2026, 11, 20), today, today)
    (datetime.datetime(2026, 11, 1, 0, 0), datetime.datetime(2026, 11, 20, 0, 0))
    """
    month_before = (midnight.replace(day=1) - timedelta(days=1)).replace(day=1)
    return max(first, min(month_before, last_end - timedelta(days=1)))


def keep_uploading(
    once: Callable[[], bool],
    slot: Callable[[], time | None],
    *,
    now: Callable[[], datetime],
    wait: Callable[[float], bool],
) -> None:
    """Upload every day at its slot, and again until all is acknowledged, with growing pauses, until `wait` says stop.

    Parameters
    ----------
    once : callable
        Uploads what is there; whether nothing waits any more.
    slot : callable
        The slot; None where none is known yet: then it is uploaded at once, which registers.
    now : callable
        Local time of the site, without an offset.
    wait : callable
        Waits so many seconds; whether to stop. [s]
    """
    while True:
        known = slot()
        due = now() if known is None else next_slot(known, now())
        while (left_s := (due - now()).total_seconds()) > 0:
            if wait(min(left_s, _LOOK_S)):
                return
        pause_s = _FIRST_PAUSE_S
        while not _tried(once):
            if wait(pause_s):
                return
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        if slot() is None:
            raise ConfigurationError("slot must be in [platform], where the platform gives no uploadTime (got neither)")


def _tried(once: Callable[[], bool]) -> bool:
    try:
        return once()
    except MeterwardenError as error:
        log.warning("upload: tried again later: %s", error)
        return False
