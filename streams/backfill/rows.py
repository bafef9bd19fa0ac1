"""Results of the pure steps as rows of the result files: ledger indices become codes and names."""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.columns.aggregation import MICRO, PointHours, shares, totals_by_day
from analytics.columns.membership import Membership
from analytics.columns.register import NEVER
from analytics.domain.instants import US_PER_HOUR
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind
from analytics.domain.units import unit_of
from analytics.drift.observability import PointVerdict
from analytics.standards.coal import FactorTable, coal_equivalent
from ingest.result_files import Column, Labels
from ingest.wire import encode_readings_json
from streams.backfill.spool import Slice
from streams.rows.detections import evidence_json, magnitude
from streams.rows.layout import Refusal
from streams.steps.balance import GainRow

__all__ = [
    "detection_columns",
    "energy_day_columns",
    "gain_columns",
    "hour_columns",
    "observability_columns",
    "rejected_columns",
    "unexplained_of",
]


def unexplained_of(hours: NDArray[Any], events: NDArray[Any]) -> NDArray[np.int64]:
    """What registers rose by and nobody can explain, in the hour in which their new level was first seen.

    Where that hour has no row, in the next one of the point that has; it is never part of an amount.

    Parameters
    ----------
    hours : (n,) analytics.columns.register.HOUR_ROW
        Sorted by point and hour.
    events : (e,) analytics.columns.register.EVENT_ROW
        The last word on each.

    Returns
    -------
    (n,) int64
        [1e-6 of the point's canonical unit]
    """
    out = np.zeros(len(hours), np.int64)
    jumps = events[(events["kind"] == DetectionKind.JUMP) & (events["amount"] != 0)]
    if not len(jumps) or not len(hours):
        return out
    stride = 1 << 32
    keys = hours["point"].astype(np.int64) * stride + hours["hour"]
    wanted = jumps["point"].astype(np.int64) * stride + jumps["started"] // US_PER_HOUR
    place = np.searchsorted(keys, wanted).clip(0, len(keys) - 1)
    place -= (hours["point"][place] != jumps["point"]) & (place > 0)
    there = hours["point"][place] == jumps["point"]
    np.add.at(out, place[there], jumps["amount"][there])
    return out


def hour_columns(hours: NDArray[Any], ledger: Ledger, unexplained: NDArray[np.int64]) -> Mapping[str, Column]:
    """`consumption_hour` of hours of points.

    Parameters
    ----------
    hours : (n,) analytics.columns.register.HOUR_ROW
        At most one row for a point and hour.
    ledger : Ledger
        That `point` indexes.
    unexplained : (n,) int64
        `unexplained_of` the same hours.
    """
    point = hours["point"]
    completeness, measured = shares(hours["covered"], hours["estimated"])
    return {
        "unit_code": Labels(ledger.point_unit[point], ledger.unit_codes),
        "point": Labels(point, ledger.point_codes),
        "carrier": _labels(point, ledger.point_carrier),
        "start": hours["hour"] * US_PER_HOUR,
        "amount": hours["amount"] / MICRO,
        "unit": _units(ledger.point_canonical[point]),
        "completeness": completeness,
        "quality": hours["flags"].astype(np.int16),
        "revision": np.zeros(len(hours), np.int32),
        "measured": measured,
        "unexplained": unexplained / MICRO,
    }


def energy_day_columns(
    hours: NDArray[Any], ledger: Ledger, zone: tzinfo, factors: FactorTable, unexplained: NDArray[np.int64]
) -> Mapping[str, Column]:
    """`unit_energy_day` of all hours of some units.

    Parameters
    ----------
    hours : (n,) analytics.columns.register.HOUR_ROW
    ledger : Ledger
        That `point` indexes.
    zone : tzinfo
        Of the local days.
    factors : FactorTable
    unexplained : (n,) int64
        `unexplained_of` the same hours; summed beside the amounts, never into them.
    """
    membership = Membership.from_ledger(ledger)
    totals = totals_by_day(PointHours.from_register(hours), membership, zone)
    apart = hours.copy()
    apart["amount"] = unexplained
    beside = totals_by_day(PointHours.from_register(apart), membership, zone) if unexplained.any() else None
    keys = membership.keys()
    series = [factors.series(key.carrier, key.symbol, ledger.unit_codes[key.unit]) for key in keys]
    converted = coal_equivalent(totals.amount_micro, totals.at, totals.series, series)
    return {
        "unit_code": Labels(membership.series_unit[totals.series], ledger.unit_codes),
        "scope": Labels(totals.series, [key.scope for key in keys]),
        "name": Labels(totals.series, [key.name for key in keys]),
        "carrier": Labels(totals.series, [key.carrier for key in keys]),
        "day": totals.at.astype(np.int32),
        "amount": totals.amount_micro / MICRO,
        "unit": Labels(totals.series, [key.symbol for key in keys]),
        "tce": converted.tce,
        "completeness": totals.completeness,
        "factor": Labels(converted.factor, converted.texts),
        "sub_unit": Labels(totals.series, [key.sub_unit for key in keys]),
        "measured": totals.measured,
        "quality": totals.quality,
        "unexplained": np.zeros(len(totals.at)) if beside is None else beside.amount_micro / MICRO,
    }


def detection_columns(events: NDArray[Any], ledger: Ledger) -> Mapping[str, Column]:
    """`detections`, or `events`, of what the registers showed.

    Parameters
    ----------
    events : (n,) analytics.columns.register.EVENT_ROW
        The last word on each.
    ledger : Ledger
        That `point` and `installation` index.
    """
    installation = events["installation"].tolist()
    meters = [int(ledger.installations.meter[i]) if i >= 0 else None for i in installation]
    return {
        "unit_code": Labels(ledger.point_unit[events["point"]], ledger.unit_codes),
        "point": Labels(events["point"], ledger.point_codes),
        "meter_no": [None if meter is None else ledger.meter_nos[meter] for meter in meters],
        "kind": [DetectionKind(kind).name.lower() for kind in events["kind"].tolist()],
        "started_at": events["started"],
        "detected_at": events["decided"],
        "magnitude": [magnitude(event) for event in events],
        "confidence": [None] * len(events),  # a rule fired; how often it is right has not been measured
        "evidence": [evidence_json(event, ledger).decode() for event in events],
        "ended_at": [None if ended == NEVER else ended for ended in events["ended"].tolist()],
    }


def gain_columns(rows: Sequence[GainRow], ledger: Ledger) -> Mapping[str, Column]:
    """`detections` of the balance.

    Parameters
    ----------
    rows : sequence of GainRow
    ledger : Ledger
        That they index.
    """
    return {
        "unit_code": [ledger.unit_codes[ledger.point_unit[row.point]] for row in rows],
        "point": [ledger.point_codes[row.point] for row in rows],
        "meter_no": [None if row.meter is None else ledger.meter_nos[row.meter] for row in rows],
        "kind": [row.kind.name.lower() for row in rows],
        "started_at": [row.started_at for row in rows],
        "detected_at": [row.detected_at for row in rows],
        "magnitude": [row.magnitude for row in rows],
        "confidence": [row.confidence for row in rows],
        "evidence": [row.evidence_json().decode() for row in rows],
        "ended_at": [row.ended_at for row in rows],
    }


def observability_columns(verdicts: Sequence[PointVerdict], ledger: Ledger) -> Mapping[str, Column]:
    """`observability` of a ledger's points.

    Parameters
    ----------
    verdicts : sequence of PointVerdict
    ledger : Ledger
        That they index.
    """
    point = np.array([verdict.point for verdict in verdicts], np.int64)
    return {
        "unit_code": Labels(ledger.point_unit[point], ledger.unit_codes),
        "point": Labels(point, ledger.point_codes),
        "question": [verdict.question.value for verdict in verdicts],
        "verdict": [verdict.verdict.value for verdict in verdicts],
        "reason": [verdict.reason.value for verdict in verdicts],
        "share": np.array([verdict.share for verdict in verdicts], np.float64),
        "smallest_30d": np.array([verdict.smallest_30d for verdict in verdicts], np.float64),
        "smallest_90d": np.array([verdict.smallest_90d for verdict in verdicts], np.float64),
        "hours_typical": np.array([verdict.hours_typical for verdict in verdicts], np.float64),
        "hours_worst": np.array([verdict.hours_worst for verdict in verdicts], np.float64),
    }


def rejected_columns(refusals: list[Refusal], taken: Slice, files: list[str]) -> Mapping[str, Column]:
    """`rejected` of readings that a step refused.

    Parameters
    ----------
    refusals : list of Refusal
        Of one reading each.
    taken : Slice
        What the step was given.
    files : list of str
        Names that `Slice.file` indexes.
    """
    at = [(refusal.block, int(refusal.rows[0])) for refusal in refusals]
    blocks = taken.blocks
    names = [blocks[b].meters.names[int(blocks[b].meter[r])].partition("\x1f") for b, r in at]
    return {
        "row": [int(taken.row[b][r]) for b, r in at],
        "reason": [refusal.reason.name.lower() for refusal in refusals],
        "required": [refusal.required for refusal in refusals],
        "got": [refusal.got for refusal in refusals],
        "unit_code": [blocks[b].unit_code for b, _ in at],
        "meter_no": [name for name, _, _ in names],
        "measured_at": [int(blocks[b].measured_at[r]) for b, r in at],
        "value": [float(blocks[b].value[r]) for b, r in at],
        "unit": [blocks[b].units[int(blocks[b].unit[r])] for b, r in at],
        "register": [register or "main" for _, _, register in names],
        "reading": [encode_readings_json(blocks[b], slice(r, r + 1))[0].decode() for b, r in at],
        "file": [files[int(taken.file[b][r])] for b, r in at],
        "readings": [1] * len(refusals),
    }


def _labels(index: NDArray[np.integer], texts: tuple[str, ...]) -> Labels:
    """Labels over the few distinct texts of a long tuple."""
    numbers: dict[str, int] = {}
    codes = np.fromiter((numbers.setdefault(text, len(numbers)) for text in texts), np.int32, len(texts))
    return Labels(codes[index], tuple(numbers))


def _units(codes: NDArray[np.integer]) -> Labels:
    distinct, which = np.unique(codes, return_inverse=True)
    return Labels(which, [unit_of(code).symbol for code in distinct.tolist()])
