"""Group commit: whoever has something to keep waits for the same flush to the disk."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future

from ingest.gateway.spool import Entry, Spool, SpoolFull

__all__ = ["GroupCommit"]

_MOST_BYTES = 16 * 2**20  # of one flush


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
        self._waiting: list[tuple[Sequence[Entry], int, Future[None]]] = []
        self._waiting_bytes = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._thread.start()

    def submit(self, entries: Sequence[Entry]) -> "Future[None]":
        """Keep entries; the result is there when they are on the disk, and is the spool's error when they are not."""
        future: Future[None] = Future()
        size = sum(len(entry.payload) for entry in entries)
        with self._changed:
            if self._closed or self._waiting_bytes + size > self._max_waiting:
                why = "it closes" if self._closed else f"{self._waiting_bytes} bytes wait for the disk"
                future.set_exception(SpoolFull(f"the spool must have room for {size} bytes ({why})"))
                return future
            self._waiting.append((entries, size, future))
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

    def _take(self) -> list[tuple[Sequence[Entry], int, "Future[None]"]]:
        batch: list[tuple[Sequence[Entry], int, Future[None]]] = []
        size = 0
        while self._waiting and (not batch or size + self._waiting[0][1] <= _MOST_BYTES):
            one = self._waiting.pop(0)
            batch.append(one)
            size += one[1]
        self._waiting_bytes -= size
        return batch

    def _keep(self, batch: Sequence[tuple[Sequence[Entry], int, "Future[None]"]]) -> None:
        try:
            self._spool.append([entry for entries, _, _ in batch for entry in entries])
        except SpoolFull as error:
            if len(batch) == 1:
                batch[0][2].set_exception(error)
            else:  # there may be room for some of them
                for one in batch:
                    self._keep([one])
        except BaseException as error:  # noqa: BLE001 - whoever waits gets it
            for _, _, future in batch:
                future.set_exception(error)
        else:
            for _, _, future in batch:
                future.set_result(None)
