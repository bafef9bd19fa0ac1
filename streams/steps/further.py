"""Processing of registers beside the main one: newest reading of each, and redundancy checks of the main one.

State is kept only for meters that have such registers. Names and quantities: `analytics.domain.registers`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analytics.columns.register import ACCEPTED, CONFLICT, EVENT_ROW, LATE, RegisterTable
from analytics.domain.accuracy import error_limit
from analytics.domain.ledger import Ledger
from analytics.domain.quality import ReadingFlag, RejectReason
from analytics.domain.registers import FurtherRegister, register_unit
from analytics.domain.units import FACTOR_TABLE, UNITS, QuantityKind
from analytics.health.redundancy import CHECK_STATE, NEWEST, SIGHT_ROW, Checks, Facts, checks_of
from analytics.health.redundancy.newest import compare

__all__ = ["Further", "FurtherRead", "own_units", "read_further"]

_UNKNOWN_LIMIT = 0.02
_STRIDE = 16
"""Registers that one meter may have: a key is the meter's index times this, and the register."""

_WANTED = np.full(_STRIDE, -1, np.int16)
for _register in FurtherRegister:
    _WANTED[_register] = register_unit(_register).code


def own_units(kind: NDArray[np.int16], stated: NDArray[np.int16]) -> NDArray[np.int16]:
    """Unit in which each reading's value is wanted: -1 for the main register, as stated where nobody knows the name.

    Parameters
    ----------
    kind : (n,) int16
        `FurtherRegister`, 0 for the main register, -1 for a name that is not known.
    stated : (n,) int16
    """
    return np.where(kind < 0, stated, _WANTED[np.maximum(kind, 0)]).astype(np.int16)


@dataclass(frozen=True, slots=True, eq=False)
class _Installed:
    """`Facts` of each installation of a ledger."""

    facts: Facts

    @classmethod
    def of(cls, ledger: Ledger, table: RegisterTable) -> Self:
        made = ledger.installations
        classes = ledger.rows.text("accuracy_class")
        limits = np.array([error_limit(text, unknown=_UNKNOWN_LIMIT) for text in classes.values])
        scale = FACTOR_TABLE[made.unit] / FACTOR_TABLE[UNITS["kWh"].code]
        return cls(
            Facts(
                scale=scale,
                multiplier=np.ascontiguousarray(made.multiplier, np.float64),
                amount=table.table["factor"] / scale,
                most=table.table["rate"] * scale,
                limit=limits[classes.codes[made.row]],
            )
        )

    def take(self, installation: NDArray[np.int32]) -> Facts:
        return Facts(**{name: getattr(self.facts, name)[installation] for name in Facts.__slots__})


@dataclass(slots=True, eq=False)
class Further:
    """State of a partition's further registers between two batches.

    Attributes
    ----------
    newest : (k,) NEWEST
        By meter and register.
    checks : Checks
    """

    newest: NDArray[Any] = field(default_factory=lambda: np.empty(0, NEWEST))
    checks: Checks = field(default_factory=Checks)
    _installed: _Installed | None = None

    def __len__(self) -> int:
        return len(self.newest)

    @property
    def parts(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """What a snapshot holds."""
        return self.newest, self.checks.state

    @classmethod
    def of(cls, newest: NDArray[Any], checks: NDArray[Any]) -> Self:
        """As `parts` gave it."""
        return cls(newest, Checks(checks))

    @staticmethod
    def empty_parts(counts: Sequence[int]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Room for a snapshot's."""
        return np.zeros(counts[0], NEWEST), np.zeros(counts[1], CHECK_STATE)

    def copy(self) -> "Further":
        """The same, to be put back where a step is undone."""
        return Further(self.newest.copy(), self.checks.copy(), self._installed)

    def with_others(self, other: "Further") -> "Further":
        """These and those of another part of the meters."""
        newest = np.concatenate([self.newest, other.newest])
        state = np.concatenate([self.checks.state, other.checks.state])
        return Further(newest[np.argsort(newest["key"])], Checks(state))

    def facts(self, ledger: Ledger, table: RegisterTable, installation: NDArray[np.int32]) -> Facts:
        """What the ledger says of readings' installations; worked out when first asked for."""
        if self._installed is None:
            self._installed = _Installed.of(ledger, table)
        return self._installed.take(installation)

    def carry(self, point: NDArray[np.int64], meter: NDArray[np.int64]) -> "Further":
        """The same under another ledger.

        Parameters
        ----------
        point, meter : (n,) int64
            Index in the other ledger of each point and meter of this one, -1 where it has them no more.
        """
        owner = meter[self.newest["key"] // _STRIDE] if len(self.newest) else np.empty(0, np.int64)
        newest = self.newest[owner >= 0].copy()
        newest["key"] = owner[owner >= 0] * _STRIDE + newest["key"] % _STRIDE
        state = self.checks.state
        place = point[state["point"]] if len(state) else np.empty(0, np.int64)
        kept = state[place >= 0].copy()
        kept["point"] = place[place >= 0]
        there = kept["meter"] >= 0
        kept["meter"][there] = meter[kept["meter"][there]]
        return Further(newest[np.argsort(newest["key"])], Checks(kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class FurtherRead:
    """Result of processing further registers.

    Attributes
    ----------
    late : (n,) bool
        Readings older than the newest of their register: whether they are new is looked up in the store.
    events : (e,) EVENT_ROW
    sights : (s,) SIGHT_ROW
    """

    late: NDArray[np.bool_]
    events: NDArray[Any]
    sights: NDArray[Any]


def read_further(
    further: Further,
    ledger: Ledger,
    table: RegisterTable,
    rules: NDArray[Any],
    factors: NDArray[np.float32],
    *,
    rows: NDArray[Any],
    kind: NDArray[np.int16],
    reasons: NDArray[np.uint8],
    main: NDArray[np.bool_],
) -> FurtherRead:
    """Take the readings of a batch, in the order they came.

    Parameters
    ----------
    further : Further
        Changed in place.
    ledger : Ledger
    table : RegisterTable
        Of the same installations.
    rules : (1,) RULES_ROW
        `analytics.health.redundancy.RedundancyRules.row`.
    factors : (p, 3) float32
        By which thresholds are raised at points; the last one counts here. [1]
    rows : (n,) streams.rows.layout.READING
        `quality` of those that are late is marked.
    kind : (n,) int16
        `FurtherRegister`, 0 for the main register, -1 for a name that is not known.
    reasons : (n,) uint8
        Why a reading is refused; repeats are added.
    main : (n,) bool
        Readings of main registers that count.
    """
    late = np.zeros(len(rows), np.bool_)
    known = np.flatnonzero((kind > 0) & (reasons == 0))
    if known.size:
        key = rows["meter"][known].astype(np.int64) * _STRIDE + kind[known]
        further.newest, said = compare(
            further.newest,
            key=key,
            at_us=np.ascontiguousarray(rows["measured_at"][known]),
            value=np.ascontiguousarray(rows["value"][known]),
        )
        late[known[said == LATE]] = True
        rows["quality"][late] |= np.int16(ReadingFlag.LATE)
        repeats = (said != ACCEPTED) & (said != LATE)
        reasons[known[repeats]] = np.where(
            said[repeats] == CONFLICT, np.uint8(RejectReason.CONFLICT), np.uint8(RejectReason.DUPLICATE)
        )
    events, sights = _check(further, ledger, table, rules, factors, rows, kind, reasons, main)
    return FurtherRead(late=late, events=events, sights=sights)


def _check(
    further: Further,
    ledger: Ledger,
    table: RegisterTable,
    rules: NDArray[Any],
    factors: NDArray[np.float32],
    rows: NDArray[Any],
    kind: NDArray[np.int16],
    reasons: NDArray[np.uint8],
    main: NDArray[np.bool_],
) -> tuple[NDArray[Any], NDArray[Any]]:
    nothing = np.empty(0, EVENT_ROW), np.empty(0, SIGHT_ROW)
    if not len(ledger.installations):
        return nothing
    point = ledger.installations.point[rows["installation"]]
    energy = ledger.point_kind[point] == QuantityKind.ENERGY
    used = (kind > 0) & (reasons == 0) & energy
    pairs = np.unique(np.stack([point[used], kind[used].astype(np.int32)]), axis=1).T.tolist()
    further.checks.begin([(p, check) for p, k in pairs for check in checks_of(FurtherRegister(k))])
    if not len(further.checks):
        return nothing
    watched = further.checks.watched(len(ledger.point_codes))
    chosen = np.flatnonzero(used | (main & energy & watched[point]))
    if not chosen.size:
        return nothing
    installation = rows["installation"][chosen]
    done = further.checks.follow(
        rules,
        point=point[chosen],
        meter=np.ascontiguousarray(rows["meter"][chosen]),
        register=kind[chosen],
        at_us=np.ascontiguousarray(rows["measured_at"][chosen]),
        value=np.ascontiguousarray(rows["dial"][chosen]),
        facts=further.facts(ledger, table, installation),
        factor=np.ascontiguousarray(factors[point[chosen], 2]),
    )
    events = done.events
    events["installation"] = _installations(ledger, events["point"], events["decided"])
    return events, done.sights


def _installations(ledger: Ledger, point: NDArray[np.int32], at_us: NDArray[np.int64]) -> NDArray[np.int32]:
    """Installation at each point just before an instant."""
    made = ledger.installations
    found = np.full(len(point), -1, np.int32)
    for i, (p, at) in enumerate(zip(point.tolist(), at_us.tolist(), strict=True)):
        first, end = ledger.point_installation_start[p : p + 2].tolist()
        begun = int(np.searchsorted(made.installed_from[first:end], at, side="left"))
        found[i] = first + max(begun - 1, 0)
    return found
