"""Ten million point-hours to days and totals: what a region of 1,100 points makes in a year."""

import json
import sys
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.columns.aggregation import PointHours, consumption_day, totals_by_day, totals_by_hour
from analytics.columns.intervals import day_index
from analytics.columns.membership import Membership
from tests.ledgers import ledger_of

pytestmark = pytest.mark.benchmark

POINTS, HOURS = 1_140, 8_772
CARRIERS = ("electricity", "steam", "water")


def region() -> tuple[Membership, PointHours]:
    rows = []
    for i in range(POINTS):
        level = ("unit", "sub_unit", "equipment")[i % 3]
        rows.append(
            {
                "unit_code": f"U{i // 30}",
                "point": f"p{i:05d}",
                "level": level,
                "sub_unit": f"workshop {i % 5}",
                "equipment": f"machine {i % 10}",
                "carrier": CARRIERS[i % 7 % 3],
                "unit": ("kWh", "t", "m3")[i % 7 % 3],
                "meter_no": f"M{i}",
            }
        )
    rng = np.random.default_rng(17)
    n = POINTS * HOURS
    hours = PointHours(
        point=np.repeat(np.arange(POINTS, dtype=np.int32), HOURS),
        hour=np.tile(np.arange(HOURS) + 24 * day_index(2026, 1, 1), POINTS),
        amount_micro=rng.integers(0, 10**10, n),
        covered_ms=np.full(n, 3_600_000),
        measured_ms=np.full(n, 3_600_000),
        quality=np.zeros(n, np.int16),
    )
    return Membership.from_ledger(ledger_of(*rows)), hours


def measured(bench: str, rows: int, work: Callable[[], object]) -> None:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    value = rows / float(np.median(took))
    sys.stdout.write(json.dumps({"bench": bench, "value": round(value), "unit": "point-hours/s"}) + "\n")
    assert value > 0


def test_ten_million_point_hours_become_days_and_totals() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    membership, hours = region()
    shuffled = hours.take(np.random.default_rng(3).permutation(len(hours)))
    measured("aggregation: hours of points to local days", len(hours), lambda: consumption_day(hours, zone))
    measured("aggregation: hours of points to hourly totals", len(hours), lambda: totals_by_hour(hours, membership))
    measured("aggregation: hours of points to daily totals", len(hours), lambda: totals_by_day(hours, membership, zone))
    measured("aggregation: the same from rows in any order", len(hours), lambda: totals_by_hour(shuffled, membership))
