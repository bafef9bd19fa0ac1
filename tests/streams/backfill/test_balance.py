"""A meter that begins to count 4 % too little: from its registers to `detections` and `observability`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.drift.groups import BalanceGroups
from ingest.readings import FilePart
from ingest.result_files import read_results
from ingest.standard_files import read_factors
from ingest.wire import Block, MeterList
from streams.backfill import Report, backfill
from streams.steps.balance import Replacement, replacements
from tests.analytics.drift.worlds import world
from tests.benchmarks.drift.simulation import FaultKind, Simulated
from tests.ledgers import ledger_of

HOUR_US = 3_600_000_000
CHILDREN = 4
DAYS = 112


def plant() -> list[dict[str, object]]:
    main = {"point": "in", "meter_no": "M0", "parent_complete": True, "accuracy_class": "0.5S", "interval_s": 3600.0}
    return [
        main,
        *(
            {
                "point": f"c{i}",
                "parent_point": "in",
                "level": "sub_unit",
                "sub_unit": f"W{i}",
                "meter_no": f"M{i + 1}",
                "accuracy_class": "1.0",
                "interval_s": 3600.0,
            }
            for i in range(CHILDREN)
        ),
    ]


@dataclass
class Registers:
    """The simulated meters' dials, read at every full hour."""

    simulated: Simulated
    name: str = "registers"

    @property
    def likely_readings(self) -> int:
        return (CHILDREN + 1) * (len(self.simulated.hours) + 1)

    def parts(self) -> Iterator[FilePart]:
        hours = self.simulated.hours
        at = np.append(hours.hour, hours.hour[-1] + 1) * HOUR_US
        columns = [hours.parent[:, 0], *hours.child.T]
        blocks = [block(f"M{i}", at, np.append(0.0, np.cumsum(column)).round(3)) for i, column in enumerate(columns)]
        yield FilePart(blocks=blocks, faults=[], share=1.0)


def block(
    meter: str, at: np.ndarray[tuple[int], np.dtype[np.int64]], dial: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> Block:
    n = len(at)
    return Block(
        unit_code="U", meters=MeterList.of([meter]), meter=np.zeros(n, np.int32), measured_at=at, value=dial,
        units=("kWh",), unit=np.zeros(n, np.uint8), received_at=at + 1_000_000, quality=np.zeros(n, np.int16),
        message=np.arange(n, dtype=np.int32), position=np.zeros(n, np.int32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Simulated, Report]:
    simulated = world([CHILDREN], DAYS, kind=FaultKind.STEP, size=-0.04)
    out = tmp_path_factory.mktemp("balance") / "out"
    ledger = ledger_of(*plant())
    report = backfill(ledger, [Registers(simulated)], out, zone=ZoneInfo("Asia/Shanghai"), factors=read_factors())
    return out, simulated, report


def test_the_meter_is_named_with_size_start_and_energy(faulty: tuple[Path, Simulated, Report]) -> None:
    out, simulated, report = faulty
    rows = [row for row in read_results(out, "detections").to_pylist() if row["kind"].startswith("gain")]
    (row,) = rows
    assert (row["point"], row["meter_no"], row["kind"]) == ("c0", "M1", "gain_step")
    assert row["magnitude"] == pytest.approx(-0.04, abs=0.01)
    began = (int(simulated.hours.hour[0]) + simulated.faults[0].start) * 3600
    assert abs(row["started_at"].timestamp() - began) <= 3 * 86_400
    assert 0 < row["detected_at"].timestamp() - began <= 15 * 86_400
    evidence = json.loads(row["evidence"])
    assert evidence["magnitude_low"] < row["magnitude"] < evidence["magnitude_high"]
    assert (evidence["unit"], evidence["energy"] < 0) == ("kWh", True)
    assert evidence["candidates"][0]["point"] == "c0"
    assert report.detections["gain_step"] == 1


def test_every_point_has_a_verdict_for_each_question(faulty: tuple[Path, Simulated, Report]) -> None:
    out, _, _ = faulty
    rows = read_results(out, "observability").to_pylist()
    assert {(row["point"], row["question"]) for row in rows} == {
        (point, question)
        for point in ("in", "c0", "c1", "c2", "c3")
        for question in ("drift", "ratio", "stuck", "rise")
    }
    assert {row["verdict"] for row in rows if row["point"] == "c1"} == {"observable"}
    hours = {(row["question"], row["hours_worst"]) for row in rows if row["point"] == "c1"}
    assert hours == {("drift", None), ("ratio", None), ("stuck", 16.0), ("rise", None)}


def test_a_replacement_in_the_ledger_is_known_to_the_balance() -> None:
    rows = plant()
    rows[1] |= {"installed_to": 1000 * HOUR_US}
    rows.append(rows[1] | {"meter_no": "M9", "installed_from": 1000 * HOUR_US, "installed_to": 2**62})
    ledger = ledger_of(*rows)

    groups = BalanceGroups.from_ledger(ledger)
    assert replacements(ledger, groups, first=0, end=2000) == (Replacement(hour=1000, group=0, child=0),)
    assert replacements(ledger, groups, first=1001, end=2000) == ()
