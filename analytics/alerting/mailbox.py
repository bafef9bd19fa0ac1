"""Delivery to one recipient: quiet hours, rate limiting and digests.

`deliver` takes posts and returns letters. A letter of one post is a message about one alert; one of several is a
digest. Nothing is thrown away but what took itself back: an alert that was raised and cleared while its raise waited.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics.alerting.lifecycle import Purpose
from analytics.domain.severity import SEVERITIES, Severity

__all__ = ["AddressedNotice", "Habits", "Letter", "Mailbox", "deliver"]

_STRENGTH: Final = {Purpose.UPDATE: 0, Purpose.RAISE: 1, Purpose.ESCALATE: 2, Purpose.CLEAR: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """Quiet hours and rate limit of a recipient.

    Attributes
    ----------
    zone : ZoneInfo
        Whose clock `quiet_from` and `quiet_to` are on.
    quiet_from, quiet_to : time or None
        Quiet hours, half open; over midnight where `quiet_to` is the earlier.
    passes : Severity
        Lowest severity that is delivered during quiet hours too.
    burst : int
        Most letters within `window`; of urgent ones as many, whatever else was sent. [1]
    """

    zone: ZoneInfo
    quiet_from: time | None = None
    quiet_to: time | None = None
    passes: Severity = Severity.SERIOUS
    burst: int = 5
    window: timedelta = timedelta(minutes=10)

    def quiet_until(self, now: datetime) -> datetime | None:
        """When the quiet hours end that `now` lies in; None outside them.

        Examples
        --------
        >>> from datetime import UTC
        >>> night = Habits(zone=ZoneInfo("Asia/Shanghai"), quiet_from=time(22), quiet_to=time(7))
        >>> night.quiet_until(datetime(2026, 11, 22, 15, tzinfo=UTC)).isoformat()
        '2026-11-23T07:00:00+08:00'
        >>> night.quiet_until(datetime(2026, 11, 22, 5, tzinfo=UTC)) is None
        True
        """
        if self.quiet_from is None or self.quiet_to is None or self.quiet_from == self.quiet_to:
            return None
        local = now.astimezone(self.zone)
        clock = local.time().replace(tzinfo=None)
        if self.quiet_from < self.quiet_to:
            quiet, later = self.quiet_from <= clock < self.quiet_to, False
        else:
            quiet, later = clock >= self.quiet_from or clock < self.quiet_to, clock >= self.quiet_from
        if not quiet:
            return None
        end = datetime.combine(local.date() + timedelta(days=int(later)), self.quiet_to, tzinfo=self.zone)
        return max(end, local + timedelta(seconds=1))  # the end may fall into the hour that a clock change skips


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressedNotice:
    """One notice of one alert to this recipient; `first` if it is the first about that alert.

    `urgent` of a serious fault of a meter: it does not wait for room that letters of another kind have taken.
    """

    alert: str
    purpose: Purpose
    severity: Severity
    level: int
    at: datetime
    first: bool = False
    urgent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Posts that are sent as one message, the most severe first."""

    posts: tuple[AddressedNotice, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """State of one recipient: waiting posts, times of recent letters, and when the next may be sent.

    `urgent_at` has the times of those letters that spoke of something urgent.
    """

    waiting: tuple[AddressedNotice, ...] = ()
    left_at: tuple[datetime, ...] = ()
    next_at: datetime | None = None
    urgent_at: tuple[datetime, ...] = ()


def deliver(
    mailbox: Mailbox, posts: Sequence[AddressedNotice], now: datetime, habits: Habits
) -> tuple[Mailbox, tuple[Letter, ...]]:
    """Queue posts and return the letters that may be sent now.

    Parameters
    ----------
    mailbox : Mailbox
    posts : sequence of AddressedNotice
        New ones, in order; empty when only a timer is due.
    now : datetime
    habits : Habits
    """
    waiting = _folded(mailbox.waiting, posts)
    left_at, urgent_at = (  # what lies ahead left before the clock was set back
        tuple(at for at in times if now - habits.window < at <= now) for times in (mailbox.left_at, mailbox.urgent_at)
    )
    quiet_until = habits.quiet_until(now)
    ready = [post for post in waiting if quiet_until is None or _passes(post, habits)]
    room = habits.burst - len(left_at)
    if room <= 0:  # what is urgent waits for its own kind alone
        ready, room = [post for post in ready if post.urgent], habits.burst - len(urgent_at)
    letters: tuple[Letter, ...] = ()
    if ready and room > 0:
        letters = _letters(ready, now, room)
        gone = {post.alert for post in ready}
        waiting = tuple(post for post in waiting if post.alert not in gone)
        left_at += (now,) * len(letters)
        urgent_at += (now,) * sum(any(post.urgent for post in letter.posts) for letter in letters)
    times = urgent_at if any(post.urgent for post in waiting) else left_at
    full_until = times[len(times) - habits.burst] + habits.window if len(times) >= habits.burst else None
    return (
        replace(
            mailbox,
            waiting=waiting,
            left_at=left_at,
            urgent_at=urgent_at,
            next_at=_next(waiting, now, quiet_until, full_until, habits),
        ),
        letters,
    )


def _folded(waiting: Sequence[AddressedNotice], posts: Sequence[AddressedNotice]) -> tuple[AddressedNotice, ...]:
    """At most one post per alert, the most important; a raise and clear both unsent cancel each other."""
    by_alert = {post.alert: post for post in waiting}
    for post in posts:
        earlier = by_alert.get(post.alert)
        if earlier is None:
            by_alert[post.alert] = post
        elif post.purpose is Purpose.CLEAR and earlier.first:
            del by_alert[post.alert]
        else:
            purpose = max(earlier.purpose, post.purpose, key=_STRENGTH.__getitem__)
            by_alert[post.alert] = replace(post, purpose=purpose, first=earlier.first)
    return tuple(by_alert.values())


def _passes(post: AddressedNotice, habits: Habits) -> bool:
    return SEVERITIES.index(post.severity) >= SEVERITIES.index(habits.passes) and post.purpose is not Purpose.CLEAR


def _letters(ready: Sequence[AddressedNotice], now: datetime, room: int) -> tuple[Letter, ...]:
    ordered = sorted(ready, key=lambda post: (-SEVERITIES.index(post.severity), -_STRENGTH[post.purpose]))
    if len(ordered) <= room:
        return tuple(Letter(posts=(post,), at=now) for post in ordered)
    return (Letter(posts=tuple(ordered), at=now),)


def _next(
    waiting: Sequence[AddressedNotice],
    now: datetime,
    quiet_until: datetime | None,
    full_until: datetime | None,
    habits: Habits,
) -> datetime | None:
    if not waiting:
        return None
    times = [full_until] if full_until else []
    if quiet_until is not None and not any(_passes(post, habits) for post in waiting):
        times.append(quiet_until)
    return max(times, default=now + timedelta(seconds=1))
