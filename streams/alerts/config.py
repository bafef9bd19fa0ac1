"""Settings of raising, sending and answering alerts, fixed at start."""

import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from zoneinfo import ZoneInfo

from analytics.alerting.case import Terms
from analytics.alerting.rule_table import parse_rules
from analytics.alerting.rules import Rules
from analytics.alerting.workdays import Calendar, parse_calendar
from analytics.domain.errors import ConfigurationError
from analytics.domain.toml import parse_toml

__all__ = ["AlertConfig", "read_calendar", "read_rules", "shipped_calendar", "shipped_rules"]


def shipped_rules() -> str:
    """The rules that are in force until some are loaded."""
    return (files("analytics.alerting") / "default_rules.toml").read_text("utf-8")


def shipped_calendar() -> Calendar:
    """The calendar that comes with this version."""
    return read_calendar((files("analytics.alerting") / "calendar.toml").read_text("utf-8"), "calendar.toml")


def read_rules(text: str, source: str) -> Rules:
    """Rules out of TOML; `ConfigurationError` lists every fault at once."""
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} must be TOML (got: {error})") from None
    rules, faults = parse_rules(table)
    if faults:
        raise ConfigurationError(f"{source}: " + "; ".join(map(str, faults)))
    return rules


def read_calendar(text: str, source: str) -> Calendar:
    """A calendar out of TOML; `ConfigurationError` lists every fault at once."""
    try:
        table = parse_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} must be TOML (got: {error})") from None
    calendar, faults = parse_calendar(table)
    if faults:
        raise ConfigurationError(f"{source}: " + "; ".join(faults))
    return calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertConfig:
    """What alerts need to know of the site.

    Attributes
    ----------
    zone : ZoneInfo
        Of quiet hours, days, and times in messages.
    board_url : str
        What messages link to, as `board_link` fills it in; '' for nothing.
    calendar : Calendar
        Working days of deadlines.
    terms : Terms
        How many of them each step of a case has.
    batch : int
        Signals that one transaction takes at most. [1]
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    board_url: str = ""
    calendar: Calendar = field(default_factory=shipped_calendar)
    terms: Terms = field(default_factory=Terms)
    batch: int = 20_000
