"""Files of readings into Kafka: read, pack, publish, and account for every row."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.kafka.config import KafkaConfig
from ingest.kafka.packing import Packed, Packer
from ingest.kafka.publisher import Publisher
from ingest.readings import FilePart, OpenedReadings, RowFault, open_readings
from ingest.wire import CONTENT_TYPE, CONTENT_TYPE_BLOCK, CONTENT_TYPE_JSON, READINGS_TOPIC, encode_readings_json

__all__ = ["Collected", "Collector", "Progress"]

_BLOCK = [(CONTENT_TYPE, CONTENT_TYPE_BLOCK.encode())]
_JSON = [(CONTENT_TYPE, CONTENT_TYPE_JSON.encode())]
_KEPT_FAULTS = 20

Progress = Callable[[Path, float, int], None]
"""Called with the file, the share of it that has been read (0 to 1), and the readings handed over in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The account of what was sent, all of it acknowledged.

    Attributes
    ----------
    readings : int
        Readings sent: those in blocks and those of bad rows, which the worker will reject.
    bad : int
        Of these, readings of bad rows.
    messages : int
        Kafka records.
    bytes : int
        Their values. [byte]
    seconds : float
        From the first byte read to the last acknowledgement. [s]
    faults : sequence of (Path, RowFault)
        The first bad rows.
    unsendable : sequence of (Path, RowFault)
        Bad rows that are larger than a message may be: these were not sent.
    """

    readings: int
    bad: int
    messages: int
    bytes: int
    seconds: float
    faults: Sequence[tuple[Path, RowFault]]
    unsendable: Sequence[tuple[Path, RowFault]]


class Collector:
    """Publishes files of readings as blocks, or as one JSON message a reading.

    A row that is no reading is published as a JSON message in its own words, so that the worker rejects it: what a
    file holds is what is sent, and what is sent is accepted or rejected.
    """

    def __init__(self, config: KafkaConfig, publisher: Publisher, *, as_json: bool = False) -> None:
        self._config, self._publisher, self._as_json = config, publisher, as_json
        self._topic = config.topic(READINGS_TOPIC)
        self._packer = Packer()
        self._bad = 0
        self._faults: list[tuple[Path, RowFault]] = []
        self._unsendable: list[tuple[Path, RowFault]] = []

    def collect(
        self,
        paths: Sequence[Path],
        progress: Progress = lambda *_: None,
        opened: Callable[[Path], OpenedReadings] | None = None,
    ) -> Collected:
        """Send all files and wait for the last acknowledgement.

        `opened` gives files that were understood before, with what the ledger knows and a person settled.

        Raises `UnreadableFile` and `PublishFailed`; what was sent before stays sent, and sending the files again is
        safe: readings that are already there are marked as duplicates.
        """
        start = time.monotonic()
        for path in paths:
            received_at = time.time_ns() // 1000
            one = open_readings(path, latest_us=received_at) if opened is None else opened(path)
            for part in one.parts(zone=self._config.zone, received_at=received_at):
                self._send(path, part)
                progress(path, part.share, self._publisher.counts.readings)
            progress(path, 1.0, self._publisher.counts.readings)
        self._send_packed(self._packer.flush())
        counts = self._publisher.flush(self._config.delivery_timeout_s + 10)
        return Collected(
            readings=counts.readings_acked,
            bad=self._bad,
            messages=counts.acked,
            bytes=counts.bytes,
            seconds=time.monotonic() - start,
            faults=self._faults,
            unsendable=self._unsendable,
        )

    def _send(self, path: Path, part: FilePart) -> None:
        if self._as_json:
            for block in part.blocks:
                for message in encode_readings_json(block):
                    self._publisher.send(self._topic, message, key=block.unit_code, headers=_JSON)
        else:
            self._send_packed(self._packer.add(part.blocks))
        for fault in part.faults:
            if len(fault.payload) > self._config.max_message_bytes - _OVERHEAD:
                self._unsendable.append((path, fault))
                continue
            self._publisher.send(
                self._topic, fault.payload, key=fault.unit_code, headers=_JSON, readings=fault.readings
            )
            self._bad += fault.readings
            if len(self._faults) < _KEPT_FAULTS:
                self._faults.append((path, fault))

    def _send_packed(self, packed: Iterable[Packed]) -> None:
        for one in packed:
            self._publisher.send(self._topic, one.message, key=one.unit_code, headers=_BLOCK, readings=one.readings)


_OVERHEAD = 1024
"""Of a record beside its value: key, headers, lengths. [byte]"""
