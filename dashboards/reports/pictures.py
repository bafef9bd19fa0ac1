"""Pictures as SVG text that stands inside a page: no scripts, no files, the reader's own fonts.

Colours are of two hues that people with any colour vision tell apart, and each picture says its numbers in words too.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from typing import Final, NamedTuple

from markupsafe import Markup

from analytics.domain.colours import BLUE, GREY, INK, VERMILION, YELLOW

__all__ = ["Bar", "calendar", "columns", "rates", "svg"]

GOOD: Final = BLUE
BAD: Final = VERMILION
OPEN: Final = YELLOW
_FONT: Final = "font-family='Noto Sans CJK SC,Microsoft YaHei,PingFang SC,sans-serif'"


class Bar(NamedTuple):
    """A bar of `rates`: share and requirement in %, None where there is none; `verdict` says its colour."""

    label: str
    share: float | None
    required: float | None
    note: str
    verdict: str


def svg(width: int, height: int, parts: Sequence[str], title: str) -> Markup:
    """A picture of parts whose every text went through `escape`."""
    body = "".join(parts)
    return Markup(  # noqa: S704 - every text in it went through escape
        f"<svg viewBox='0 0 {width} {height}' role='img' aria-label='{escape(title)}' {_FONT} "
        f"xmlns='http://www.w3.org/2000/svg'><title>{escape(title)}</title>{body}</svg>"
    )


def _text(x: float, y: float, text: str, *, size: int = 13, colour: str = INK, anchor: str = "start") -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' fill='{colour}' text-anchor='{anchor}'>{escape(text)}</text>"
    )


def _rectangle(x: float, y: float, width: float, height: float, colour: str, hint: str = "") -> str:
    title = f"<title>{escape(hint)}</title>" if hint else ""
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(width, 0):.1f}' height='{max(height, 0):.1f}' fill='{colour}'>"
        f"{title}</rect>"
    )


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def rates(bars: Sequence[Bar], title: str) -> Markup:
    """Bars from 0 to 100 %, each with a mark at what is required."""
    row, left, wide = 30, 250, 380
    parts = [
        _rectangle(left + wide * share / 100, 4, 1, row * len(bars) + 2, "#dfe4e8") for share in (0, 25, 50, 75, 100)
    ]
    for i, bar in enumerate(bars):
        y = 8 + i * row
        colour = {"pass": GOOD, "fail": BAD, "person": OPEN}.get(bar.verdict, GREY)
        parts.append(_text(left - 10, y + 14, bar.label, anchor="end"))
        parts.append(_rectangle(left, y + 2, wide, 15, "#eef1f4"))
        parts.append(_rectangle(left, y + 2, wide * (bar.share or 0) / 100, 15, colour, bar.note))
        if bar.required is not None:
            parts.append(_rectangle(left + wide * bar.required / 100 - 1.5, y - 2, 3, 23, INK))
        parts.append(_text(left + wide + 12, y + 14, bar.note, colour=colour if bar.verdict == "fail" else INK))
    height = 10 + row * len(bars) + 22
    parts += [
        _text(left + wide * share / 100, height - 4, f"{share} %", size=11, colour=GREY, anchor="middle")
        for share in (0, 50, 100)
    ]
    return svg(880, height, parts, title)


def columns(values: Mapping[date, float], first: date, last: date, title: str, unit: str) -> Markup:
    """A column a day; a day without a value is a hatched gap, not a zero."""
    days = (last - first).days + 1
    wide, high, left, top = 700, 96, 76, 16
    most = max(values.values(), default=0.0) or 1.0
    step = wide / days
    parts = [
        _rectangle(left, top + high, wide, 1, GREY),
        _text(left - 8, top + 10, _short(most), size=11, anchor="end"),
    ]
    parts.append(_text(left - 8, top + high + 4, "0", size=11, anchor="end"))
    for i in range(days):
        day = date.fromordinal(first.toordinal() + i)
        value = values.get(day)
        if value is None:
            parts.append(_rectangle(left + i * step + 1, top + high - 6, step - 2, 6, "#e3d9c0", f"{day}: –"))
        else:
            height = max(value, 0.0) / most * high
            hint = f"{day}: {value:,.6g} {unit}"
            parts.append(_rectangle(left + i * step + 1, top + high - height, step - 2, height, GOOD, hint))
        if day.day in {1, 5, 10, 15, 20, 25} or day == last:
            x = left + (i + 0.5) * step
            parts.append(_text(x, top + high + 16, str(day.day), size=11, colour=GREY, anchor="middle"))
    return svg(800, top + high + 24, parts, title)


def calendar(
    months: Sequence[tuple[str, int]], overdue: int, unknown: int, words: tuple[str, str], title: str
) -> Markup:
    """Meters whose verification ends, month by month; before them what is over already, and what is not known."""
    boxes = [(words[0], overdue, BAD), (words[1], unknown, OPEN), *((name, count, GOOD) for name, count in months)]
    high, step, top = 96, 58, 26
    most = max((count for _, count, _ in boxes), default=0) or 1
    parts = []
    for i, (name, count, colour) in enumerate(boxes):
        x = 12 + i * step + (14 if i > 1 else 0)
        height = count / most * high
        parts.append(_rectangle(x, top + high - height, step - 10, height, colour, f"{name}: {count}"))
        parts.append(_rectangle(x, top + high, step - 10, 1, GREY))
        parts.append(_text(x + (step - 10) / 2, top + high - height - 5, str(count), anchor="middle"))
        parts.append(_text(x + (step - 10) / 2, top + high + 16, name, size=11, colour=GREY, anchor="middle"))
    return svg(40 + step * len(boxes), top + high + 26, parts, title)
