"""Group commit: entries of many writers share one flush to the disk."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from ingest.gateway.spool import Entry, Spool, SpoolFull

__all__ = ["GroupCommit"]

_MOST_BYTES = 16 * 2**20  # of one flush


@dataclass(frozen=True, slots=True)
class _Waiting:
    entries: Sequence[Entry]
    size: int
    kept: "Future[None]"
    after: "Future[None] | None"

    @property
    def is_out_of_turn(self) -> bool:
        """Whether its predecessor could not be stored."""
        return self.after is not None and self.after.done() and self.after.exception() is not None


class GroupCommit:
    """Appends to a spool in a thread of its own; entries that come while one flush is under way share the next.

    Parameters
    ----------
    spool : Spool
    max_waiting_bytes : int
        Handed over and not yet on the disk; more is refused with `SpoolFull`. [byte]
    """

    def __init__(self, spool: Spool, *, max_waiting_bytes: int = 64 * 2**20) -> None:
        self._spool, self._max_waiting = spool, max_waiting_bytes
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def submit(self, entries: Sequence[Entry], *, after: "Future[None] | None" = None) -> "Future[None]":
        """Keep entries; the result is there when they are on the disk, and is the spool's error when they are not.

        Parameters
        ----------
        after : Future, optional
            Of entries that come before these: where they were not kept, these are not either, even if there is room
            by now, so that an order stays one.
        """
        future: Future[None] = Future()
        size = sum(len(entry.payload) for entry in entries)
        with self._changed:
            if self._closed or self._waiting_bytes + size > self._max_waiting:
                why = "it closes" if self._closed else f"{self._waiting_bytes} bytes wait for the disk"
                future.set_exception(SpoolFull(f"the spool must have room for {size} bytes ({why})"))
                return future
            self._waiting.append(_Waiting(entries, size, future, after))
            self._waiting_bytes += size
            self._changed.notify()
        return future

    def close(self) -> None:
        """Keep what was handed over, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
                if not self._waiting:
                    return
                batch = self._take()
            self._keep(batch)

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and (not batch or size + self._waiting[0].size <= _MOST_BYTES):
            one = self._waiting.pop(0)
            batch.append(one)
            size += one.size
        self._waiting_bytes -= size
        return batch

    def _keep(self, batch: Sequence[_Waiting]) -> None:
        batch = _in_turn(batch)
        try:
            self._spool.append([entry for one in batch for entry in one.entries])
        except SpoolFull as error:
            if len(batch) == 1:
                batch[0].kept.set_exception(error)
            else:  # there may be room for some of them
                for one in batch:
                    self._keep([one])
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            for one in batch:
                one.kept.set_exception(error)
        else:
            for one in batch:
                one.kept.set_result(None)


def _in_turn(batch: Sequence[_Waiting]) -> list[_Waiting]:
    """Those whose predecessors were kept, or are in the batch too; the others fail."""
    kept = []
    for one in batch:
        if one.is_out_of_turn:
            one.kept.set_exception(SpoolFull("the spool must have room for what comes first (it was full)"))
        else:
            kept.append(one)
    return kept
