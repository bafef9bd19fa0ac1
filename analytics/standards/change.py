"""Changes of findings between two days, and the meters that caused them."""

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.domain.finding import Finding, Verdict

__all__ = ["Change", "changes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One changed finding.

    Attributes
    ----------
    better : bool
        True if it was resolved or improved, False if it is new or worse.
    finding : Finding
        The present finding, or the former one if it is gone.
    meters, points : tuple of str
        Which the change comes from.
    """

    better: bool
    finding: Finding
    meters: tuple[str, ...]
    points: tuple[str, ...]


def changes(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[Change, ...]:
    """Changes between the findings of one unit on two days.

    Parameters
    ----------
    before, after : sequence of Finding
        Of the same unit.
    """
    failed_before = {one.key: one for one in before if one.verdict is Verdict.FAIL}
    failed_after = {one.key: one for one in after if one.verdict is Verdict.FAIL}
    found = []
    for key, now in failed_after.items():
        was = failed_before.get(key)
        if was is None:
            found.append(Change(better=False, finding=now, meters=now.meters, points=now.points))
            continue
        for better, more, less in ((False, now, was), (True, was, now)):
            meters = tuple(one for one in more.meters if one not in less.meters)
            points = tuple(one for one in more.points if one not in less.points)
            if meters or points:
                found.append(Change(better=better, finding=now, meters=meters, points=points))
    for key, was in failed_before.items():
        if key not in failed_after:
            found.append(Change(better=True, finding=was, meters=was.meters, points=was.points))
    return tuple(found)
