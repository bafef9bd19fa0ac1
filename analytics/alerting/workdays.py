"""Deadlines in working days, by a calendar that somebody entered: weekends, holidays, and weekends that are worked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

__all__ = ["Calendar", "Deadline", "parse_calendar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A last day, and whether the calendar knows every year that was counted through."""

    day: date
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Which days are worked.

    Attributes
    ----------
    years : frozenset of int
        Years whose holidays are known; in others only weekends are.
    holidays : frozenset of date
        Days off, weekends among them or not.
    workdays : frozenset of date
        Weekend days that are worked.
    """

    years: frozenset[int] = frozenset()
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()

    def works(self, day: date) -> bool:
        """Whether a day is worked.

        Examples
        --------
        >>> calendar = Calendar(years=frozenset({2026}), workdays=frozenset({date(2026, 10, 10)}))
        >>> calendar.works(date(2026, 10, 10)), calendar.works(date(2026, 10, 11))
        (True, False)
        """
        return day in self.workdays or (day.weekday() < 5 and day not in self.holidays)

    def after(self, day: date, count: int) -> Deadline:
        """The day that is `count` working days after `day`, which does not count itself.

        Examples
        --------
        >>> Calendar().after(date(2026, 11, 20), 1)  # a Friday
        Deadline(day=datetime.date(2026, 11, 23), certain=False)
        """
        last = day
        years = {day.year}
        for _ in range(count):
            last += timedelta(days=1)
            while not self.works(last):
                last += timedelta(days=1)
            years.add(last.year)
        return Deadline(day=last, certain=years <= self.years)

    def left(self, today: date, due: date) -> int:
        """Working days from today to a deadline: 0 on its day, negative when it is over.

        Examples
        --------
        >>> friday, monday = date(2026, 11, 20), date(2026, 11, 23)
        >>> Calendar().left(friday, monday), Calendar().left(monday, friday)
        (1, -1)
        """
        if today <= due:
            return sum(self.works(today + timedelta(days=i + 1)) for i in range((due - today).days))
        return -sum(self.works(due + timedelta(days=i + 1)) for i in range((today - due).days))


def parse_calendar(table: Mapping[str, Any]) -> tuple[Calendar, tuple[str, ...]]:
    """A calendar out of a table as TOML gives it, and all that is wrong with it.

    Parameters
    ----------
    table : mapping
        ``[year.2026]`` tables with ``holidays`` and ``workdays``: lists of days, or of two days with ``/`` between.

    Examples
    --------
    >>> calendar, faults = parse_calendar({"year": {"2026": {"holidays": ["2026-05-01/2026-05-05"]}}})
    >>> len(calendar.holidays), faults
    (5, ())
    """
    faults = [f"{key} must be the table year (got {key!r})" for key in table if key != "year"]
    years = table.get("year", {})
    if not isinstance(years, Mapping):
        return Calendar(), (*faults, f"year must be tables [year.2026] (got {years!r})")
    found: dict[str, set[date]] = {"holidays": set(), "workdays": set()}
    known = set()
    for name, rows in years.items():
        if not (name.isdigit() and isinstance(rows, Mapping)):
            faults.append(f"year.{name} must be a table named after a year (got {rows!r})")
            continue
        known.add(int(name))
        for key, days in rows.items():
            if key not in found:
                faults.append(f"year.{name}.{key} must be holidays or workdays (got {key!r})")
                continue
            for text in days if isinstance(days, list) else [days]:
                span = _span(text)
                if not span or any(day.year != int(name) for day in span):
                    faults.append(
                        f"year.{name}.{key} must be days of {name}, 2026-05-01 or 2026-05-01/2026-05-05 (got {text!r})"
                    )
                    continue
                found[key].update(span)
    both = sorted(found["workdays"] & found["holidays"])
    faults += [f"{day} must be a holiday or a workday (got both)" for day in both]
    calendar = Calendar(
        years=frozenset(known), holidays=frozenset(found["holidays"]), workdays=frozenset(found["workdays"])
    )
    return calendar, tuple(faults)


def _span(text: object) -> list[date]:
    try:
        first, _, last = str(text).partition("/")
        begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        return []
    return [begin + timedelta(days=i) for i in range(min((end - begin).days + 1, 366))]
