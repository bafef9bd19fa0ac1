"""Reports as one HTML file: style and pictures inside it, nothing fetched, readable on paper."""

from datetime import date
from importlib.resources import files
from typing import Any, Final

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from analytics.domain.finding import Finding, Verdict
from analytics.domain.words import STATES, VERDICTS, Phrase
from analytics.standards.equipping import Rate
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.words import carrier_name, clause_name, level_name
from dashboards.reports.by_month import KINDS, part_rows
from dashboards.reports.content import RegionReport, UnitReport
from dashboards.reports.factor_words import factor_in_chinese
from dashboards.reports.network import network, nodes_of
from dashboards.reports.pictures import Bar, calendar, columns, rates
from dashboards.reports.workbook import not_counted

__all__ = ["region_page", "unit_page"]

_MONTHS: Final = 12
_TEN_THOUSAND: Final = 10_000
_STEPS: Final = 8
"""Steps on the first page."""


def unit_page(report: UnitReport, *, language: str = "zh") -> str:
    """A unit's month as a page.

    Parameters
    ----------
    language : str
        ``zh`` or ``en``.
    """
    speak = _speaker(language)
    text = speak.text
    return _render(
        "unit.html.j2",
        speak,
        part_rows=list(part_rows(report.parts)),
        months=list(dict.fromkeys(part.month for part in report.parts)),
        kinds=KINDS,
        report=report,
        shown=_STEPS,
        standing=report.standing,
        verified=report.standing.verification,
        rates_picture=rates([_bar(rate, speak) for rate in report.rates], text("Equipping rates", "配备率")),
        energy_pictures=_energy_pictures(report, speak),
        network_picture=network(nodes_of(report.judgement.assessment.scene), language),
        calendar_picture=_calendar(report, speak),
        edition=text(report.standing.edition, report.standing.edition_zh),
        facts=report.judgement.standards.facts.of(report.code),
        left_out=not_counted(report, speak.of),
    )


def region_page(report: RegionReport, *, language: str = "zh") -> str:
    """All units as a page."""
    speak = _speaker(language)
    valid, mandatory = report.mandatory
    return _render(
        "region.html.j2",
        speak,
        report=report,
        mandatory=mandatory,
        mandatory_valid=valid,
        mandatory_rate=100 * valid / mandatory if mandatory else None,
    )


class _Speaker:
    """Words in one language."""

    def __init__(self, language: str) -> None:
        self.language = language

    def text(self, en: str, zh: str) -> str:
        """The text in the language of the page."""
        return zh if self.language == "zh" else en

    def of(self, phrase: Phrase) -> str:
        """A phrase."""
        return self.text(phrase.en, phrase.zh)

    def level(self, level: str) -> str:
        return self.of(level_name(level)) if level else ""

    def carrier(self, carrier: str) -> str:
        return self.of(carrier_name(carrier)) if carrier else ""

    def factor(self, text: str) -> str:
        return factor_in_chinese(text) if self.language == "zh" else text

    def clause(self, clause: str) -> str:
        return self.of(clause_name(clause))

    def verdict(self, verdict: Verdict) -> str:
        return self.of(VERDICTS[verdict])

    def state(self, state: str) -> str:
        return self.of(STATES[state])

    def quantity(self, value: float | None, symbol: str) -> str:
        """An amount with its unit, as people write it: large numbers of kWh in ten thousands in Chinese."""
        if value is None or np.isnan(value):
            return "–"
        if self.language == "zh" and abs(value) >= _TEN_THOUSAND:
            return f"{value / _TEN_THOUSAND:,.1f} 万 {symbol}"
        return f"{_number(value, 6)} {symbol}"

    def meters(self, finding: Finding) -> str:
        """Meters of a finding, its points where it has none."""
        names = finding.meters or finding.points
        return ("、" if self.language == "zh" else ", ").join(names[:6]) + (" …" if len(names) > 6 else "")


def _speaker(language: str) -> _Speaker:
    if language not in {"zh", "en"}:
        raise ValueError(f"language must be zh or en (got {language!r})")
    return _Speaker(language)


def _number(value: float | None, digits: int = 4) -> str:
    """A number for a person; a dash where it is not known."""
    if value is None or np.isnan(value):
        return "–"
    if value and abs(value) < 10**digits:
        return f"{value:,.{digits}g}"
    return f"{value:,.0f}"


def _render(template: str, speak: _Speaker, **content: Any) -> str:
    folder = files("dashboards.reports.templates")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = _number
    environment.filters["quantity"] = speak.quantity
    source = folder.joinpath(template).read_text(encoding="utf-8")
    style = Markup(folder.joinpath("style.css").read_text(encoding="utf-8"))  # noqa: S704 - a file of this package
    return environment.from_string(source).render(t=speak.text, speak=speak, style=style, **content)


def _bar(rate: Rate, speak: _Speaker) -> Bar:
    note = f"{rate.present} / {rate.needed}"
    if rate.unknown:
        note += speak.text(f" (+{rate.unknown} undecided)", f"（另 {rate.unknown} 个待核查）")
    share = None if rate.rate is None else float(rate.rate)
    required = None if rate.required is None else float(rate.required)
    label = f"{speak.level(rate.level)} · {speak.carrier(rate.carrier)}"
    return Bar(label, share, required, note, rate.verdict.value)


def _energy_pictures(report: UnitReport, speak: _Speaker) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for one in report.energy.carriers:
        values = {
            date.fromordinal(int(day) + EPOCH_ORDINAL): float(amount)
            for series in report.days
            if (series.carrier, series.symbol) == (one.carrier, one.symbol)
            for day, amount in zip(series.day.tolist(), series.amount.tolist(), strict=True)
            if report.first_day.toordinal() <= int(day) + EPOCH_ORDINAL <= report.last_day.toordinal()
        }
        title = f"{speak.carrier(one.carrier)} ({one.symbol})"
        picture = columns(values, report.first_day, report.last_day, title, one.symbol)
        made.append({"title": title, "picture": picture, "energy": one})
    return made


def _calendar(report: UnitReport, speak: _Speaker) -> Markup:
    first = report.as_of.replace(day=1)
    months: list[tuple[str, int]] = []
    for i in range(_MONTHS):
        year, month = divmod(first.year * 12 + first.month - 1 + i, 12)
        label = f"{month + 1}" + speak.text("", "月") if i and month else f"{year % 100:02d}-{month + 1:02d}"
        months.append((label, _due_in(report, year, month + 1)))
    verified = report.standing.verification
    words = speak.text("overdue", "超期"), speak.text("unknown", "不明")
    title = speak.text("Verification that ends", "检定到期日历")
    return calendar(months, verified.overdue, verified.unknown, words, title)


def _due_in(report: UnitReport, year: int, month: int) -> int:
    dues = [row.verification_due for row in report.meters if row.status != "out_of_use"]
    return sum(due is not None and due >= report.as_of and (due.year, due.month) == (year, month) for due in dues)
