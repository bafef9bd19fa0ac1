"""Logs as one JSON object a line, so that a machine can read what a worker says and a person still can.

What is logged again and again is logged at once and then counted: a server that is away for a day fills no disk. What
Kafka's clients say of it (thousands of lines that all mean that it does not answer) is one sentence with what to do.
"""

import json
import logging
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

__all__ = ["LOG_BYTES", "JsonLines", "Sparing", "log_to", "put_aside"]

LOG_BYTES: Final = 16 * 2**20
"""A log of an instance is put aside when it is larger; a part has six of them at most. [byte]"""
_KEPT: Final = 5
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}

_EVERY_S: Final = 60.0
_AT_ONCE: Final = 5
"""Our own messages are logged this many times before repeats are only counted; those of libraries once."""
_KEYS: Final = 1000

_AWAY: Final = (
    "Kafka does not answer; it is asked again until it does, and nothing is lost meanwhile "
    "(`meterwarden status` shows whether it runs)"
)
_GROUP: Final = (
    "the worker is out of touch with its group: another may take its partitions, and nothing is lost or stored twice; "
    "where this comes again and again, the machine or the network is too slow for the session of the group"
)
_LEFT: Final = "a connection that broke off was thrown away unfinished; nothing has to be done"
_NO_ANSWER: Final = (
    r"Unable connect|Unable to update metadata|No node|NodeNotReady|Connection (failed|lost|at)|ECONNREFUSED"
    r"|Connect(ion)?Error|Connect call failed|disconnected|oordinator dead|[Cc]oordinator .*not (available|valid)"
    r"|Metadata refresh|NotAvailable|Timer commit is overlapping|Request failed|RequestTimedOut"
)
_MEANINGS: Final = tuple(
    (re.compile(loggers), re.compile(words), meaning)
    for loggers, words, meaning in (
        (r"aiokafka|kafka|faust|mode", r"Heartbeat|heartbeat|session expired", _GROUP),
        (
            r"aiokafka|kafka|faust|mode",
            _NO_ANSWER,
            _AWAY,
        ),
        (r"asyncio", r"Unclosed AIOKafka|Task was destroyed but it is pending", _LEFT),
    )
)
"""What others' messages mean: loggers, words, and the sentence instead; their own words stay beside it, as ``said``."""


class JsonLines(logging.Formatter):
    """Formatter: time (UTC), level, logger, message, whatever `extra` carries, and the traceback.

    Examples
    --------
    >>> record = logging.LogRecord("metering.lane", logging.INFO, "", 0, "stored %d", (7,), None)
    >>> record.partition = 3
    >>> line = json.loads(JsonLines().format(record))
    >>> line["logger"], line["message"], line["partition"]
    ('metering.lane', 'stored 7', 3)
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        said, meaning = record.getMessage(), _meaning(record)
        line |= {"message": meaning, "said": said} if meaning else {"message": said}
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info and not meaning:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


@dataclass(slots=True)
class _Said:
    """A message being counted: since when, how often, and its latest record."""

    since: float
    last: logging.LogRecord
    shown: int = 1
    held: int = 0


class Sparing(logging.StreamHandler[TextIO]):
    """Log handler that emits new messages at once, and repeats as a count once a minute.

    Parameters
    ----------
    stream : TextIO
    limit_bytes : int
        Where the stream is a file that becomes larger, the file is put aside and a new one begun; 0 for never. Every
        output of this process into that file goes on in the new one.
    clock : callable
        Monotonic. [s]
    """

    def __init__(self, stream: TextIO, *, limit_bytes: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._said: dict[tuple[object, ...], _Said] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Log it, or count it."""
        now, key = self._clock(), _key(record)
        self._tell_counts(now)
        known = self._said.get(key)
        if known is None:
            if len(self._said) >= _KEYS:
                self._tell_counts(float("inf"))
            self._said[key] = _Said(now, record)
            self._write(record)
        elif known.shown < _at_once(record):
            known.shown += 1
            self._write(record)
        else:
            known.held, known.last = known.held + 1, record
            self._look_later()

    def close(self) -> None:
        """Log what was counted, and end."""
        with self.lock or threading.RLock():
            if self._timer is not None:
                self._timer.cancel()
            if not self.stream.closed:
                self._tell_counts(float("inf"))
        super().close()

    def _tell_counts(self, now: float) -> None:
        """Log how often it came again, of what was logged more than a minute ago; what came no more is forgotten."""
        for key, said in [(key, said) for key, said in self._said.items() if now - said.since >= _EVERY_S]:
            if not said.held:
                del self._said[key]
                continue
            record = logging.makeLogRecord({**vars(said.last), "repeated": said.held})
            self._said[key] = _Said(now, said.last, shown=said.shown)
            self._write(record)

    def _look_later(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(_EVERY_S, self._look)
            self._timer.daemon = True
            self._timer.start()

    def _look(self) -> None:
        self.acquire()
        try:
            self._timer = None
            self._tell_counts(self._clock())
            if any(said.held for said in self._said.values()):
                self._look_later()
        finally:
            self.release()

    def _write(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if self._limit_bytes:
            self._begin_anew_when_large()

    def _begin_anew_when_large(self) -> None:
        try:
            handle = self.stream.fileno()
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size < self._limit_bytes:
                return
            log = Path(f"/proc/self/fd/{handle}").readlink()
            put_aside(log)
            new = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, stat.S_IMODE(facts.st_mode))
            for number in {1, 2, handle}:  # what Python itself and libraries print goes there too
                if _same(number, facts):
                    os.dup2(new, number)
            os.close(new)
        except (OSError, ValueError):  # a full disk, a folder that is gone: the old file goes on
            return


def put_aside(log: Path) -> None:
    """Move a log out of the way of a new one; the last five are kept."""
    if not log.exists() or log.stat().st_size == 0:
        return
    for number in range(_KEPT - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))


def log_to(stream: TextIO = sys.stderr, *, level: int = logging.INFO, limit_bytes: int = 0) -> None:
    """Send everything of `metering.*`, and warnings of all others, to a stream; see `Sparing`."""
    handler = Sparing(stream, limit_bytes=limit_bytes)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("metering").setLevel(level)


def _meaning(record: logging.LogRecord) -> str:
    """What somebody else's message means; empty for ours, and for what nobody has met."""
    if record.name.startswith("metering"):
        return ""
    said = record.getMessage()
    for loggers, words, meaning in _MEANINGS:
        if loggers.match(record.name) and words.search(said):
            return meaning
    return ""


def _key(record: logging.LogRecord) -> tuple[object, ...]:
    """What makes two records the same: their meaning; or logger, level, template and first number (a partition)."""
    meaning = _meaning(record)
    if meaning:
        return (meaning,)
    arguments = record.args if isinstance(record.args, tuple) else ()
    first = arguments[0] if arguments and isinstance(arguments[0], int) else None
    return (record.name, record.levelno, re.sub(r"\d+", "#", str(record.msg)), first)


def _at_once(record: logging.LogRecord) -> int:
    return _AT_ONCE if record.name.startswith("metering") else 1


def _same(number: int, facts: os.stat_result) -> bool:
    try:
        other = os.fstat(number)
    except OSError:
        return False
    return (other.st_dev, other.st_ino) == (facts.st_dev, facts.st_ino)
