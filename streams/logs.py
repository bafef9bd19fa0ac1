"""Logs as one JSON object a line, so that a machine can read what a worker says and a person still can."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

__all__ = ["JsonLines", "log_to"]

_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName"}


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
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to(stream: TextIO = sys.stderr, *, level: int = logging.INFO) -> None:
    """Send everything of `metering.*`, and warnings of all others, to a stream."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("metering").setLevel(level)
