"""What a worker keeps of one partition between two batches: the register state of its metering points."""

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.columns.register import POINT_STATE, RegisterRules, RegisterTable, empty_state
from analytics.columns.screening import ScreeningRules
from analytics.domain.errors import MeterwardenError
from analytics.domain.ledger import Ledger
from analytics.domain.units import QuantityKind, unit_codes
from ingest.wire import MeterList

__all__ = ["MAIN_REGISTER", "PartitionState", "SnapshotMismatch", "StepRules"]

MAIN_REGISTER = 0
"""Index of the main register among `PartitionState.register_names`."""

_MAGIC = b"MWS1"


class SnapshotMismatch(MeterwardenError):  # noqa: N818 - named after what happened
    """A snapshot does not belong to the ledger it was opened with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRules:
    """Thresholds of all pure steps."""

    screening: ScreeningRules = field(default_factory=ScreeningRules)
    register: RegisterRules = field(default_factory=RegisterRules)


@dataclass(slots=True, kw_only=True, eq=False)
class PartitionState:
    """State of the metering points of one partition's units.

    Attributes
    ----------
    ledger : Ledger
        Of this partition's units only.
    partition, partitions : int
        Which one of how many.
    points : (p,) POINT_STATE
        One record for each point of `ledger`; steps change it in place.
    counted : (p,) bool
        Whether the point's register counts something up; a thermometer's readings are kept and not followed.
    register_names : list of str
        Registers that blocks spoke of, "main" first; `meter_lists` points into it.
    """

    ledger: Ledger
    partition: int
    partitions: int
    rules: StepRules
    table: RegisterTable
    points: NDArray[Any]
    counted: NDArray[np.bool_]
    register_names: list[str] = field(default_factory=lambda: ["main"])
    _meters: dict[tuple[str, MeterList], tuple[NDArray[np.int32], NDArray[np.int16]]] = field(default_factory=dict)
    _units: dict[tuple[str, ...], NDArray[np.int16]] = field(default_factory=dict)

    @classmethod
    def empty(cls, ledger: Ledger, *, partition: int = 0, partitions: int = 1, rules: StepRules | None = None) -> Self:
        """State in which nothing was read yet."""
        rules = rules or StepRules()
        counted = np.array([QuantityKind(kind).is_counted for kind in range(len(QuantityKind))])
        return cls(
            ledger=ledger,
            counted=counted[ledger.point_kind],
            partition=partition,
            partitions=partitions,
            rules=rules,
            table=RegisterTable(ledger.installations, rules.register),
            points=empty_state(len(ledger.point_codes)),
        )

    def to_bytes(self) -> bytes:
        """Snapshot of the points; it can be opened with the very ledger it was taken with."""
        raw = self.points.tobytes()
        packed = pa.compress(raw, codec="lz4", asbytes=True)
        return _MAGIC + len(self.points).to_bytes(8, "little") + packed

    @classmethod
    def from_bytes(
        cls, data: bytes, ledger: Ledger, *, partition: int = 0, partitions: int = 1, rules: StepRules | None = None
    ) -> Self:
        """State as `to_bytes` left it.

        Raises
        ------
        SnapshotMismatch
            If the snapshot is of another format or of a ledger with other points.
        """
        state = cls.empty(ledger, partition=partition, partitions=partitions, rules=rules)
        if data[:4] != _MAGIC:
            raise SnapshotMismatch(f"snapshot must begin with {_MAGIC!r} (got {data[:4]!r})")
        count = int.from_bytes(data[4:12], "little")
        if count != len(state.points):
            raise SnapshotMismatch(f"snapshot must hold the ledger's {len(state.points)} points (got {count})")
        raw = pa.decompress(data[12:], decompressed_size=count * POINT_STATE.itemsize, codec="lz4", asbytes=True)
        state.points = np.frombuffer(raw, POINT_STATE).copy()
        return state

    def copy_points(self) -> NDArray[Any]:
        """The points as they are now; assign it back to `points` to undo a step."""
        return self.points.copy()

    def meters_of(self, unit_code: str, meters: MeterList) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
        """Ledger index (-1 unknown) and register index of each entry of a block's meters; kept for the next block."""
        key = (unit_code, meters)
        found = self._meters.get(key)
        if found is None:
            if len(self._meters) >= 100_000:  # a sender that never repeats itself must not fill the memory
                self._meters.clear()
            index = self.ledger.meter_index(unit_code)
            meter = np.empty(len(meters), np.int32)
            register = np.zeros(len(meters), np.int16)
            for i, name in enumerate(meters.names):
                number, _, other = name.partition("\x1f")
                meter[i] = index.get(number, -1)
                if other and other != "main":
                    register[i] = self._register(other)
            found = self._meters[key] = (meter, register)
        return found

    def _register(self, name: str) -> int:
        if name not in self.register_names:
            self.register_names.append(name)
        return self.register_names.index(name)

    def unit_codes_of(self, units: tuple[str, ...]) -> NDArray[np.int16]:
        """Codes of a block's stated units; kept for the next block."""
        found = self._units.get(units)
        if found is None:
            if len(self._units) >= 10_000:
                self._units.clear()
            found = self._units[units] = unit_codes(units)
        return found
