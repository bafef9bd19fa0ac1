"""Output of the demo: consumption by unit, faults found, readings refused, and the checks."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from rich.console import Console
from rich.table import Table

from analytics.domain.quality import DetectionKind
from analytics.domain.units import CARRIERS
from deploy.region.model import Region
from deploy.region.outcome import Outcome
from deploy.region.verify import Account, Check, KindScore
from deploy.region.workshop import Named, Workshop

__all__ = ["tell_account", "tell_checks", "tell_kinds", "tell_named", "tell_units"]

_ORDER = tuple(CARRIERS)
_REMARKS = dict.fromkeys(
    (DetectionKind.GAIN_STEP, DetectionKind.GAIN_DRIFT, DetectionKind.BALANCE_CHANGE),
    "needs a balance over weeks: see the workshop below",
)


def tell_units(console: Console, region: Region, outcome: Outcome) -> None:
    """A line for each unit and carrier."""
    table = Table(title="what each unit used", title_justify="left")
    for name in ("unit", "sector", "carrier"):
        table.add_column(name, no_wrap=True)
    for name in ("used", "", "tce", "complete", "faults found"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    totals = outcome.totals
    for unit in region.units:
        mine = totals[totals["unit"] == unit.index]
        found = _faulty_points(region, outcome, unit.index)
        head = (unit.name, unit.sector)
        for series in sorted(np.unique(mine["series"]).tolist(), key=lambda s: _ORDER.index(outcome.series[s][0])):
            rows = mine[mine["series"] == series]
            carrier, symbol = outcome.series[series]
            tce = rows["tce"].sum()
            table.add_row(
                *head,
                carrier,
                f"{rows['micro'].sum() / 1e6:,.0f}",
                symbol,
                "–" if np.isnan(tce) else f"{tce:,.1f}",
                f"{rows['completeness'].mean():.1%}",
                found,
            )
            head, found = ("", ""), ""
        table.add_section()
    console.print(table)
    console.print("tce –: no factor is certain without a measured calorific value or a named fuel\n", style="dim")


def _faulty_points(region: Region, outcome: Outcome, unit: int) -> str:
    injected = [f for f in region.truth.faults if f.unit_code == region.units[unit].code]
    said = {(d.kind, region.points[d.point].code) for d in outcome.detections if region.points[d.point].unit == unit}
    found = sum((f.kind, f.point) in said for f in injected)
    return f"{found} of {len(injected)}"


def tell_kinds(console: Console, scores: Sequence[KindScore]) -> None:
    """A line for each kind of fault; what nothing looks for yet is marked."""
    table = Table(title="faults by kind", title_justify="left")
    for name in ("kind", "put in", "found", "reported elsewhere", ""):
        table.add_column(name, justify="right" if name in {"put in", "found", "reported elsewhere"} else "left")
    for score in scores:
        remark = "" if score.looked_for else _REMARKS.get(score.kind, "not looked for yet")
        table.add_row(score.kind.name.lower(), str(score.injected), str(score.found), str(score.elsewhere), remark)
    console.print(table)
    console.print(
        "reported elsewhere: another kind of fault looks like it there, readings came late, or repeats were sent\n",
        style="dim",
    )


def tell_account(console: Console, account: Account) -> None:
    """A line for each reason of refusal."""
    table = Table(title="readings refused, by reason", title_justify="left")
    table.add_column("reason")
    table.add_column("refused", justify="right")
    table.add_column("should be", justify="right")
    for reason, (found, expected) in account.by_reason.items():
        style = "" if found == expected else "bold red"
        table.add_row(reason.name.lower(), f"{found:,}", f"{expected:,}", style=style)
    console.print(table)


def tell_checks(console: Console, checks: Sequence[Check]) -> None:
    """A line for each check."""
    for check in checks:
        mark = "[green]right[/]" if check.ok else "[bold red]WRONG[/]"
        wrong = f", {check.failed:,} of them wrong" if check.failed else ""
        worst = f" (furthest: {check.worst})" if check.worst else ""
        console.print(f"{mark}  {check.name}: {check.compared:,} compared{wrong}{worst}")
    console.print()


def tell_named(console: Console, workshop: Workshop, named: Sequence[Named]) -> None:
    """A line for each meter of the workshop that the balance names, or that has a fault, with the truth beside it."""
    console.print("meters that a workshop's balance names, and the truth", style="italic")
    found = {one.meter_no: one for one in named}
    truth = {fault.meter_no: fault for fault in workshop.faults}
    for meter_no in sorted({*found, *truth}):
        one, fault = found.get(meter_no), truth.get(meter_no)
        begun = None if fault is None else datetime.fromtimestamp(fault.start_us / 1e6, UTC)
        true = "no fault" if fault is None else f"{fault.kind.name.lower()} {fault.size:+.1%} since {begun:%Y-%m-%d}"
        said = "not yet named"
        if one is not None:
            said = f"{one.kind} {one.size:+.1%} ({one.low:+.1%} to {one.high:+.1%}) since {one.started_at:%Y-%m-%d}"
            said += f", named on {one.detected_at:%Y-%m-%d}" + (", watched: inside its class" if one.watched else "")
        console.print(f"  {meter_no}: put in {true}; found {said}", soft_wrap=True, highlight=False)
    console.print(
        "sizes and their 95 % intervals as they are known today; a drift is reported as a step first\n", style="dim"
    )
