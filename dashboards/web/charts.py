"""Charts as SVG inside the page: drawn here, so that a page needs no script, no file from elsewhere, and prints.

A line stops where there is no data; nothing is bridged and nothing is drawn as 0. Each column of time says its values
when a pointer rests on it, and the legend names every colour.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from html import escape
from typing import Any, Final

from markupsafe import Markup

from analytics.domain.words import Language
from dashboards.amounts import scaled
from dashboards.panels import Panel
from dashboards.text import BLUE, GREEN, GREY, ORANGE, PURPLE, SERIES, SKY, VERMILION
from dashboards.web.asking import Span
from dashboards.web.values import duration, number, size

__all__ = ["Chart", "Key", "chart", "strip"]

_WHEEL: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION)
_WIDTH: Final = 640
_HEIGHT: Final = 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 8, 8, 24
_AXIS: Final = 54
"""Room on the right where a series has its own axis there."""
_ROW: Final = 22
_TICKS_S: Final = (900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 14 * 86_400, 30 * 86_400,
                   61 * 86_400)  # fmt: skip
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Key:
    """A line of a legend."""

    name: str
    color: str
    last: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart as a template shows it; `picture` is None where there is nothing to draw."""

    picture: Markup | None
    keys: Sequence[Key] = ()


@dataclass(slots=True)
class _Series:
    name: str
    color: str
    style: str
    unit: str
    right: bool
    """Whether its axis is on the right."""
    values: dict[datetime, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where an instant and a value lie on the paper."""

    since: datetime
    until: datetime
    low: float
    high: float
    height: int = _HEIGHT
    margin: int = _RIGHT

    def x(self, at: datetime) -> float:
        share = (at - self.since) / (self.until - self.since)
        return _LEFT + share * (_WIDTH - self.margin - _LEFT)

    @property
    def end(self) -> int:
        """Where it ends on the right."""
        return _WIDTH - self.margin

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM)


def chart(
    panel: Panel, rows: Sequence[Mapping[str, Any]], *, span: Span, step: timedelta, language: Language, zone: tzinfo
) -> Chart:
    """Lines or bars of a panel.

    Parameters
    ----------
    rows
        With ``time`` and either a column a series, or ``metric`` and one value.
    step : timedelta
        What a row stands for.
    """
    series = [one for one in _series(panel, rows, language) if one.values]
    if not series:
        return Chart(picture=None)
    stacked = panel.defaults.get("custom", {}).get("stacking", {}).get("mode") == "normal"
    bars = [one for one in series if one.style == "bars"]
    left, right = [one for one in series if not one.right], [one for one in series if one.right]
    low, high = _bounds(panel, left or right, bars if stacked else [])
    ticks = _ticks(low, high)
    margin = _AXIS if left and right else _RIGHT
    frame = _Frame(span.since, span.until, min(low, ticks[0]), max(high, ticks[-1]), margin=margin)
    other, axis = _beside(panel, right, frame, language) if left and right else (frame, [])
    parts = [
        *_grid(frame, ticks, (left or right)[0].unit, language),
        *axis,
        *_days(frame, zone),
        *_bars(frame, bars, step, stacked=stacked),
        *(part for one in series if one.style == "line" for part in _line(other if one.right else frame, one, step)),
        *(part for one in series if one.style == "points" for part in _points(other if one.right else frame, one)),
        *_hints(frame, series, step, language, zone),
    ]
    keys = [Key(one.name, one.color, _last(one, language)) for one in series]
    return Chart(picture=_svg(parts, panel.title.of(language), frame.height), keys=keys)


def strip(
    panel: Panel, rows: Sequence[Mapping[str, Any]], *, span: Span, step: timedelta, language: Language, zone: tzinfo
) -> Chart:
    """A row of coloured cells for each thing; what has no value has no colour."""
    things = [one for one in _series(panel, rows, language) if one.values]
    if not things:
        return Chart(picture=None)
    words = panel.defaults.get("words", {})
    height = _TOP + _ROW * len(things) + _BOTTOM
    frame = _Frame(span.since, span.until, 0.0, 1.0, height)
    parts: list[str] = [*_days(frame, zone)]
    for place, thing in enumerate(things):
        top = _TOP + place * _ROW
        if len(things) > 1:
            parts.append(_text(_LEFT - 4, top + 15, thing.name[:8], anchor="end"))
        for first, end, value in _runs(thing.values, step):
            word = words.get(str(int(value)))
            color = word.color if word is not None and word.color else _threshold(panel, value)
            said = (
                word.of(language) if word is not None else _said(value, str(panel.defaults.get("unit", "")), language)
            )
            hint = f"{_at(first, zone)} – {_at(end, zone)} {thing.name if len(things) > 1 else ''} {said}"
            left, right = frame.x(max(first, span.since)), frame.x(min(end, span.until))
            parts.append(
                f'<rect x="{left:.1f}" y="{top}" width="{max(right - left, 0.7):.1f}" height="{_ROW - 3}"'
                f' fill="{escape(color)}"><title>{escape(hint)}</title></rect>'
            )
    keys = [Key(word.of(language), word.color or GREY) for word in words.values()]
    return Chart(picture=_svg(parts, panel.title.of(language), height), keys=keys)


def _series(panel: Panel, rows: Sequence[Mapping[str, Any]], language: Language) -> list[_Series]:
    found: dict[str, _Series] = {}
    for row in rows:
        named = row.get("metric")
        for column, value in row.items():
            if column in {"time", "metric"}:
                continue
            name = str(named) if "metric" in row else column
            if name not in found:
                found[name] = _one(panel, name, len(found), language)
            if value is not None and math.isfinite(float(value)):
                found[name].values[row["time"]] = float(value)
    return list(found.values())


def _one(panel: Panel, name: str, place: int, language: Language) -> _Series:
    word = SERIES.get(name)
    custom = panel.columns.get(name, {})
    fixed = custom.get("color", {}).get("fixedColor") if isinstance(custom.get("color"), dict) else None
    default = panel.defaults.get("custom", {}).get("drawStyle", "line")
    return _Series(
        name=word.text.of(language) if word else name,
        color=fixed or (word.color if word and word.color else _WHEEL[place % len(_WHEEL)]),
        style=str(custom.get("custom.drawStyle", default)),
        unit=str(custom.get("unit", panel.defaults.get("unit", ""))),
        right=custom.get("custom.axisPlacement") == "right",
    )


def _bounds(panel: Panel, series: Sequence[_Series], stack: Sequence[_Series]) -> tuple[float, float]:
    values = [value for one in series for value in one.values.values()]
    if stack:
        values += [sum(one.values.get(at, 0.0) for one in stack) for at in {at for one in stack for at in one.values}]
    low = float(panel.defaults.get("min", min(values)))
    high = float(panel.defaults.get("max", max(values)))
    low, high = min(low, *values), max(high, *values)
    if any(one.style == "bars" for one in series):
        low, high = min(low, 0.0), max(high, 0.0)  # a bar is as long as its amount
    if low == high:
        low, high = (low - abs(low) * 0.1, high + abs(high) * 0.1) if low else (0.0, 1.0)
    return low, high


def _beside(panel: Panel, series: Sequence[_Series], frame: _Frame, language: Language) -> tuple[_Frame, list[str]]:
    """The frame of series whose axis is on the right, as far as the panel says at least, and what stands at it."""
    values = [value for one in series for value in one.values.values()]
    soft = [custom for name, custom in panel.columns.items() if custom.get("custom.axisPlacement") == "right"]
    low = min([*values, *(float(custom["custom.axisSoftMin"]) for custom in soft if "custom.axisSoftMin" in custom)])
    high = max([*values, *(float(custom["custom.axisSoftMax"]) for custom in soft if "custom.axisSoftMax" in custom)])
    if low == high:
        low, high = low - 1.0, high + 1.0
    ticks = _ticks(low, high)
    beside = replace(frame, low=min(low, ticks[0]), high=max(high, ticks[-1]))
    said = [_said(value, series[0].unit, language, short=True) for value in ticks]
    return beside, [
        _text(beside.end + 5, beside.y(value) + 4, text, anchor="start")
        for value, text in zip(ticks, said, strict=True)
    ]


def _ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / 4
    size = 10.0 ** math.floor(math.log10(raw))
    step = next((size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw), size * 10)
    first = math.floor(low / step)
    return [place * step for place in range(first, math.ceil(high / step - 1e-9) + 1)]


def _grid(frame: _Frame, ticks: Sequence[float], unit: str, language: Language) -> Iterator[str]:
    said = [_said(value, unit, language, short=True) for value in ticks]
    if len(set(said)) < len(said):  # a dial that hardly moves
        said = [number(value, 1) for value in ticks]
    for value, text in zip(ticks, said, strict=True):
        y = frame.y(value)
        yield f'<line class="grid" x1="{_LEFT}" x2="{frame.end}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 5, y + 4, text, anchor="end")


def _days(frame: _Frame, zone: tzinfo) -> Iterator[str]:
    span_s = (frame.until - frame.since).total_seconds()
    step_s = next((one for one in _TICKS_S if span_s / one <= 9), _TICKS_S[-1])
    at = frame.since.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    while at <= frame.until:
        if at >= frame.since:
            x = frame.x(at)
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{frame.height - _BOTTOM}"/>'
            text = f"{at:%m-%d}" if step_s >= _DAY_S or (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"
            yield _text(min(max(x, _LEFT + 14), frame.end - 16), frame.height - 7, text, anchor="middle")
        at += timedelta(seconds=step_s)


def _bars(frame: _Frame, series: Sequence[_Series], step: timedelta, *, stacked: bool) -> Iterator[str]:
    below: dict[datetime, float] = {}
    for one in series:
        for at, value in sorted(one.values.items()):
            base = below.get(at, 0.0) if stacked else 0.0
            left, right = frame.x(max(at, frame.since)), frame.x(min(at + step, frame.until))
            top = frame.y(base + value)
            yield (
                f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(right - left - 0.6, 0.6):.1f}"'
                f' height="{max(frame.y(base) - top, 0.0):.1f}" fill="{escape(one.color)}"/>'
            )
            below[at] = base + value


def _line(frame: _Frame, one: _Series, step: timedelta) -> Iterator[str]:
    run: list[tuple[float, float]] = []
    before: datetime | None = None
    for at, value in sorted(one.values.items()):
        if before is not None and at - before > 1.5 * step:
            yield _drawn(run, one.color)
            run = []
        run.append((frame.x(min(max(at, frame.since), frame.until)), frame.y(value)))
        before = at
    yield _drawn(run, one.color)


def _drawn(run: Sequence[tuple[float, float]], color: str) -> str:
    if len(run) == 1:
        return f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="1.8" fill="{escape(color)}"/>'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
    return f'<polyline points="{points}" fill="none" stroke="{escape(color)}" stroke-width="1.6"/>'


def _points(frame: _Frame, one: _Series) -> Iterator[str]:
    for at, value in one.values.items():
        x, y = frame.x(min(max(at, frame.since), frame.until)), frame.y(value)
        yield f'<path d="M{x:.1f} {y - 4:.1f}l4 4-4 4-4-4z" fill="{escape(one.color)}"/>'


def _hints(
    frame: _Frame, series: Sequence[_Series], step: timedelta, language: Language, zone: tzinfo
) -> Iterator[str]:
    named = [(f"\n{one.name} ", one.values, one.unit) for one in series]
    height = frame.height - _TOP - _BOTTOM
    for at in sorted({at for one in series for at in one.values}):
        said = [f"{name}{_said(values[at], unit, language)}" for name, values, unit in named if at in values]
        left, right = frame.x(max(at, frame.since)), frame.x(min(at + step, frame.until))
        yield (
            f'<rect class="hint" x="{left:.1f}" y="{_TOP}" width="{max(right - left, 0.5):.1f}"'
            f' height="{height}"><title>{_at(at, zone)}{escape("".join(said))}</title></rect>'
        )


def _runs(values: Mapping[datetime, float], step: timedelta) -> Iterator[tuple[datetime, datetime, float]]:
    """Neighbours of one value as one."""
    first = end = None
    value = 0.0
    for at, now in sorted(values.items()):
        if first is not None and end is not None and (now != value or at > end):
            yield first, end, value
            first = None
        if first is None:
            first = at
        end, value = at + step, now
    if first is not None and end is not None:
        yield first, end, value


def _threshold(panel: Panel, value: float) -> str:
    color = GREY
    for step in panel.defaults.get("thresholds", {}).get("steps", ()):
        if step["value"] is None or value >= step["value"]:
            color = str(step["color"])
    return color


def _last(one: _Series, language: Language) -> str:
    return _said(one.values[max(one.values)], one.unit, language)


def _said(value: float, unit: str, language: Language, *, short: bool = False) -> str:
    match unit:
        case "percent":
            return f"{number(value, 0 if short else 1)} %"
        case "percentunit":
            return f"{number(100 * value, 0 if short else 1)} %"
        case "bytes":
            return size(value)
        case "s":
            return duration(timedelta(seconds=value), language)
    return _amount(value, language, short=short) + (f" {unit}" if unit == "tce" and not short else "")


def _amount(value: float, language: Language, *, short: bool) -> str:
    multiple, name = scaled(value) if language == "zh" else (value, "")
    if name:
        return f"{multiple:.4g} {name}" if short else f"{number(multiple, 1)} {name}"
    return _shortened(value) if short and abs(value) >= 10_000 and language == "en" else number(value)


def _shortened(value: float) -> str:
    for length, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= length:
            return f"{value / length:.3g}{letter}"
    return number(value)


def _at(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).isoformat(" ", "minutes")[
        :16
    ]  # a tenth of the time of a format, a thousand times a page


def _text(x: float, y: float, text: str, *, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: Sequence[str], title: str, height: int) -> Markup:
    return Markup(  # noqa: S704 - every text in it went through escape
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"{''.join(parts)}</svg>"
    )
