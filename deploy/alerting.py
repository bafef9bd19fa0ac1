"""What the settings say to those who raise, send and answer alerts."""

import stat
from pathlib import Path
from typing import Final

from analytics.domain.errors import ConfigurationError
from deploy.settings import Settings
from deploy.stack.places import Places
from streams.alerts.config import AlertConfig, read_calendar, shipped_calendar

__all__ = ["alert_config", "channels_text", "link_secret", "read_text"]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def alert_config(settings: Settings) -> AlertConfig:
    """Zone, links and working days."""
    path = settings.alerts.calendar
    calendar = shipped_calendar() if path is None else read_calendar(read_text(path, "METERWARDEN_CALENDAR"), str(path))
    return AlertConfig(zone=settings.zone, board_url=settings.alerts.board_url, calendar=calendar)


def channels_text(settings: Settings) -> str:
    """The channels' file; it holds secrets, so others may not read it."""
    path = settings.alerts.channels
    if path is None:
        raise ConfigurationError("the sender needs METERWARDEN_CHANNELS, a file of channels (it is not set)")
    text = read_text(path, "METERWARDEN_CHANNELS")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS:
        raise ConfigurationError(f"{path} must be readable by its owner alone: chmod 600 (got {mode:o})")
    return text


def link_secret(settings: Settings) -> bytes:
    """What links are signed with, made at first use."""
    return Places.of(settings).secret("links").encode()


def read_text(path: Path, what: str) -> str:
    """A text file that somebody named."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{what} must name a readable text file (got {path}: {error})") from None
