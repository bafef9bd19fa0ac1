"""The keeper of an instance: ``python -m deploy.keeper``, started by `meterwarden up`.

Every second it looks which parts `up` started and have ended since (a killed process, a Kafka whose disk was full), and
starts them again with pauses that grow from 1 s to 60 s. What `down` stopped stays down: `down` removes its record.
While `up` or `down` works, the keeper waits. It ends by itself when nothing is left to watch.

A Kafka that has answered and then does not for a minute is ended too, and so comes back.
"""

import logging
import signal
import sys
import threading
import time
from typing import Final

from analytics.domain.errors import ConfigurationError, MeterwardenError
from deploy.private import keep_private
from deploy.settings import load
from deploy.stack import Stack
from deploy.stack.keeper import Hearing, KeeperPart, Patience
from deploy.stack.places import Places
from streams.logs import LOG_BYTES, log_to

__all__ = ["Keeper", "main"]

log = logging.getLogger("metering.keeper")

_EVERY_S: Final = 1.0
_ASK_S: Final = 5.0


class Keeper:
    """See the module's docstring."""

    def __init__(self, stack: Stack, part: KeeperPart, hearing: Hearing | None = None) -> None:
        self._stack = stack
        self._part = part
        self._patience = Patience()
        self._hearing = hearing or Hearing()
        self._asked_at = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Until stopped, or until nothing is left to watch."""
        self._part.write_state({})
        while not stop.is_set():
            if not self._stack.watched():
                log.info("nothing is left to watch")
                return
            self.ask()
            self.look()
            stop.wait(_EVERY_S)

    def ask(self) -> None:
        """End what no longer answers, and keep logs within their bounds."""
        if time.monotonic() - self._asked_at < _ASK_S:
            return
        self._stack.trim_logs()
        for name, (pid, answers) in self._stack.answers().items():
            if self._hearing.deaf(name, pid, answers=answers):
                log.error("%s has not answered for %.0f s and is ended", name, self._hearing.patience_s)
                self._stack.end(name, pid)
        self._asked_at = time.monotonic()

    def look(self) -> None:
        """Start what is due."""
        ended = self._stack.ended()
        before = self._patience.facts()
        self._patience.there(set(self._stack.watched()) - set(ended))
        for name in ended:
            known = self._patience.parts.get(name)
            new = known is None or not known.next_at
            due = self._patience.due(name)
            if new:
                log.warning("%s ended; it is started in %.0f s", name, self._patience.wait_s(name))
            if due:
                self._start(name)
        if self._patience.facts() != before:
            self._part.write_state(self._patience.facts())

    def _start(self, name: str) -> None:
        try:
            if not self._stack.revive(name):
                return  # `up` or `down` is at work
        except Exception as error:
            self._patience.failed(name, str(error))
            ours = isinstance(error, MeterwardenError)
            wait_s = self._patience.wait_s(name)
            log.error("%s could not be started, again in %.0f s: %s", name, wait_s, error, exc_info=not ours)  # noqa: TRY400 - ours need no traceback
        else:
            self._patience.started(name)
            log.warning("%s was started again", name)


def main() -> int:
    """Run the keeper."""
    keep_private()
    log_to(sys.stderr, limit_bytes=LOG_BYTES)
    try:
        settings = load()
    except ConfigurationError as error:
        log.error("%s", error)  # noqa: TRY400 - the message is all there is to it
        return 2
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Keeper(Stack(settings), KeeperPart(settings, Places.of(settings))).run(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
