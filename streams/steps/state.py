"""State of one partition between two batches: registers and usage profiles of its metering points."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.columns.register import RegisterRules, RegisterTable, empty_state
from analytics.columns.screening import ScreeningRules
from analytics.domain.errors import MeterwardenError
from analytics.domain.ledger import Ledger
from analytics.domain.registers import find_register, is_main
from analytics.domain.units import QuantityKind, unit_codes
from analytics.health.arrival import HealthRules, empty_health, neutral_factors
from analytics.health.redundancy import RedundancyRules
from ingest.wire import MeterList
from streams.steps.further import Further
from streams.steps.habits import SaidHabits

__all__ = ["PartitionState", "SnapshotMismatch", "StepRules", "rules_of"]


_MAGIC = b"MWS2"
_FIRST = b"MWS1"
_FIRST_POINT = np.dtype(
    [
        ("good_at", "<i8"), ("good_value", "<f8"), ("prev_at", "<i8"), ("prev_value", "<f8"), ("hour", "<i8"),
        ("amount", "<i8"), ("covered", "<i8"), ("estimated", "<i8"), ("prev_hour", "<i8"), ("prev_amount", "<i8"),
        ("prev_covered", "<i8"), ("prev_estimated", "<i8"), ("run_at", "<i8"), ("run_value", "<f8"),
        ("last_at", "<i8"), ("last_value", "<f8"), ("seen_at", "<i8"), ("seen_value", "<f8"), ("repeat_from", "<i8"),
        ("repeat_to", "<i8"), ("installation", "<i4"), ("seen_meter", "<i4"), ("run_n", "<i4"), ("repeat_n", "<i4"),
        ("flags", "<i2"), ("prev_flags", "<i2"), ("run_kind", "i1"), ("run_scale", "i1"), ("silent", "i1"),
        ("partial", "i1"),
    ]
)  # fmt: skip


class SnapshotMismatch(MeterwardenError):  # noqa: N818 - named after what happened
    """A snapshot does not belong to the ledger it was opened with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRules:
    """Thresholds of all pure steps."""

    screening: ScreeningRules = field(default_factory=ScreeningRules)
    register: RegisterRules = field(default_factory=RegisterRules)
    health: HealthRules = field(default_factory=HealthRules)
    redundancy: RedundancyRules = field(default_factory=RedundancyRules)


def rules_of(zone: tzinfo) -> StepRules:
    """Rules for a site: habits go by its local hours, as they are in winter.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> rules_of(ZoneInfo("Europe/Berlin")).health.utc_offset_h
    1
    """
    offset = datetime(2026, 1, 1, tzinfo=zone).utcoffset() or timedelta()
    return StepRules(health=HealthRules(utc_offset_h=round(offset / timedelta(hours=1))))


@dataclass(slots=True, kw_only=True, eq=False)
class PartitionState:
    """State of the metering points of one partition's units.

    Attributes
    ----------
    ledger : Ledger
        Of this partition's units only.
    partition, partitions : int
        Which one of how many.
    former : int or None
        How many partitions there were before; not part of a snapshot.
    points : (p,) POINT_STATE
        One record for each point of `ledger`; steps change it in place.
    health : (p,) HEALTH_STATE
        Habits of the same points.
    factors : (p, 3) float32
        What inspectors' verdicts make of the thresholds of stuck dials, clocks and ratios; not part of a snapshot.
    further : Further
        What is kept of registers beside the main ones, of the meters that have them.
    counted : (p,) bool
        Whether the point's register counts something up; a thermometer's readings are kept and not followed.
    said : SaidHabits
        Verdicts on stuck dials that were written; not part of a snapshot.
    register_names : list of str
        Registers that blocks spoke of, "main" first; `meter_lists` points into it.
    """

    ledger: Ledger
    partition: int
    partitions: int
    rules: StepRules
    table: RegisterTable
    points: NDArray[Any]
    health: NDArray[Any]
    factors: NDArray[np.float32]
    health_rules: NDArray[Any]
    redundancy_rules: NDArray[Any]
    counted: NDArray[np.bool_]
    former: int | None = None
    further: Further = field(default_factory=Further)
    said: SaidHabits = field(default_factory=SaidHabits)
    register_names: list[str] = field(default_factory=lambda: ["main"])
    _kinds: NDArray[np.int16] = field(default_factory=lambda: np.zeros(1, np.int16))
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
            health=empty_health(len(ledger.point_codes)),
            factors=neutral_factors(len(ledger.point_codes)),
            health_rules=rules.health.row(),
            redundancy_rules=rules.redundancy.row(),
        )

    def to_bytes(self) -> bytes:
        """Snapshot of the points; it can be opened with the very ledger it was taken with."""
        parts = [self.points, self.health, *self.further.parts]
        counts = [len(part) for part in self.further.parts]
        layouts: list[Any] = [_layout(part) for part in parts]
        layouts[2:] = [{"rows": n, "layout": layout} for n, layout in zip(counts, layouts[2:], strict=True)]
        head = json.dumps(layouts).encode()
        raw = b"".join(part.tobytes() for part in parts)
        packed = pa.compress(raw, codec="lz4", asbytes=True)
        count = len(self.points).to_bytes(8, "little")
        return _MAGIC + count + len(head).to_bytes(4, "little") + head + packed

    @classmethod
    def from_bytes(
        cls, data: bytes, ledger: Ledger, *, partition: int = 0, partitions: int = 1, rules: StepRules | None = None
    ) -> Self:
        """State as `to_bytes` left it, also that of a version before: what it did not keep yet begins anew.

        Raises
        ------
        SnapshotMismatch
            If the snapshot is of another format or of a ledger with other points.
        """
        state = cls.empty(ledger, partition=partition, partitions=partitions, rules=rules)
        if data[:4] not in {_MAGIC, _FIRST}:
            raise SnapshotMismatch(f"snapshot must begin with {_MAGIC!r} (got {data[:4]!r})")
        count = int.from_bytes(data[4:12], "little")
        if count != len(state.points):
            raise SnapshotMismatch(f"snapshot must hold the ledger's {len(state.points)} points (got {count})")
        layouts, counts, packed = [_FIRST_POINT], [count], data[12:]
        if data[:4] == _MAGIC:
            end = 16 + int.from_bytes(data[12:16], "little")
            heads, packed = json.loads(data[16:end]), data[end:]
            layouts = [_dtype(head["layout"] if isinstance(head, dict) else head) for head in heads]
            counts = [head["rows"] if isinstance(head, dict) else count for head in heads]
        size = sum(n * layout.itemsize for n, layout in zip(counts, layouts, strict=True))
        raw = pa.decompress(packed, decompressed_size=size, codec="lz4", asbytes=True)
        further = Further.empty_parts(counts[2:] or (0, 0))
        start = 0
        for part, layout in zip((state.points, state.health, *further), layouts, strict=False):
            kept = np.frombuffer(raw, layout, len(part), start)
            if layout == part.dtype:
                part[...] = kept
            else:
                for name in set(layout.names or ()) & set(part.dtype.names or ()):
                    part[name] = kept[name]
            start += len(part) * layout.itemsize
        state.further = Further.of(*further)
        return state

    def copy_points(self) -> tuple[NDArray[Any], NDArray[Any], Further]:
        """The points as they are now; give it to `put_back` to undo a step."""
        return self.points.copy(), self.health.copy(), self.further.copy()

    def put_back(self, copied: tuple[NDArray[Any], NDArray[Any], Further]) -> None:
        """Undo what was done since `copy_points`."""
        self.points, self.health, self.further = copied
        self.said = SaidHabits()  # verdicts of the steps that are undone may not have been written

    def kinds_of(self, register: NDArray[np.int16]) -> NDArray[np.int16]:
        """`FurtherRegister` of each register index, 0 for the main one, -1 for a name that is not known."""
        if len(self._kinds) != len(self.register_names):
            known = [find_register(name) for name in self.register_names[1:]]
            self._kinds = np.array([0, *(-1 if one is None else int(one) for one in known)], np.int16)
        return self._kinds[register]

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
                if other and other != "main" and not is_main(other, self._kind_of(int(meter[i]))):
                    register[i] = self._register(other)
            found = self._meters[key] = (meter, register)
        return found

    def _kind_of(self, meter: int) -> QuantityKind:
        """What a meter counts; energy where the ledger has no such meter."""
        ledger = self.ledger
        if meter < 0 or ledger.meter_installation_start[meter] == ledger.meter_installation_start[meter + 1]:
            return QuantityKind.ENERGY
        first = ledger.meter_installations[ledger.meter_installation_start[meter]]
        return QuantityKind(int(ledger.point_kind[ledger.installations.point[first]]))

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


def _layout(part: NDArray[Any]) -> list[list[Any]]:
    return [[name, *rest] for name, *rest in part.dtype.descr]


def _dtype(layout: list[list[Any]]) -> np.dtype[Any]:
    return np.dtype([(field[0], field[1], *(tuple(shape) for shape in field[2:])) for field in layout])
