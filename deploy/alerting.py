"""Alert configuration built from the settings."""

from collections.abc import Callable

from deploy.channels import read_text
from deploy.settings import Settings
from deploy.stack.places import Places
from streams.alerts.config import AlertConfig, read_calendar, shipped_calendar

__all__ = ["alert_config", "link_secret"]


def alert_config(settings: Settings) -> AlertConfig:
    """Zone, links and working days."""
    path = settings.alerts.calendar
    calendar = shipped_calendar() if path is None else read_calendar(read_text(path, "METERWARDEN_CALENDAR"), str(path))
    board = settings.alerts.board_url or (f"{settings.pages.url}/alerts/{{alert}}" if settings.pages.url else "")
    return AlertConfig(zone=settings.zone, board_url=board, calendar=calendar)


def link_secret(settings: Settings) -> Callable[[], bytes]:
    """Current secret for signing links, created at first use.

    It is read each time, so that sender and API follow a secret that was changed.
    """
    places = Places.of(settings)
    places.secret("links")
    return lambda: places.known_secret("links").encode()
