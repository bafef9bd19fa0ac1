"""What else one can have: the fixed rules of data loggers and meter-data systems, on the same readings.

* a dial that shows the same for so many hours is stuck;
* any fall is a rollback; a fall to less than a hundredth is a reset;
* a rise of more than three times the highest of the first thirty days is a spike (rate of change);
* a rise that is more than ten scaled median deviations from the median of the 24 before it is a spike (Hampel);
* a time of more than one and a half intervals between readings is a gap.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from analytics.domain.quality import DetectionKind
from tests.benchmarks.hard_faults.registers import Register, runs
from tests.benchmarks.hard_faults.scoring import Saying

__all__ = ["RIVALS"]

_S = 1_000_000
_H = 3600 * _S
_K = DetectionKind
Instants = NDArray[np.int64]
Floats = NDArray[np.float64]
Rule = Callable[[Register, Instants, Floats], list[tuple[DetectionKind, int, int]]]


def _flat(hours: float) -> Rule:
    def rule(_: Register, at: Instants, value: Floats) -> list[tuple[DetectionKind, int, int]]:
        told = []
        for a, b in runs(np.diff(value) == 0.0):
            late = np.flatnonzero(at[a : b + 1] - at[a] >= hours * _H)
            if len(late):
                told.append((_K.STUCK, int(at[a]), int(at[a + int(late[0])])))
        return told

    return rule


def _falls(_: Register, at: Instants, value: Floats) -> list[tuple[DetectionKind, int, int]]:
    index = np.flatnonzero(np.diff(value) < 0.0) + 1
    return [
        (_K.RESET if value[i] < 0.01 * value[i - 1] else _K.ROLLBACK, int(at[i]), int(at[i])) for i in index.tolist()
    ]


def _rises(register: Register, at: Instants, value: Floats) -> tuple[Floats, Floats]:
    """Rises, and the same an interval."""
    rise = np.diff(value)
    return rise, rise / np.maximum(np.diff(at) / (register.interval_s * _S), 0.5)


def _rate_of_change(register: Register, at: Instants, value: Floats) -> list[tuple[DetectionKind, int, int]]:
    _, rate = _rises(register, at, value)
    learnt = 30 * 86_400 // register.interval_s
    index = np.flatnonzero(rate > 3.0 * rate[:learnt].max()) + 1
    return [(_K.SPIKE, int(at[i]), int(at[i])) for i in index.tolist() if i > learnt]


def _hampel(register: Register, at: Instants, value: Floats) -> list[tuple[DetectionKind, int, int]]:
    _, rate = _rises(register, at, value)
    if len(rate) < 26:
        return []
    window = np.lib.stride_tricks.sliding_window_view(rate, 24)[:-1]
    middle = np.median(window, axis=1)
    spread = 1.4826 * np.median(np.abs(window - middle[:, None]), axis=1) + register.step
    index = np.flatnonzero(rate[24:] - middle > 10.0 * spread) + 25
    return [(_K.SPIKE, int(at[i]), int(at[i])) for i in index.tolist()]


def _gaps(register: Register, at: Instants, _: Floats) -> list[tuple[DetectionKind, int, int]]:
    index = np.flatnonzero(np.diff(at) > 1.5 * register.interval_s * _S)
    return [(_K.GAP, int(at[i]), int(at[i + 1])) for i in index.tolist()]


_RULES: Mapping[str, tuple[DetectionKind, Rule]] = MappingProxyType(
    {
        "6 h flat": (_K.STUCK, _flat(6)),
        "24 h flat": (_K.STUCK, _flat(23)),
        "72 h flat": (_K.STUCK, _flat(72)),
        "any fall": (_K.ROLLBACK, _falls),
        "rate of change": (_K.SPIKE, _rate_of_change),
        "Hampel filter": (_K.SPIKE, _hampel),
        "time between readings": (_K.GAP, _gaps),
    }
)


def _by(rule: Rule) -> Callable[[Sequence[Register]], list[Saying]]:
    def tell(registers: Sequence[Register]) -> list[Saying]:
        told = []
        for i, register in enumerate(registers):
            order = np.argsort(register.at, kind="stable")
            at, value = register.at[order], register.value[order]
            kept = np.concatenate(([True], np.diff(at) > 0))
            told += [
                Saying(register=i, kind=kind, started_us=started, decided_us=decided)
                for kind, started, decided in rule(register, at[kept], value[kept])
            ]
        return told

    return tell


RIVALS: Mapping[str, tuple[DetectionKind, Callable[[Sequence[Register]], list[Saying]]]] = MappingProxyType(
    {name: (kind, _by(rule)) for name, (kind, rule) in _RULES.items()}
)
"""For each rule the kind it is for, and what it tells of registers."""
