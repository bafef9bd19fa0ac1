"""A region judged: 1,000 units of 300 points, every clause, with data."""

import json
import sys
import time
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analytics.domain.ledger import COLUMNS, Ledger, LedgerRows, TextColumn
from analytics.domain.ledger.schema import NO_DAY, OPEN_END, Storage
from analytics.standards.assessment import assess
from analytics.standards.facts import load_facts
from analytics.standards.scene import Evidence, Use, UseKey
from ingest.standard_files import standards_from
from tests.analytics.standards.judged import DAY, shipped_book, shipped_rules

pytestmark = pytest.mark.benchmark

UNITS, POINTS = 1000, 300
CARRIERS = ("electricity", "electricity", "electricity", "water", "natural_gas", "steam")
INSTRUMENT = {"electricity": "electricity", "water": "water_flow", "natural_gas": "gas_flow", "steam": "steam_flow"}
UNIT = {"electricity": "kWh", "water": "m3", "natural_gas": "Nm3", "steam": "GJ"}


def region() -> Ledger:
    """Every unit has 6 incoming points, 30 sub-units and their devices; a few are bare, old, coarse or exempt."""
    rng = np.random.default_rng(17167)
    n = UNITS * POINTS
    place, unit = np.tile(np.arange(POINTS), UNITS), np.repeat(np.arange(UNITS), POINTS)
    carrier = [CARRIERS[i % len(CARRIERS)] for i in place.tolist()]
    level = np.select([place < 6, place < 36], ["unit", "sub_unit"], "equipment").tolist()
    bare = rng.uniform(size=n) < 0.03
    exempt = rng.uniform(size=n) < 0.04
    age = rng.integers(10, 2300, n)
    columns: dict[str, Any] = {
        "unit_code": [f"U{u:05d}" for u in unit.tolist()],
        "unit_name": [f"Unit {u}" for u in unit.tolist()],
        "point": [f"P{p:04d}" for p in place.tolist()],
        "parent_point": [f"P{p % 36:04d}" if p >= 36 else "" for p in place.tolist()],
        "level": level,
        "sub_unit": [f"S{p % 36}" if p >= 6 else "" for p in place.tolist()],
        "equipment": [f"E{p}" if p >= 36 else "" for p in place.tolist()],
        "carrier": carrier,
        "direction": ["in"] * n,
        "annual_use": np.exp(rng.normal(11, 2, n)),
        "rated_power_kw": np.where(rng.uniform(size=n) < 0.8, np.exp(rng.normal(4.5, 1, n)), np.nan),
        "required": ~exempt,
        "exemption": ["辅助用能,低于限定值" if x else "" for x in exempt.tolist()],
        "meter_no": ["" if b else f"M{p:04d}" for p, b in zip(place.tolist(), bare.tolist(), strict=True)],
        "serial_no": ["" if b else f"S{u}-{p}" for u, p, b in zip(unit, place, bare.tolist(), strict=True)],
        "instrument": ["" if b else INSTRUMENT[c] for c, b in zip(carrier, bare.tolist(), strict=True)],
        "purpose": ["100" if c == "water" else "" for c in carrier],
        "accuracy_class": rng.choice(["0.5S", "0.5", "1", "2", "2.5"], n, p=[0.2, 0.2, 0.3, 0.25, 0.05]).tolist(),
        "status": rng.choice(["qualified", "limited", "out_of_use"], n, p=[0.96, 0.03, 0.01]).tolist(),
        "unit": [UNIT[c] for c in carrier],
        "verified_on": (DAY - age).astype(np.int32),
        "verification_due": (DAY - age + 2190).astype(np.int32),
        "cycle_months": np.full(n, 72.0),
        "multiplier": np.ones(n),
        "interval_s": np.full(n, 900.0),
        "installed_from": np.zeros(n, np.int64),
        "installed_to": np.full(n, OPEN_END),
    }
    for name in ("name", "model", "range", "manufacturer", "place"):
        columns[name] = ["x"] * n
    cells = {}
    for name, spec in COLUMNS.items():
        if spec.storage is Storage.TEXT:
            cells[name] = TextColumn.of(columns.get(name, [""] * n))
        elif spec.storage is Storage.DAY:
            cells[name] = columns.get(name, np.full(n, NO_DAY, np.int32))
        elif spec.storage is Storage.FLAG:
            cells[name] = columns.get(name, np.zeros(n, np.bool_))
        else:
            empty = np.full(n, np.nan) if spec.storage is Storage.NUMBER else np.full(n, np.iinfo(np.int64).min)
            cells[name] = columns.get(name, empty)
    return Ledger.from_rows(LedgerRows.of(cells))


def evidence_of(ledger: Ledger) -> Evidence:
    rng = np.random.default_rng(1356)
    points = len(ledger.point_codes)
    uses = {}
    for p in range(points):
        scope = ("unit", "sub_unit", "equipment")[ledger.point_level[p]]
        name = ledger.point_equipment[p] if scope == "equipment" else ledger.point_sub_unit[p]
        key = UseKey(int(ledger.point_unit[p]), scope, ledger.point_sub_unit[p], name, ledger.point_carrier[p])
        uses[key] = Use(amount=1e5, days=30, most_in_an_hour=50.0, symbol=UNIT[ledger.point_carrier[p]])
    return replace(
        Evidence.none(ledger),
        uses=uses,
        completeness=1 - rng.uniform(size=points) ** 40,  # one in seventeen sends too little
        start_deviation_s=rng.uniform(0, 61, points),
        month_deviation_d=np.where(rng.uniform(size=points) < 0.02, 2.0, np.nan),
        silent_since=np.where(rng.uniform(size=points) < 0.01, DAY * 86_400_000_000, np.iinfo(np.int64).min),
    )


def test_a_region_is_judged() -> None:
    ledger = region()
    evidence = evidence_of(ledger)
    book, rules = shipped_book(), shipped_rules()
    boiler = {"kind": "conversion", "name": "boilers", "inputs": ["natural_gas"], "outputs": ["steam"], "source": "s"}
    facts = load_facts([{"activity": [{**boiler, "unit_code": code} for code in ledger.unit_codes]}])
    began, cpu = time.perf_counter(), time.process_time()
    found = assess(
        ledger,
        book=book,
        rules=rules,
        facts=facts,
        evidence=evidence,
        day=DAY,
        at_us=DAY * 86_400_000_000,
        zone=ZoneInfo("Asia/Shanghai"),
        water=standards_from().water,
    )
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert len(found.standings) == UNITS
    assert len(found.findings) > UNITS * 10
    shape = {"units": UNITS, "points": len(ledger.point_codes), "findings": len(found.findings), "cpu_s": round(cpu, 2)}
    line = {"bench": "compliance of a region", "value": round(took, 2), "unit": "s", **shape}
    sys.stdout.write(json.dumps(line) + "\n")
