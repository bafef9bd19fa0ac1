"""Reading of the files of channels, calendars and rules that the settings name."""

import stat
from pathlib import Path
from typing import Final

from analytics.domain.errors import ConfigurationError
from deploy.settings import Settings

__all__ = ["channels_text", "read_text"]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


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


def read_text(path: Path, what: str) -> str:
    """A text file that somebody named."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{what} must name a readable text file (got {path}: {error})") from None
