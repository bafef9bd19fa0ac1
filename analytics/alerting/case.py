"""A case from the alert to its end: ``(case, action) -> case``, the day and the calendar being arguments.

::

    open ─dispatch─► dispatched ─arrive─► on_site ─verdict─► verdict ─order─► ordered ─corrected─► recheck ─pass─┐
                                                                │                ▲                    │         ▼
                                                                │                └───────fail─────────┘    closed
                                                                └─close (a faulty meter: only with a note)──────▲

A verdict may come straight from an open or dispatched case: who gives it was there. Every step is an event with who,
when and what; nothing is ever taken back, a wrong verdict is followed by another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from analytics.alerting.workdays import Calendar, Deadline
from analytics.domain.errors import MeterwardenError
from analytics.domain.words import SITE_VERDICTS

__all__ = ["ACTIONS", "Action", "Case", "CaseRefused", "Terms", "act", "allowed", "opened"]


class CaseRefused(MeterwardenError):  # noqa: N818 - named after what happened
    """A step that the case does not allow, or that lacks what it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Working days that each step has. [d]"""

    dispatch: int = 1
    visit: int = 3
    verdict: int = 3
    decide: int = 5
    correct: int = 30
    recheck: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """State of a case: where it stands, since when, and what is due next."""

    state: str
    assignee: str = ""
    verdict: str = ""
    found_on: date | None = None
    verdict_at: datetime | None = None
    due: Deadline | None = None
    closed_at: datetime | None = None
    energy_recovered: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One step: what, when, by whom, and what it needs."""

    name: str
    at: datetime
    today: date
    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


_FROM: Final = MappingProxyType(
    {
        "dispatch": frozenset({"open", "dispatched"}),
        "arrive": frozenset({"open", "dispatched"}),
        "verdict": frozenset({"open", "dispatched", "on_site", "verdict"}),
        "order": frozenset({"verdict"}),
        "corrected": frozenset({"ordered"}),
        "pass": frozenset({"recheck"}),
        "fail": frozenset({"recheck"}),
        "close": frozenset({"verdict"}),
        "hand_over": frozenset({"open", "dispatched", "on_site", "verdict", "ordered", "recheck"}),
        "comment": frozenset({"open", "dispatched", "on_site", "verdict", "ordered", "recheck", "closed"}),
        "attach": frozenset({"open", "dispatched", "on_site", "verdict", "ordered", "recheck", "closed"}),
    }
)
ACTIONS: Final = tuple(_FROM)
"""Names of all steps, in the order in which a case goes through them."""


def allowed(state: str) -> tuple[str, ...]:
    """Steps that a state allows.

    Examples
    --------
    >>> allowed("recheck")
    ('pass', 'fail', 'hand_over', 'comment', 'attach')
    """
    return tuple(name for name, states in _FROM.items() if state in states)


def opened(today: date, calendar: Calendar, terms: Terms) -> Case:
    """A new case."""
    return Case(state="open", due=calendar.after(today, terms.dispatch))


def act(case: Case, action: Action, *, calendar: Calendar, terms: Terms) -> Case:
    """The case after a step.

    Parameters
    ----------
    case : Case
    action : Action
    calendar : Calendar
        Which days deadlines count.
    terms : Terms

    Raises
    ------
    CaseRefused
    If the state does not allow the step, or the step lacks something; the message says which.
    """
    if action.name not in _FROM:
        raise CaseRefused(f"a step must be one of {', '.join(ACTIONS)} (got {action.name!r})")
    if case.state not in _FROM[action.name]:
        raise CaseRefused(
            f"a case that is {case.state} must be given one of {', '.join(allowed(case.state))} (got {action.name})"
        )
    facts = action.facts
    match action.name:
        case "dispatch" | "hand_over":
            after = replace(case, assignee=_required(facts, "assignee", "the login of who goes there"))
            if action.name == "dispatch":
                after = replace(after, state="dispatched", due=calendar.after(action.today, terms.visit))
        case "arrive":
            after = replace(case, state="on_site", due=calendar.after(action.today, terms.verdict))
        case "verdict":
            after = _verdict(case, action, calendar, terms)
        case "order" | "fail":
            days = facts.get("days", terms.correct if action.name == "order" else terms.recheck)
            after = replace(case, state="ordered", due=calendar.after(action.today, _days(days)))
        case "corrected":
            after = replace(case, state="recheck", due=calendar.after(action.today, terms.recheck))
        case "pass" | "close":
            after = _closed(case, action)
        case _:
            after = case
    return after


def _verdict(case: Case, action: Action, calendar: Calendar, terms: Terms) -> Case:
    verdict = _required(action.facts, "verdict", f"one of {', '.join(SITE_VERDICTS)}")
    if verdict not in SITE_VERDICTS:
        raise CaseRefused(f"verdict must be one of {', '.join(SITE_VERDICTS)} (got {verdict!r})")
    found_on = action.facts.get("found_on", action.today)
    if not isinstance(found_on, date) or found_on > action.today:
        raise CaseRefused(f"found_on must be a day up to {action.today} (got {found_on!r})")
    return replace(
        case,
        state="verdict",
        verdict=verdict,
        found_on=found_on,
        verdict_at=action.at,
        due=calendar.after(action.today, terms.decide),
    )


def _closed(case: Case, action: Action) -> Case:
    if action.name == "close" and case.verdict == "faulty" and not action.note.strip():
        raise CaseRefused("a faulty meter must be ordered to be corrected, or closed with a note why not (got no note)")
    energy = action.facts.get("energy_recovered")
    if energy is not None and (
        isinstance(energy, bool) or not isinstance(energy, int | float) or not 0 <= energy < 1e15
    ):
        raise CaseRefused(f"energy_recovered must be an amount of 0 or more (got {energy!r})")
    return replace(case, state="closed", due=None, closed_at=action.at, energy_recovered=energy)


def _required(facts: Mapping[str, Any], key: str, what: str) -> str:
    value = facts.get(key)
    if not isinstance(value, str) or not value:
        raise CaseRefused(f"{key} must be {what} (got {value!r})")
    return value


def _days(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 365:
        raise CaseRefused(f"days must be a whole number from 1 to 365 (got {value!r})")
    return value
