"""What a demo tells a person: consumption by unit, faults found, readings refused, and the checks."""

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from analytics.domain.quality import DetectionKind
from analytics.domain.units import CARRIERS
from deploy.region.model import Region
from deploy.region.outcome import Outcome
from deploy.region.verify import Account, Check, KindScore

__all__ = ["tell_account", "tell_checks", "tell_kinds", "tell_units"]

_ORDER = tuple(CARRIERS)
_REMARKS = dict.fromkeys(
    (DetectionKind.GAIN_STEP, DetectionKind.GAIN_DRIFT), "needs a balance over weeks, which a demo does not wait for"
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
    """A line for each kind of fault; what nothing looks for yet is said so."""
    table = Table(title="faults by kind", title_justify="left")
    for name in ("kind", "put in", "found", "said elsewhere", ""):
        table.add_column(name, justify="right" if name in {"put in", "found", "said elsewhere"} else "left")
    for score in scores:
        remark = "" if score.looked_for else _REMARKS.get(score.kind, "not looked for yet")
        table.add_row(score.kind.name.lower(), str(score.injected), str(score.found), str(score.elsewhere), remark)
    console.print(table)
    console.print(
        "said elsewhere: another kind of fault looks like it there, readings came late, or repeats were sent\n",
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
