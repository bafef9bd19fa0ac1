"""Readings from lines of JSON: a reading, an array or an envelope a line, as on the wire."""

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO
from zoneinfo import ZoneInfo

import numpy as np

from ingest.files import DAMAGED, Content, UnreadableFile
from ingest.readings.parts import FilePart, RowFault
from ingest.wire import MAX_MESSAGE_BYTES, Names, Records, decode_fetched

__all__ = ["read_json_lines"]

_LINES = 16_384
_BYTES = 1 << 24


def read_json_lines(content: Content, *, zone: ZoneInfo, received_at: int) -> Iterator[FilePart]:
    """Parts of a file of JSON lines, in order; blank lines are passed over."""
    names = Names()
    with content.opened() as file:
        number = 0
        for lines in _stretches(content.name, file):
            numbers = np.arange(number + 1, number + 1 + len(lines))
            number += len(lines)
            filled = [i for i, line in enumerate(lines) if line.strip()]
            values = [lines[i].rstrip(b"\r\n") for i in filled]
            rows = numbers[filled].astype(np.int32)
            records = Records.of(values, timestamps_us=np.full(len(values), received_at))
            blocks, faults = decode_fetched(records, zone=zone, names=names)
            yield FilePart(
                blocks=[replace(block, message=rows[block.message]) for block in blocks],
                faults=[
                    RowFault(
                        row=int(rows[fault.message]),
                        column=fault.required.partition(":")[0] if ":" in fault.required else "",
                        reason=fault.reason,
                        required=fault.required,
                        got=fault.got,
                        payload=fault.payload,
                        readings=fault.readings,
                        unit_code=fault.unit_code,
                    )
                    for fault in faults
                ],
                share=content.told(),
            )


def _stretches(name: str, file: BinaryIO) -> Iterator[list[bytes]]:
    """Lines, some thousands at a time and not many megabytes."""
    lines: list[bytes] = []
    size = 0
    try:
        for line in iter(lambda: file.readline(MAX_MESSAGE_BYTES + 1), b""):
            if len(line) > MAX_MESSAGE_BYTES:
                raise UnreadableFile(
                    f"{name}: must have lines of at most {MAX_MESSAGE_BYTES >> 20} MiB (got a longer one)"
                )
            lines.append(line)
            size += len(line)
            if len(lines) >= _LINES or size >= _BYTES:
                yield lines
                lines, size = [], 0
    except DAMAGED as error:
        raise UnreadableFile(f"{name}: must be a whole file (got {error} after {len(lines)} lines)") from error
    if lines:
        yield lines
