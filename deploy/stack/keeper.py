"""Who brings parts back that ended: a small process of the instance, started by `up` and stopped first by `down`."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from deploy.settings import Settings
from deploy.stack.daemon import Daemon, own_environment
from deploy.stack.part import PartStatus
from deploy.stack.places import Places

__all__ = ["PAUSES_S", "Hearing", "KeeperPart", "Patience"]

_MODULE: Final = "deploy.keeper"
_STATE: Final = "keeper.state"
PAUSES_S: Final = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
"""Delays before a part that ended is restarted: the first time, the second time … [s]"""
_SOUND_S: Final = 120.0
"""After running this long, an end counts as the first. [s]"""


@dataclass(slots=True)
class _Part:
    ended: int = 0
    """How often on end, without a sound time between."""
    next_at: float = 0.0
    """By the clock that pauses go by; 0.0 while it runs."""
    shown_at: float = 0.0
    """The same instant as people have it. [s since 1970-01-01 UTC]"""
    started_at: float = 0.0
    back: int = 0
    back_at: float = 0.0
    trouble: str = ""


@dataclass(slots=True)
class Patience:
    """When what ended is started again, so that nothing ends and starts all the time.

    Parameters
    ----------
    clock : callable
        What pauses go by: it never jumps, as a clock on the wall does that is set. [s]
    wall : callable
        [s since 1970-01-01 UTC]

    Examples
    --------
    >>> now = [1000.0]
    >>> patience = Patience(clock=lambda: now[0])
    >>> patience.due("kafka"), patience.wait_s("kafka")
    (False, 1.0)
    >>> now[0] += 1.0
    >>> patience.due("kafka")
    True
    """

    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    parts: dict[str, _Part] = field(default_factory=dict)

    def due(self, name: str) -> bool:
        """Whether a part that is down shall be started now; the first answer begins its pause."""
        part, now = self.parts.setdefault(name, _Part()), self.clock()
        if not part.next_at:
            if part.started_at and now - part.started_at > _SOUND_S:
                part.ended = 0
            part.started_at = 0.0
            pause_s = PAUSES_S[min(part.ended, len(PAUSES_S) - 1)]
            part.next_at, part.shown_at = now + pause_s, self.wall() + pause_s
            part.ended += 1
        return now >= part.next_at

    def wait_s(self, name: str) -> float:
        """How long it is until then. [s]"""
        return max(self.parts[name].next_at - self.clock(), 0.0)

    def started(self, name: str) -> None:
        """Take note that it was started."""
        part = self.parts[name]
        part.next_at, part.trouble, part.started_at = 0.0, "", self.clock()
        part.back, part.back_at = part.back + 1, self.wall()

    def failed(self, name: str, trouble: str) -> None:
        """Take note that it could not be started, and begin a longer pause."""
        part = self.parts[name]
        part.next_at, part.trouble = 0.0, trouble
        self.due(name)

    def there(self, names: Iterable[str]) -> None:
        """Forget the pauses of parts that run again without us."""
        for name, part in self.parts.items():
            if name in names and part.next_at:
                part.next_at, part.trouble = 0.0, ""

    def facts(self) -> dict[str, Any]:
        """What `status` is told."""
        return {
            name: {
                "back": part.back,
                "back_at": part.back_at,
                "next_at": part.shown_at if part.next_at else 0.0,
                "trouble": part.trouble,
            }
            for name, part in self.parts.items()
        }


@dataclass(slots=True)
class Hearing:
    """Which processes run and answer no longer, though they did once: threads of theirs have died, or all stand.

    Parameters
    ----------
    patience_s : float
        So long one may not answer. [s]
    clock : callable
        [s]

    Examples
    --------
    >>> now = [0.0]
    >>> hearing = Hearing(patience_s=60.0, clock=lambda: now[0])
    >>> hearing.deaf("kafka", 4711, answers=False), hearing.deaf("kafka", 4711, answers=True)
    (False, False)
    >>> hearing.deaf("kafka", 4711, answers=False)
    False
    >>> now[0] += 60.0
    >>> hearing.deaf("kafka", 4711, answers=False)
    True
    """

    patience_s: float = 60.0
    clock: Callable[[], float] = time.monotonic
    heard: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Pid and time of the last answer."""

    def deaf(self, name: str, pid: int, *, answers: bool) -> bool:
        """Whether a process shall be ended; one that never answered yet still starts, however long that takes."""
        now = self.clock()
        if answers:
            self.heard[name] = (pid, now)
        known = self.heard.get(name)
        return known is not None and known[0] == pid and now - known[1] >= self.patience_s


class KeeperPart:
    """The keeper of an instance, as the stack sees it; it runs as who calls `up`."""

    name = "keeper"

    def __init__(self, settings: Settings, places: Places) -> None:
        self._settings = settings
        self._places = places
        tag = f"--instance={places.home}#keeper"
        self._command = [sys.executable, "-m", _MODULE, tag]
        self._daemon = Daemon(
            self.name, places, where=places.run, belongs=lambda _, command: tag in command, own_account=False
        )

    def check(self) -> None:
        """Nothing to refuse."""

    def start(self) -> bool:
        """Start it anew, for it goes by the settings that it was started with; not where it is switched off."""
        ran = self._daemon.stop(signal.SIGTERM, self._settings.stop_timeout_s)
        if self._settings.keeper == "off":
            return False
        self.state.unlink(missing_ok=True)
        self._daemon.start(self._command, environ=own_environment(self._settings))
        return not ran

    def ready(self) -> None:
        """Wait until it watches."""
        if self._settings.keeper == "on":
            self._daemon.ready(self.state.exists, self._settings.start_timeout_s)

    def stop(self) -> bool:
        """Stop it; a part that it is starting is started."""
        return self._daemon.stop(signal.SIGTERM, self._settings.stop_timeout_s)

    def kill(self) -> list[int]:
        """Kill it at once."""
        return self._daemon.kill()

    @property
    def state(self) -> Path:
        """Where it writes what it does."""
        return self._places.run / _STATE

    def write_state(self, facts: Mapping[str, Any]) -> None:
        """Write it, all or nothing."""
        draft = self.state.with_suffix(".new")
        draft.write_text(json.dumps(facts), encoding="utf-8")
        draft.replace(self.state)

    def status(self) -> PartStatus:
        """What it did and what it waits for."""
        process = self._daemon.process()
        if self._settings.keeper == "off":
            return PartStatus(name=self.name, healthy=process is None, detail="not asked for")
        facts = self._facts()
        waits = any(part["next_at"] for part in facts.values())
        return PartStatus(
            name=self.name,
            healthy=process is not None and not waits,
            pids=(process.pid,) if process else (),
            detail=self._told(facts) if process else "does not run",
        )

    def _facts(self) -> dict[str, dict[str, Any]]:
        try:
            found: dict[str, dict[str, Any]] = json.loads(self.state.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def _told(self, facts: Mapping[str, Mapping[str, Any]]) -> str:
        told = []
        for name, part in facts.items():
            if part["next_at"]:
                told.append(f"starts {name} at {self._clock(part['next_at'])}: {part['trouble'] or 'it ended'}")
            elif part["back"]:
                told.append(f"brought {name} back {part['back']} times, last at {self._clock(part['back_at'])}")
        return "; ".join(told) or "all parts run"

    def _clock(self, at_s: float) -> str:
        return f"{datetime.fromtimestamp(at_s, self._settings.zone):%Y-%m-%d %H:%M:%S}"
