"""Every rule of the register, on sequences worked out by hand (tests/golden/registers.toml)."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analytics.columns.register import ACCEPTED, CONFLICT, DUPLICATE
from analytics.domain.quality import DetectionKind, hour_flag_names
from tests.registers import DAY, HOUR_US, clock, follow, installations

CASES: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "golden" / "registers.toml").read_text(encoding="utf-8")
)["case"]
NAMES = {"accepted": ACCEPTED, "duplicate": DUPLICATE, "conflict": CONFLICT}


@pytest.mark.parametrize("pieces", ["whole", "one by one"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_register(case: dict[str, Any], pieces: str) -> None:
    common = case.get("installation", {})
    inst = installations([{**common, **facts} for facts in case.get("installations", [{}])])
    at = np.array([clock(reading[0]) for reading in case["readings"]], np.int64)
    value = np.array([float(reading[1]) for reading in case["readings"]])
    meter = np.array([reading[2] if len(reading) > 2 else 0 for reading in case["readings"]], np.int32)
    cuts = range(1, len(at)) if pieces == "one by one" else ()
    _, parts = follow(inst, at, value, meter=meter, cuts=cuts)

    rows = {int(row["hour"]) - 24 * DAY: row for part in parts for row in part.hours}
    got = [
        [hour, row["amount"] / 1e6, round(float(row["covered"]) / HOUR_US, 7), hour_flag_names(int(row["flags"]))]
        for hour, row in sorted(rows.items())
    ]
    assert got == [[*hour] for hour in case["hours"]]

    events = [[DetectionKind(int(e["kind"])).name.lower(), int(e["started"])] for part in parts for e in part.events]
    assert sorted(events) == sorted([kind, clock(at)] for kind, at in case.get("events", []))

    said = np.concatenate([part.disposition for part in parts])
    assert said.tolist() == [NAMES[name] for name in case.get("dispositions", ["accepted"] * len(at))]
