"""Messages in which gateways tell of themselves, told from readings."""

from typing import Final

import numpy as np

from ingest.gateway.told import LONGEST, PREFIX, SpoolState
from ingest.wire.records import Records

__all__ = ["parted"]

_PREFIX: Final = np.frombuffer(PREFIX, np.uint8)


def parted(records: Records) -> tuple[SpoolState | None, Records]:
    """The newest of these messages that can be read, and the records that are none of them.

    Examples
    --------
    >>> told, rest = parted(Records.of([b"[]", SpoolState(at_us=7).encode(), b"{}"], timestamps_us=[1, 2, 3]))
    >>> told.at_us, [record.value for record in rest]
    (7, [b'[]', b'{}'])
    """
    rows = records.rows
    near = np.flatnonzero((rows["size"] >= len(_PREFIX)) & (rows["size"] <= LONGEST))
    if len(near):
        begins = records.data[rows["at"][near][:, None] + np.arange(len(_PREFIX))]
        near = near[(begins == _PREFIX).all(axis=1)]
    if not len(near):
        return None, records
    said = [SpoolState.decode(records.value(int(one)) or b"") for one in near]
    told = [one for one in said if one is not None]
    # what only begins like one goes on to be refused, with its bytes
    taken = near[[one is not None for one in said]]
    rest = np.ones(len(records), bool)
    rest[taken] = False
    return max(told, key=lambda one: one.at_us, default=None), Records(records.data, rows[rest])
