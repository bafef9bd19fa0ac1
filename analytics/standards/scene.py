"""State of a ledger on a day: the meter at each point, its certificate, and evidence from its data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from analytics.domain.finding import Finding, Verdict
from analytics.domain.instants import US_PER_DAY
from analytics.domain.ledger import NO_DAY, NO_INSTANT, Installations, Ledger, Level, MeterStatus
from analytics.domain.severity import Severity
from analytics.domain.words import Phrase
from analytics.standards.editions import Applied
from analytics.standards.facts import Facts
from analytics.standards.rules import Rules

__all__ = [
    "Certificates", "Evidence", "Scene", "Use", "UseKey", "VerificationState", "certificate_in_force",
    "days_between_readings", "levels",
]  # fmt: skip

Floats = NDArray[np.float64]
Int8s = NDArray[np.int8]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Mask = NDArray[np.bool_]

_ALL = slice(None)

levels: tuple[str, ...] = tuple(level.name.lower() for level in Level)
"""Names of `Level` in the ledger, by number."""


class VerificationState(IntEnum):
    """Verification state of a meter on a day."""

    UNKNOWN = 0
    VALID = 1
    DUE_90 = 2
    DUE_30 = 3
    OVERDUE = 4


class UseKey(NamedTuple):
    """A total of a unit (by index), of a sub-unit or of a piece of equipment; names empty above their level."""

    unit: int
    scope: str
    sub_unit: str
    name: str
    carrier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Measured use up to the day that is judged.

    Attributes
    ----------
    amount : float
        Of the last 365 days, or of as many as there are. [canonical unit]
    days : int
        Local days with evidence among them.
    most_in_an_hour : float
        NaN where not known. [canonical unit/h]
    symbol : str
        Canonical unit.
    """

    amount: float
    days: int
    most_in_an_hour: float
    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certificates:
    """c certificates of verification.

    Attributes
    ----------
    meter : (c,) int32
        Index into the ledger's meters.
    verified_on, due : (c,) int32
        First and last day, `NO_DAY` where not stated. [d since 1970-01-01]
    failed : (c,) bool
        The instrument did not pass: what was certified before holds no longer.
    """

    meter: Int32s
    verified_on: Int32s
    due: Int32s
    failed: Mask

    @classmethod
    def of_ledger(cls, ledger: Ledger) -> Self:
        """Those that the ledger's rows state."""
        row, meter = ledger.installations.row, ledger.installations.meter
        verified_on, due = ledger.rows.day("verified_on")[row], ledger.rows.day("verification_due")[row]
        stated = (verified_on != NO_DAY) | (due != NO_DAY)
        none = np.zeros(int(stated.sum()), np.bool_)
        return cls(meter=meter[stated], verified_on=verified_on[stated], due=due[stated], failed=none)

    def joined(self, more: Self) -> Self:
        """These verifications followed by `more`."""
        return type(self)(
            meter=np.concatenate([self.meter, more.meter]),
            verified_on=np.concatenate([self.verified_on, more.verified_on]),
            due=np.concatenate([self.due, more.due]),
            failed=np.concatenate([self.failed, more.failed]),
        )

    def taken(self, which: NDArray[np.integer] | Mask) -> Self:
        """Some of them, in that order."""
        return type(self)(
            meter=self.meter[which],
            verified_on=self.verified_on[which],
            due=self.due[which],
            failed=self.failed[which],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Evidence from data on p points; NaN and `NO_INSTANT` where there is none.

    Attributes
    ----------
    uses : mapping of UseKey to Use
    completeness : (p,) float64
        Share of the window that has evidence, 0 for a meter that stood there and sent nothing; evidence that is not
        estimated, but for meters that are read less than hourly. [1]
    start_deviation_s : (p,) float64
        From the midnight that opens the last whole day to the reading nearest to it; NaN where none is near. [s]
    month_deviation_d : (p,) float64
        From the midnight that opened the month to the reading nearest to it, of meters that are read less than hourly;
        NaN for others and where none is near. [d]
    in_time : (p,) float64
        Share of the last whole day's readings that were received within the delay that the rules name; NaN without
        readings, and where the rules name none. [1]
    silent_since, fault_since : (p,) int64
        Since when the meter is silent, or has a fault (silence, gap, stuck …) that lasts. [us since 1970-01-01 UTC]
    at_risk : (p,) float64
        Amount measured after the verification ran out. [canonical unit]
    certificates : Certificates or None
        Beside those of the ledger.
    month_days : mapping of (unit index, carrier, month) to float
        Sum of the days of a month. [canonical unit]
    """

    uses: Mapping[UseKey, Use]
    completeness: Floats
    start_deviation_s: Floats
    month_deviation_d: Floats
    in_time: Floats
    silent_since: Int64s
    fault_since: Int64s
    at_risk: Floats
    certificates: Certificates | None = None
    month_days: Mapping[tuple[int, str, str], float] = field(default_factory=dict)

    @classmethod
    def none(cls, ledger: Ledger) -> Self:
        """Evidence for a ledger without any data: everything is unknown."""
        points = len(ledger.point_codes)
        nan, never = np.full(points, np.nan), np.full(points, NO_INSTANT, np.int64)
        return cls(
            uses={},
            completeness=nan,
            start_deviation_s=nan,
            month_deviation_d=nan,
            in_time=nan,
            silent_since=never,
            fault_since=never,
            at_risk=nan,
        )


class Column(NamedTuple):
    """A text column by point: codes (p,), -1 where no meter stands; and the texts they index."""

    codes: Int32s
    values: tuple[str, ...]

    def of(self, point: int) -> str:
        """Text of a point, empty where it has no meter."""
        code = int(self.codes[point])
        return "" if code < 0 else self.values[code]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """The ledger at one instant, with everything that the assessment needs.

    Attributes
    ----------
    day : int
        Local day that is judged. [d since 1970-01-01]
    at_us : int
        Instant of it at which meters are counted.
    applied : tuple of Applied
        Edition of each unit.
    installation, meter : (p,) int32
        In force at the instant, -1 where no meter stands.
    status : (p,) int8
        `MeterStatus`, of points with a meter.
    stands, in_use : (p,) bool
        A meter stands there; and one that is not out of use.
    verification : (p,) int8
        `VerificationState`; UNKNOWN also where no meter stands.
    verified_on, due : (p,) int32
        Of the certificate that counts, `NO_DAY` where not known.
    twice : (p,) bool
        Two certificates issued on one day state different ends.
    usable : (p,) bool
        A meter that may be used: not out of use, within its verification.
    unsure : (p,) bool
        One that is not out of use, and nothing says whether its verification holds.
    carriers : tuple of str
        Energies of the ledger, which `carrier` (p,) int16 indexes.
    """

    ledger: Ledger
    rules: Rules
    facts: Facts
    evidence: Evidence
    day: int
    at_us: int
    applied: tuple[Applied, ...]
    installation: Int32s
    meter: Int32s
    status: Int8s
    stands: Mask
    in_use: Mask
    verification: Int8s
    verified_on: Int32s
    due: Int32s
    twice: Mask
    usable: Mask
    unsure: Mask
    carriers: tuple[str, ...]
    carrier: NDArray[np.int16]

    @classmethod
    def of(
        cls,
        ledger: Ledger,
        *,
        applied: tuple[Applied, ...],
        rules: Rules,
        facts: Facts,
        evidence: Evidence,
        day: int,
        at_us: int,
    ) -> Self:
        """Scene of a ledger at an instant.

        Parameters
        ----------
        ledger : Ledger
        applied : tuple of Applied
            Edition by which each of its units is judged.
        """
        made = ledger.installations
        in_force = np.flatnonzero((made.installed_from <= at_us) & (made.installed_to > at_us))
        installation = np.full(len(ledger.point_codes), -1, np.int32)
        installation[made.point[in_force]] = in_force
        stands = installation >= 0
        meter = np.where(stands, made.meter[installation] if len(made) else -1, -1).astype(np.int32)
        verified_on, due, twice = certificate_in_force(ledger, evidence.certificates, day)
        at = np.where(stands, meter, len(ledger.meter_nos))
        status = _status(ledger, installation)
        verification = np.where(stands, _states(due, day, rules)[at], VerificationState.UNKNOWN).astype(np.int8)
        only_runs = (status == MeterStatus.IN_USE) & (verification != VerificationState.OVERDUE)
        verification[only_runs] = VerificationState.UNKNOWN
        carriers = {name: i for i, name in enumerate(sorted(set(ledger.point_carrier)))}
        in_use = stands & (status != MeterStatus.OUT_OF_USE)
        return cls(
            ledger=ledger,
            rules=rules,
            facts=facts,
            evidence=evidence,
            day=day,
            at_us=at_us,
            applied=applied,
            installation=installation,
            meter=meter,
            status=status,
            stands=stands,
            in_use=in_use,
            verification=verification,
            verified_on=verified_on[at],
            due=due[at],
            twice=twice[at],
            usable=in_use & (verification != VerificationState.OVERDUE) & (verification != VerificationState.UNKNOWN),
            unsure=in_use & (verification == VerificationState.UNKNOWN),
            carriers=tuple(carriers),
            carrier=np.fromiter((carriers[name] for name in ledger.point_carrier), np.int16, len(ledger.point_carrier)),
        )

    def carrier_is(self, carrier: str, part: slice = _ALL) -> Mask:
        """(p,) Points of an energy, or of a part of them."""
        if carrier not in self.carriers:
            return np.zeros(len(self.carrier[part]), np.bool_)
        return np.asarray(self.carrier[part] == self.carriers.index(carrier), np.bool_)

    def column(self, name: str) -> Column:
        """Text column of the meters in force, by point."""
        if not len(self.ledger.installations):
            return Column(np.full(len(self.installation), -1, np.int32), ())
        text = self.ledger.rows.text(name)
        codes = np.where(self.stands, text.codes[self.ledger.installations.row[self.installation]], -1)
        return Column(codes.astype(np.int32), text.values)

    def number(self, name: str) -> Floats:
        """Number column of the meters in force, by point; NaN where no meter stands."""
        if not len(self.ledger.installations):
            return np.full(len(self.installation), np.nan)
        values = self.ledger.rows.number(name)[self.ledger.installations.row[self.installation]]
        return np.where(self.stands, values, np.nan)

    def meter_no(self, point: int) -> str:
        """Management number of the meter at a point, empty where none stands."""
        meter = int(self.meter[point])
        return "" if meter < 0 else self.ledger.meter_nos[meter]

    def meter_nos(self, points: Int64s) -> tuple[str, ...]:
        """Management numbers of the meters at points that have one."""
        return tuple(self.ledger.meter_nos[meter] for meter in self.meter[points].tolist() if meter >= 0)

    def point_names(self, points: Int64s) -> tuple[str, ...]:
        """Codes of points."""
        return tuple(self.ledger.point_codes[point] for point in points.tolist())

    def finder(self, unit: int, rule: str, clause: str) -> Callable[..., Finding]:
        """Factory of findings about a unit under a clause of its edition."""
        applied = self.applied[unit]
        mandatory = clause in applied.edition.mandatory

        def find(
            *, verdict: Verdict, severity: Severity = Severity.INFO, required: Phrase, found: Phrase, **more: object
        ) -> Finding:
            return Finding(
                unit=unit,
                edition=applied.text,
                clause=clause,
                rule=rule,
                mandatory=mandatory,
                verdict=verdict,
                severity=severity,
                required=required,
                found=found,
                **more,  # type: ignore[arg-type]  # named fields of Finding, passed through
            )

        return find


def _status(ledger: Ledger, installation: Int32s) -> Int8s:
    if not len(ledger.installations):
        return np.zeros(len(installation), np.int8)
    column = ledger.rows.text("status")
    numbers = np.array(
        [MeterStatus[value.upper()] if value else MeterStatus.UNKNOWN for value in column.values], np.int8
    )
    status = numbers[column.codes[ledger.installations.row[installation]]]
    return np.where(installation >= 0, status, MeterStatus.UNKNOWN).astype(np.int8)


def days_between_readings(installations: Installations, points: int) -> Int64s:
    """Whole days that readings of each point are apart, (p,) int64: so many may be missing at the end and are not late.

    A meter that is read by hand once a month has no hours since its last reading, and lacks nothing.
    """
    apart = np.zeros(points, np.int64)
    np.maximum.at(apart, installations.point, installations.interval_us // US_PER_DAY)
    return apart


def certificate_in_force(ledger: Ledger, more: Certificates | None, day: int) -> tuple[Int32s, Int32s, Mask]:
    """First and last day of the certificate that counts for each meter, and whether it is contradicted.

    Of those that were issued by the day the one that holds longest; a failure, which holds to the day before it, ends
    what was certified earlier. (k + 1,), the last place is for no meter.
    """
    known = Certificates.of_ledger(ledger)
    if more is not None:
        known = known.joined(more)
    count = len(ledger.meter_nos) + 1
    known = known.taken((known.verified_on <= day) & (known.due != NO_DAY))  # NO_DAY is before every day
    if known.failed.any():
        failed_on = np.full(count, NO_DAY, np.int32)
        np.maximum.at(failed_on, known.meter[known.failed], known.verified_on[known.failed])
        known = known.taken(known.verified_on >= failed_on[known.meter])
    known = known.taken(np.lexsort((known.verified_on, known.due, known.meter)))
    meter, verified_on, due = known.meter, known.verified_on, known.due
    last = np.append(meter[1:] != meter[:-1], True)[: len(meter)]
    best_from, best_due = np.full(count, NO_DAY, np.int32), np.full(count, NO_DAY, np.int32)
    best_from[meter[last]], best_due[meter[last]] = verified_on[last], due[last]
    twice = np.zeros(count, np.bool_)
    same_day = (verified_on == best_from[meter]) & (verified_on != NO_DAY) & (best_due[meter] >= day)
    twice[meter[same_day & (due != best_due[meter])]] = True
    return best_from, best_due, twice


def _states(due: Int32s, day: int, rules: Rules) -> Int8s:
    left = due.astype(np.int64) - day
    state = np.select(
        [due == NO_DAY, left < 0, left < rules.due_now_days, left < rules.due_soon_days],
        [VerificationState.UNKNOWN, VerificationState.OVERDUE, VerificationState.DUE_30, VerificationState.DUE_90],
        VerificationState.VALID,
    )
    return state.astype(np.int8)
