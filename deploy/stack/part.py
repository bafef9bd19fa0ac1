"""Interface of the parts of the stack, and their status."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Part", "PartStatus"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartStatus:
    """One part as it is now."""

    name: str
    healthy: bool
    external: bool = False
    """Whether it is somebody else's server, only checked by us."""
    pids: tuple[int, ...] = ()
    ports: tuple[int, ...] = ()
    version: str = ""
    detail: str = ""
    """Why it is not healthy, or where it is."""


class Part(Protocol):
    """A server, or the workers."""

    name: str

    def check(self) -> None:
        """Refuse what can be refused before anything starts: a taken port, a short disk, a missing program."""

    def start(self) -> bool:
        """Start what is gone; whether anything had to be started. Does not wait."""

    def ready(self) -> None:
        """Wait until it is healthy; `PartFailed` when it is not in time."""

    def stop(self) -> bool:
        """Stop it cleanly; whether anything ran."""

    def kill(self) -> list[int]:
        """Kill it at once, as a power cut would; the pids that were killed."""

    def status(self) -> PartStatus:
        """How it is now; never raises for a part that is down."""
