"""Ends, units, names, times and rhythms of registers, drawn by seed: each kind through one backfill of many meters.

The cases beside the project hold one of each; what devices and people do varies, so here are others, with the truth.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from click.testing import CliRunner

from deploy.commands.backfill import command
from ingest.result_files import read_results

_HOUR = timedelta(hours=1)
_START = datetime(2024, 6, 3, tzinfo=ZoneInfo("Asia/Shanghai"))
_PLAIN = {"gap", "silence", "stuck", "rollover", "replacement", "multiplier_change"}


@dataclass(slots=True, kw_only=True)
class Meter:
    """A meter, what is known of it, what it says and what is right.

    Attributes
    ----------
    rows : sequence of mapping
        Its rows of the ledger, with what differs from a plain electricity meter.
    said : list of (str, float) or (str, float, str)
        Times, dials, and the register where one is named.
    total : float
        What must be counted. [canonical unit]
    unit : str
        As readings state it.
    kinds : set of str
        One of these must be reported; empty for nothing but what is plain.
    """

    rows: Sequence[Mapping[str, Any]] = field(default_factory=lambda: [{}])
    said: list[tuple[Any, ...]]
    total: float
    unit: str = "kWh"
    kinds: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a run counted of each unit, in which quality, what it reported of it, and what it printed."""

    total: Mapping[str, float]
    worst: Mapping[str, int]
    told: Mapping[str, Mapping[str, int]]
    printed: str


def counted(meters: Sequence[Meter], folder: Path, *, zone: str = "Asia/Shanghai", as_of: str = "") -> Counted:
    """Take meters through one backfill, each as a unit of its own."""
    names = (
        "unit_code", "level", "point", "carrier", "meter_no", "serial_no", "instrument", "unit", "multiplier",
        "installed_from", "installed_to", "first_reading", "last_reading", "interval_s", "full_scale", "max_rate",
    )  # fmt: skip
    plain = {"level": "unit", "point": "P1", "carrier": "electricity", "instrument": "electricity", "unit": "kWh"}
    plain |= {"meter_no": "M1", "multiplier": "1", "installed_from": "2015-01-01", "interval_s": "3600"}
    with (folder / "ledger.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for i, meter in enumerate(meters):
            writer.writerows({"unit_code": f"U{i}"} | plain | dict(row) for row in meter.rows)
    with (folder / "readings.csv").open("w", newline="", encoding="utf-8") as file:
        plain_writer = csv.writer(file)
        plain_writer.writerow(["unit_code", "meter_no", "measured_at", "value", "unit", "register"])
        for i, meter in enumerate(meters):
            for at, value, *register in meter.said:
                plain_writer.writerow([f"U{i}", "M1", at, value, meter.unit, *(register or [""])])
    words = ["--ledger", folder / "ledger.csv", "--readings", folder / "readings.csv", "--out", folder / "out"]
    ran = CliRunner().invoke(
        command, [*map(str, words), "--zone", zone, *(["--as-of", as_of] if as_of else [])], catch_exceptions=False
    )
    assert ran.exit_code == 0, ran.output
    total, worst = dict.fromkeys((f"U{i}" for i in range(len(meters))), 0.0), dict[str, int]()
    for row in read_results(folder / "out", "consumption_hour").to_pylist():
        total[row["unit_code"]] += row["amount"]
        worst[row["unit_code"]] = max(worst.get(row["unit_code"], 0), row["quality"])
    told: dict[str, dict[str, int]] = {code: {} for code in total}
    for name in ("detections", "events"):
        for row in read_results(folder / "out", name).to_pylist():
            told[row["unit_code"]][row["kind"]] = told[row["unit_code"]].get(row["kind"], 0) + 1
    return Counted(total=total, worst=worst, told=told, printed=ran.output)


def wrong_of(meters: Sequence[Meter], found: Counted) -> dict[str, str]:
    """Reasons by unit why it is not right; none where all is."""
    out = {}
    for i, meter in enumerate(meters):
        code = f"U{i}"
        if abs(found.total[code] - meter.total) > 1e-6 * max(1.0, meter.total) + 2e-6:
            out[code] = f"counted {found.total[code]:g}, not {meter.total:g}; told {dict(found.told[code])}"
        elif meter.kinds and not meter.kinds & set(found.told[code]):
            out[code] = f"one of {sorted(meter.kinds)} must be told (got {sorted(found.told[code])})"
        elif not meter.kinds and set(found.told[code]) - _PLAIN:
            out[code] = f"told {sorted(set(found.told[code]) - _PLAIN)} of a sound meter"
    return out


def hourly(n: int, step: float, start: float, *, first: datetime = _START, every: timedelta = _HOUR) -> list[Any]:
    """A steady register."""
    return [((first + i * every).isoformat(), round(start + i * step, 4)) for i in range(n)]


def draws(n: int, seed: int) -> list[tuple[float, float]]:
    """Steps and starts of registers of many sizes."""
    rng = np.random.default_rng(seed)
    return [
        (round(float(10.0 ** rng.uniform(-1.0, 2.5)), 1) or 0.1, float(round(10.0 ** rng.uniform(2, 5))))
        for _ in range(n)
    ]


def test_a_declared_end_is_counted_up_to_whatever_follows_the_last_reading(tmp_path: Path) -> None:
    meters = []
    for i, (step, start) in enumerate(draws(12, 1)):
        after = (1, 5, 12, 30, 200, 700)[i % 6]
        end = _START + (47 + after) * _HOUR
        last = start + (47 + after) * step
        row = {"installed_to": f"{end:%Y-%m-%d %H:%M}", "last_reading": f"{last:g}" if last < 1e6 else str(last)}
        meters.append(Meter(rows=[row], said=hourly(48, step, start), total=float(row["last_reading"]) - start))
    assert wrong_of(meters, counted(meters, tmp_path, as_of="2024-09-01")) == {}


def test_a_declared_start_is_counted_from_however_long_before_the_first_reading(tmp_path: Path) -> None:
    meters = []
    for i, (step, start) in enumerate(draws(12, 2)):
        days, ratio = (1, 20, 32, 40, 100, 380)[i % 6], (1, 20, 60)[i % 3]
        first = start + days * 24 * step
        row = {"installed_from": f"{_START - timedelta(days=days):%Y-%m-%d %H:%M}", "first_reading": f"{start:g}"}
        row |= {"multiplier": str(ratio)}
        meters.append(Meter(rows=[row], said=hourly(48, step, first), total=ratio * (47 + days * 24) * step))
    found = counted(meters, tmp_path)
    assert wrong_of(meters, found) == {}
    assert all(found.worst.values())  # nobody knows in which hours


@pytest.mark.parametrize("other", ["another serial number", "the same instrument with new dials"])
def test_one_number_for_two_instruments_is_two_registers(tmp_path: Path, other: str) -> None:
    meters = []
    for i, (step, start) in enumerate(draws(8, 3)):
        at = 10 + 3 * i
        swap = _START + at * _HOUR
        new, serial = (0.0, 0.2, 500.0, 98_000.0)[i % 4], "B" if other.startswith("another") else "A"
        old = {"installed_to": f"{swap:%Y-%m-%d %H:%M}", "last_reading": f"{start + at * step:.4f}", "serial_no": "A"}
        fresh = {"installed_from": f"{swap:%Y-%m-%d %H:%M}", "first_reading": str(new), "serial_no": serial}
        said = hourly(at, step, start) + hourly(40, step, new + step, first=swap + _HOUR)
        meters.append(Meter(rows=[old, fresh], said=said, total=(at + 40) * step))
    found = counted(meters, tmp_path)
    assert wrong_of(meters, found) == {}
    assert all("replacement" in told for told in found.told.values())


@pytest.mark.parametrize(("carrier", "big", "small", "factor"), [("electricity", "kWh", "Wh", 1e3),
                                                                 ("electricity", "MWh", "kWh", 1e3),
                                                                 ("water", "m3", "L", 1e3)])  # fmt: skip
def test_a_ledger_that_changes_the_unit_and_a_gateway_that_does_not_are_a_contradiction_that_is_told(
    tmp_path: Path, carrier: str, big: str, small: str, factor: float
) -> None:
    meters = []
    for i, (step, start) in enumerate(draws(6, 4)):
        at = 30 + 5 * i
        change = _START + at * _HOUR - timedelta(minutes=30)
        common = {"carrier": carrier, "instrument": "electricity" if carrier == "electricity" else "water_flow"}
        rows: list[Mapping[str, Any]] = [
            common | {"unit": big, "installed_to": f"{change:%Y-%m-%d %H:%M}"},
            common | {"unit": small, "installed_from": f"{change:%Y-%m-%d %H:%M}"},
        ]
        said = hourly(at, step, start)
        said += [(t, round(v * factor, 3)) for t, v in hourly(40, step, start + at * step, first=_START + at * _HOUR)]
        meters.append(Meter(rows=rows, said=said, total=0.0, unit=big))
    found = counted(meters, tmp_path)
    canonical = 1e3 if big == "MWh" else 1.0
    for i, (step, _) in enumerate(draws(6, 4)):
        true = (69 + 5 * i) * step * canonical
        assert found.total[f"U{i}"] <= 1.05 * true
        assert found.told[f"U{i}"].keys() & {"unit", "scale", "unit_mismatch"} or found.total[f"U{i}"] > 0.98 * true


@pytest.mark.parametrize(
    ("carrier", "instrument", "unit", "names"),
    [
        ("electricity", "electricity", "kWh",
         ["Main", "TOTAL", "total", "正向有功总电能", "1-0:1.8.0*255", "1.8.0", "1-0:1.8.0", "1.0.1.8.0.255", "主",
          "Total Active Energy", "total_active_energy", "Active Energy Import", "forward-active-energy", "EP+",
          "当前正向有功总电能", "正向有功总电能（kWh）"]),
        ("water", "water_flow", "m3",
         ["Volume", "Total Flow", "累计流量", "8-0:1.0.0", "正向累计流量", "total_volume"]),
        ("hot_water", "heat", "GJ", ["Heat", "累计热量", "total heat", "6-0:1.0.0", "HeatEnergy"]),
    ],
)  # fmt: skip
def test_names_of_the_main_register_are_known(
    tmp_path: Path, carrier: str, instrument: str, unit: str, names: list[str]
) -> None:
    row = {"carrier": carrier, "instrument": instrument, "unit": unit}
    meters = [
        Meter(rows=[row], said=[(at, value, name) for at, value in hourly(30, step, start)], total=29 * step, unit=unit)
        for name, (step, start) in zip(names, draws(len(names), 5), strict=True)
    ]
    wrong = wrong_of(meters, counted(meters, tmp_path))
    assert {names[int(code[1:])]: why for code, why in wrong.items()} == {}


def test_reverse_and_tariffs_stand_apart_and_a_meter_of_which_nothing_else_came_is_reported(tmp_path: Path) -> None:
    names = ["反向有功总电能", "1-0:2.8.0", "1-0:1.8.1", "正向有功尖电能", "tariff 2", "foo", "D1", "寄存器7"]
    meters = [
        Meter(said=[(at, value, name) for at, value in hourly(20, step, start)], total=0.0)
        for name, (step, start) in zip(names, draws(len(names), 6), strict=True)
    ]
    found = counted(meters, tmp_path)
    assert wrong_of(meters, found) == {}
    for i in range(len(names)):
        apart = any(word in names[i] for word in ("反向", "2.8.0", "1.8.1", "尖", "tariff"))
        assert apart or f"U{i}" in found.printed, found.printed


@pytest.mark.parametrize(("zone", "day"), [("Europe/London", "2020-10-25"), ("Europe/Berlin", "2021-10-31"),
                                           ("America/New_York", "2022-11-06")])  # fmt: skip
def test_an_ambiguous_hour_is_ordered_by_its_register_whichever_way_the_file_goes(
    tmp_path: Path, zone: str, day: str
) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    meters = []
    for i, (step, start) in enumerate(draws(8, 7)):
        every = timedelta(minutes=(15, 30, 60)[i % 3])
        n = int(timedelta(hours=8) / every)
        local = [
            ((midnight + j * every).astimezone(ZoneInfo(zone)).replace(tzinfo=None).isoformat(" "),
             round(start + j * step, 4))
            for j in range(n)
        ]  # fmt: skip
        order = [local, local[::-1], [*local[n // 2 :], *local[: n // 2]]][i % 3]
        row = {"interval_s": str(int(every.total_seconds()))}
        meters.append(Meter(rows=[row], said=order, total=(n - 1) * step))
    found = counted(meters, tmp_path, zone=zone)
    assert wrong_of(meters, found) == {}
    assert set(found.worst.values()) == {0}


def test_a_rhythm_that_is_not_the_ledgers_is_one_finding_and_no_gap(tmp_path: Path) -> None:
    meters = []
    for (step, start), (said, every) in zip(
        draws(6, 8), [(900, 3600), (300, 1800), (60, 900), (3600, 86_400), (900, 7200), (1800, 3600)], strict=True
    ):
        n = 40 if every == 86_400 else 200
        meters.append(
            Meter(
                rows=[{"interval_s": str(said)}],
                said=hourly(n, step, start, every=timedelta(seconds=every)),
                total=(n - 1) * step,
                kinds={"interval"},
            )
        )
    found = counted(meters, tmp_path)
    assert wrong_of(meters, found) == {}
    assert [told["interval"] for told in found.told.values()] == [1] * 6
    assert max(told.get("gap", 0) for told in found.told.values()) <= 1


@pytest.mark.parametrize("days", [7, 30, 90])
def test_monthly_and_hand_read_meters_are_lawful(tmp_path: Path, days: int) -> None:
    first = _START - timedelta(days=1200)
    rng = np.random.default_rng(9)
    meters = []
    for step, start in draws(6, 9):
        slips = rng.uniform(-0.07, 0.07, 14) * days
        at = [first + timedelta(days=float(days * j + (slips[j] if j else 0.0))) for j in range(14)]
        said = [(f"{one:%Y-%m-%dT%H:%M:00+08:00}", round(start + j * 24 * days * step, 4)) for j, one in enumerate(at)]
        row = {"interval_s": str(days * 86_400)}
        meters.append(Meter(rows=[row], said=said, total=13 * 24 * days * step))
    found = counted(meters, tmp_path)
    assert wrong_of(meters, found) == {}
    assert {kind for told in found.told.values() for kind in told} & {"gap", "silence", "stuck", "interval"} == set()
