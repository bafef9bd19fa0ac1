"""A backfill has the same evidence on a ledger's points and a day as the database has of the same hours."""

import asyncio
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from analytics.columns.register import EVENT_ROW, HOUR_ROW, NEVER
from analytics.domain.instants import US_PER_DAY, US_PER_HOUR
from analytics.domain.ledger import Ledger
from analytics.domain.quality import DetectionKind, HourFlag
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.scene import Evidence
from ingest.standard_files import standards_from
from streams.backfill.findings import evidence_of
from streams.compliance.evidence import Moment, read_evidence
from streams.rows.layout import StoredLedger, TopicPartition
from streams.rows.of_results import detection_rows, dirty_spans, hour_rows
from tests.streams.agents.test_totals import agent_of
from tests.streams.compliance.test_compliance import SHANGHAI, load, meter
from tests.streams.store.conftest import connected, emptied, opened

pytestmark = pytest.mark.integration

DAY = date(2026, 3, 20)
DAYS = 100
"""Of hours up to the end of `DAY`: longer than two months between readings by hand."""
END_US = (DAY.toordinal() - EPOCH_ORDINAL + 1) * US_PER_DAY - 8 * US_PER_HOUR
MONTH_S = 30 * 86_400
WINDOW_DAYS = standards_from().rules.data_quality.window_days


def rows() -> list[Any]:
    """Every way in which a point counts: each level, meters read often, daily and monthly, and a new one."""
    old, lapsed = date(2025, 6, 1), date(2026, 2, 1)
    return [
        meter("A", verified=old),
        meter("B", parent="A", level="sub_unit", sub_unit="铸造", verified=old),
        meter("C", parent="B", level="equipment", sub_unit="铸造", equipment="炉", verified=old, interval_s=3600),
        meter("D", verified=old, interval_s=86_400, cycle_months=None, verification_due=lapsed.isoformat()),
        meter("E", verified=old, interval_s=MONTH_S),
        meter("F", unit="U2", verified=old, installed_from="2026-03-01"),
    ]  # fmt: skip


def made(ledger: Ledger, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Hours with holes, halves and estimates, and detections that last or do not; by the ledger's indices."""
    rng = np.random.default_rng(seed)
    points = len(ledger.point_codes)
    first = END_US // US_PER_HOUR - 24 * DAYS
    hour = np.tile(np.arange(first, first + 24 * DAYS), points)
    point = np.repeat(np.arange(points, dtype=np.int32), 24 * DAYS)
    kept = rng.random(len(hour)) < rng.choice([0.5, 0.9, 1.0], points)[point]
    kept &= hour * US_PER_HOUR >= ledger.installations.installed_from[point]  # one installation a point, in order
    hours = np.zeros(int(kept.sum()), HOUR_ROW)
    hours["point"], hours["hour"] = point[kept], hour[kept]
    hours["amount"] = rng.integers(0, 10**9, len(hours))
    hours["covered"] = rng.choice([US_PER_HOUR, US_PER_HOUR // 2], len(hours))
    hours["estimated"] = np.where(rng.random(len(hours)) < 0.2, hours["covered"], 0)
    hours["flags"] = np.where(hours["estimated"] > 0, int(HourFlag.ESTIMATED), 0)
    kinds = (DetectionKind.SILENCE, DetectionKind.GAP, DetectionKind.STUCK, DetectionKind.SPIKE)
    events = np.zeros(8, EVENT_ROW)
    events["point"] = rng.permutation(np.repeat(np.arange(points), 2))[:8]
    events["installation"] = events["point"]
    events["kind"] = rng.choice([kind.value for kind in kinds], 8)
    events["started"] = END_US - (1 + rng.permutation(8)) * US_PER_DAY
    events["ended"] = np.where(rng.random(8) < 0.5, NEVER, events["started"] + US_PER_HOUR)
    events["decided"] = events["started"] + US_PER_HOUR
    return hours, events


async def stored_evidence(dsn: str, stored: StoredLedger, hours: NDArray[Any], events: NDArray[Any]) -> Evidence:
    """The way of the live system: hours and detections into the database, totals made of them, evidence read back."""
    async with opened(dsn) as store:
        assigned = await store.assign(TopicPartition("metering.readings", uuid.uuid4(), 0), partitions=1)
        stored_hours = hour_rows(hours, stored)
        async with store.transaction(assigned, at=0) as tx:
            await tx.write_hours(stored_hours)
            await tx.write_detections(detection_rows(events, stored))
            await tx.mark_dirty(*dirty_spans(stored_hours))
        async with agent_of(dsn, store, stored) as agent:
            while await agent.once(stored):
                pass
    moment = Moment.of(DAY, now=datetime.now(UTC) + timedelta(days=3650), zone=SHANGHAI)
    async with connected(dsn) as connection:
        return await read_evidence(connection, stored, moment, rules=standards_from().rules.data_quality)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_backfill_and_the_store_have_the_same_evidence(module_database: str, seed: int) -> None:
    dsn = emptied(module_database)
    stored = asyncio.run(load(dsn, *rows()))
    hours, events = made(stored.ledger, seed)
    live = asyncio.run(stored_evidence(dsn, stored, hours, events))
    day = DAY.toordinal() - EPOCH_ORDINAL
    filed = evidence_of(hours, events, stored.ledger, day=day, window_days=WINDOW_DAYS, until_us=END_US, zone=SHANGHAI)

    assert set(filed.uses) == set(live.uses)
    for key, use in live.uses.items():
        mine = filed.uses[key]
        assert (mine.days, mine.symbol) == (use.days, use.symbol)
        assert mine.amount == pytest.approx(use.amount)
        assert mine.most_in_an_hour == pytest.approx(use.most_in_an_hour, nan_ok=True)
    assert filed.completeness == pytest.approx(live.completeness, abs=1e-5, nan_ok=True)
    assert np.isfinite(live.completeness).all()
    assert filed.at_risk == pytest.approx(live.at_risk, nan_ok=True)
    assert np.isfinite(live.at_risk).any()
    assert filed.silent_since.tolist() == live.silent_since.tolist()
    assert filed.fault_since.tolist() == live.fault_since.tolist()
