"""The evidence as a small picture: hourly consumption of the last days, the fault marked, and what is usual.

Usual is the median of the same hour of the day over the two weeks before the fault began: what the point itself showed
while nothing was found, not a model of it.

Letters that this machine's fonts do not have would be boxes; so Chinese is written only where a font has it, English
otherwise, and a name that cannot be written is left to the message's text.
"""

import io
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import median
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
from matplotlib import dates, font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from analytics.domain.colours import BLUE, INK, VERMILION

__all__ = ["Hour", "draw", "read_hours", "usual"]

_HOURS: Final = """
select h.start, h.amount, coalesce(s.symbol, '') as unit
from consumption_hour h
join metering_point p on p.id = h.point_id
join unit u on u.id = p.unit_id
left join measure_unit s on s.code = p.amount_unit
where u.code = %(unit_code)s and p.code = %(point)s
    and h.start >= least(%(from)s, %(fault_from)s::timestamptz - interval '14 days') and h.start < %(to)s
order by h.start
"""
_FAMILIES: Final = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "Microsoft YaHei",
    "PingFang SC",
    "Droid Sans Fallback",
    "AR PL UMing CN",
)
_PROBE: Final = "小时电量故障起止单位平常"
_USUAL_DAYS: Final = timedelta(days=14)
_LEAST: Final = 3
"""Days that an hour's median is of at least."""


class Hour(NamedTuple):
    """One hour's consumption. [unit]"""

    start: datetime
    amount: float
    unit: str


class _Font(NamedTuple):
    name: str
    path: str
    chinese: bool


async def read_hours(connection: psycopg.AsyncConnection, spec: dict[str, Any]) -> list[Hour]:
    """The hours that a picture shows, and those that say what is usual."""
    cursor = await connection.execute(_HOURS, spec)
    return [Hour(*row) for row in await cursor.fetchall()]


def draw(spec: dict[str, Any], hours: Sequence[Hour], *, language: str, zone: ZoneInfo) -> bytes:
    """A PNG of hourly consumption with the fault marked; an hour without evidence is a gap, not 0.

    Parameters
    ----------
    spec : dict
        As `streams.alerts.raiser` writes it: point, kind, times as ISO 8601.
    hours : sequence of Hour
        In rising order; those before the picture begins say what is usual.
    """
    font = _font()
    zh = language == "zh" and font.chinese
    begin, fault_from, fault_to, end = (
        datetime.fromisoformat(spec[key]) for key in ("from", "fault_from", "fault_to", "to")
    )
    figure = Figure(figsize=(6.4, 2.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    expected = usual(hours, fault_from, zone)
    shown = [hour for hour in hours if hour.start >= begin]
    axes.bar(
        [hour.start for hour in shown],  # type: ignore[arg-type]  # matplotlib converts datetimes; its types say floats
        [hour.amount for hour in shown],
        width=1 / 24,
        align="edge",
        color=BLUE,
    )
    if expected:
        first = begin.astimezone(zone).replace(minute=0, second=0, microsecond=0)
        times = [first + timedelta(hours=n) for n in range(math.ceil((end - first) / timedelta(hours=1)) + 1)]
        axes.step(
            times,  # type: ignore[arg-type]  # as above
            [expected.get(at.astimezone(zone).hour, math.nan) for at in times],
            where="post",
            color=INK,
            linewidth=1.1,
            linestyle="--",
            label="平常（故障前两周同一时刻的中位数）" if zh else "usual: median of that hour, two weeks before",
        )
        axes.legend(loc="upper left", fontsize=8, frameon=False, prop={"family": font.name, "size": 8})
    axes.axvspan(max(fault_from, begin), max(fault_to, fault_from), color=VERMILION, alpha=0.25)  # type: ignore[arg-type]  # as above
    axes.axvline(max(fault_from, begin), color=VERMILION, linewidth=1.2)  # type: ignore[arg-type]  # as above
    axes.set_xlim(begin, end)  # type: ignore[arg-type]  # as above
    locator = dates.AutoDateLocator(tz=zone, maxticks=8)  # type: ignore[no-untyped-call]  # matplotlib leaves it out
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))  # type: ignore[no-untyped-call]  # as above
    unit = shown[0].unit if shown else ""
    per_hour = ("每小时消费量" if zh else "per hour") + (f" [{unit}]" if unit else "")
    axes.set_ylabel(_writable(per_hour, font), fontfamily=font.name)
    name = " ".join(filter(None, (_writable(spec["point"], font), _writable(spec.get("meter_no", ""), font))))
    marked = "阴影为故障时段" if zh else f"{spec['kind']}: shaded"
    axes.set_title(f"{name}  {marked}".strip(), fontfamily=font.name, fontsize=10)
    if not shown:
        text = "所示时段无消费量数据" if zh else "no consumption is known in this time"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontfamily=font.name)
        axes.set_yticks([])
    axes.spines[["top", "right"]].set_visible(False)
    sink = io.BytesIO()
    figure.savefig(sink, format="png")
    return sink.getvalue()


def usual(hours: Sequence[Hour], fault_from: datetime, zone: ZoneInfo) -> dict[int, float]:
    """Median consumption by local hour of the day over two weeks before a fault; of hours with three days at least.

    Examples
    --------
    >>> utc = ZoneInfo("UTC")
    >>> days = [Hour(datetime(2026, 3, day, 7, tzinfo=utc), amount, "kWh") for day, amount in ((1, 4), (2, 9), (3, 5))]
    >>> usual(days, datetime(2026, 3, 4, tzinfo=utc), utc)
    {7: 5.0}
    """
    found: dict[int, list[float]] = {}
    for hour in hours:
        if fault_from - _USUAL_DAYS <= hour.start and hour.start + timedelta(hours=1) <= fault_from:
            found.setdefault(hour.start.astimezone(zone).hour, []).append(hour.amount)
    return {at: float(median(amounts)) for at, amounts in sorted(found.items()) if len(amounts) >= _LEAST}


@lru_cache(maxsize=1)
def _font() -> _Font:
    """The first font of this machine that has Chinese, else matplotlib's own."""
    by_name = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    for family in _FAMILIES:
        path = by_name.get(family)
        if path and _covers(path, _PROBE):
            return _Font(family, path, chinese=True)
    return _Font("DejaVu Sans", font_manager.findfont("DejaVu Sans"), chinese=False)


@lru_cache(maxsize=64)
def _covers(path: str, text: str) -> bool:
    face = FT2Font(path)
    return all(face.get_char_index(ord(letter)) for letter in text if not letter.isspace())


def _writable(text: str, font: _Font) -> str:
    """The text, or '' where the font lacks one of its letters."""
    return text if text.isprintable() and _covers(font.path, text) else ""
