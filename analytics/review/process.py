"""The course of a review (能源计量审查): planned, opened, items recorded, concluded, corrected, checked again, closed.

A step is refused where the state does not allow it or something is missing. Terms are in working days and are data.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from analytics.alerting.workdays import Calendar
from analytics.domain.errors import MeterwardenError
from analytics.domain.words import Phrases, phrases

__all__ = [
    "CONCLUSIONS", "ORIGINS", "RESULTS", "STATES", "Recorded", "Review", "ReviewRefused", "Terms", "concluded",
    "corrected", "handed_over", "opened", "rechecked", "signed", "unfinished",
]  # fmt: skip


class ReviewRefused(MeterwardenError):  # noqa: N818 - named after what is the matter
    """A step that a review does not allow now, or that lacks something."""


STATES: Final[Phrases] = phrases(
    planned=("列入计划", "planned"),
    open=("审查中", "under review"),
    correcting=("限期整改", "to be corrected"),
    recheck=("待复查", "to be checked again"),
    closed=("办结", "closed"),
    handed_over=("移送处理", "handed over"),
)
ORIGINS: Final[Phrases] = phrases(
    plan=("年度计划", "plan"),
    draw=("随机抽查", "drawn by lot"),
    other=("其他", "other"),
    self_check=("年度自查", "self-check"),
)
CONCLUSIONS: Final[Phrases] = phrases(
    meets=("符合要求", "meets the requirements"),
    basic=("基本符合要求，需整改", "basically meets, to be corrected"),
    fails=("不符合要求", "does not meet the requirements"),
)
RESULTS: Final[Phrases] = phrases(
    **{"pass": ("符合", "conforms")},
    fail=("不符合", "does not conform"),
    not_applicable=("不适用", "not applicable"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Deadlines of the steps. [working days]"""

    correction: int
    recheck: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Result of one item on site."""

    result: str
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """State of a review.

    Attributes
    ----------
    due : date or None
        Until when the unit corrects, or the authority checks again.
    due_certain : bool
        Whether the calendar knows the holidays of the years counted through.
    """

    state: str = "planned"
    leader: str = ""
    members: tuple[str, ...] = ()
    visited_on: date | None = None
    conclusion: str = ""
    failed: int = 0
    concluded_on: date | None = None
    due: date | None = None
    due_certain: bool = True
    corrected_on: date | None = None
    rechecked_on: date | None = None
    closed_on: date | None = None
    reason: str = ""


def _must_be(review: Review, *states: str) -> None:
    if review.state not in states:
        allowed = " or ".join(STATES[one].en for one in states)
        raise ReviewRefused(f"the review must be {allowed} for that (it is {STATES[review.state].en})")


def opened(review: Review, leader: str, members: Sequence[str], day: date) -> Review:
    """The review of a team that visits on a day; again for another team or day."""
    _must_be(review, "planned", "open")
    people = [one.strip() for one in (leader, *members)]
    if not all(people) or len(set(people)) != len(people) or len(people) < 2:
        raise ReviewRefused(f"a team must have a leader and one member or more, each once (got {', '.join(people)})")
    return replace(review, state="open", leader=people[0], members=tuple(people[1:]), visited_on=day)


def unfinished(items: Mapping[int, bool], recorded: Mapping[int, Recorded], refuted: Collection[int]) -> list[str]:
    """What is missing before the review can be concluded.

    Parameters
    ----------
    items : mapping of int to bool
        Items of the sheet, and whether each may be "not applicable".
    recorded : mapping of int to Recorded
    refuted : collection of int
        Items that data show not to conform: who records that they do says why.
    """
    faults = []
    missing = [str(number) for number in items if number not in recorded]
    if missing:
        faults.append(f"items must all be recorded (missing: {', '.join(missing)})")
    for number, one in sorted(recorded.items()):
        if one.result == "not_applicable" and not items.get(number, False):
            faults.append(f"item {number} must not be 'not applicable'")
        if one.result == "pass" and number in refuted and not one.remark.strip():
            faults.append(f"item {number} must have a remark: data show that it does not conform (recorded: it does)")
        if one.result == "fail" and not one.remark.strip():
            faults.append(f"item {number} must have a remark on what does not conform")
    return faults


def concluded(
    review: Review,
    items: Mapping[int, bool],
    recorded: Mapping[int, Recorded],
    refuted: Collection[int],
    *,
    basic_up_to: int,
    day: date,
    terms: Terms,
    calendar: Calendar,
) -> Review:
    """The review with its conclusion; what does not conform is corrected within the term."""
    _must_be(review, "open")
    if review.visited_on is None or review.visited_on > day:
        raise ReviewRefused(f"the conclusion must not be of before the visit, {review.visited_on} (got {day})")
    faults = unfinished(items, recorded, refuted)
    if faults:
        raise ReviewRefused("\n".join(faults))
    failed = sum(one.result == "fail" for one in recorded.values())
    conclusion = "meets" if failed == 0 else "basic" if failed <= basic_up_to else "fails"
    after = replace(review, conclusion=conclusion, failed=failed, concluded_on=day)
    if failed == 0:
        return replace(after, state="closed", closed_on=day)
    due = calendar.after(day, terms.correction)
    return replace(after, state="correcting", due=due.day, due_certain=due.certain)


def corrected(review: Review, day: date, terms: Terms, calendar: Calendar) -> Review:
    """The unit says that it has corrected; the authority checks again within the term."""
    _must_be(review, "correcting")
    due = calendar.after(day, terms.recheck)
    return replace(review, state="recheck", corrected_on=day, due=due.day, due_certain=due.certain)


def rechecked(review: Review, *, passed: bool, day: date, terms: Terms, calendar: Calendar) -> Review:
    """Checked again: closed where everything was corrected, else corrected within another term."""
    _must_be(review, "recheck")
    if review.corrected_on is not None and day < review.corrected_on:
        raise ReviewRefused(f"the re-check must not be of before the correction, {review.corrected_on} (got {day})")
    if passed:
        return replace(review, state="closed", rechecked_on=day, closed_on=day, due=None, due_certain=True)
    due = calendar.after(day, terms.correction)
    return replace(review, state="correcting", rechecked_on=day, due=due.day, due_certain=due.certain)


def signed(
    review: Review, items: Mapping[int, bool], recorded: Mapping[int, Recorded], *, basic_up_to: int, by: str, day: date
) -> Review:
    """A self-check with its conclusion, signed by who answers for it in the enterprise."""
    _must_be(review, "planned", "open")
    faults = unfinished(items, recorded, ())
    if faults:
        raise ReviewRefused("\n".join(faults))
    failed = sum(one.result == "fail" for one in recorded.values())
    conclusion = "meets" if failed == 0 else "basic" if failed <= basic_up_to else "fails"
    return replace(
        review, state="closed", leader=by, conclusion=conclusion, failed=failed, concluded_on=day, closed_on=day
    )


def handed_over(review: Review, reason: str, day: date) -> Review:
    """Handed over to those who punish: a unit that has not corrected in time, or refuses (by whoever may decide it)."""
    _must_be(review, "open", "correcting", "recheck")
    if not reason.strip():
        raise ReviewRefused("a reason must be given for handing over (got nothing)")
    return replace(review, state="handed_over", reason=reason.strip(), closed_on=day, due=None, due_certain=True)
