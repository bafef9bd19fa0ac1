"""Differences between a new ledger and the one in force, fact by fact, for review before loading."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from html import escape
from typing import Any

import numpy as np

from analytics.domain.ledger.derive import group
from analytics.domain.ledger.merge import DIAL_FACTS, GROUPING_FACTS, paired
from analytics.domain.ledger.model import Ledger
from analytics.domain.ledger.rows import LedgerRows, TextColumn
from analytics.domain.ledger.schema import COLUMNS, NO_INSTANT, OPEN_END, Belongs

__all__ = ["Change", "Difference", "difference"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS = frozenset({"unit_code", "point", "meter_no", "installed_from"})
_UNIT_FACTS = frozenset(name for name, spec in COLUMNS.items() if spec.belongs is Belongs.UNIT)
_AMOUNT_FACTS = frozenset({*DIAL_FACTS, "unit", "carrier", "installed_to", "last_reading"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One changed fact.

    Attributes
    ----------
    unit_code, point, meter_no : str
        What it is about; the meter is empty for facts of a point.
    column : str
        English name of the fact; ``installation`` and ``point`` for rows that are new or no more.
    before, after : str
        As a person reads them, empty for nothing.
    since_us : int or None
        Consumption is recomputed from this instant on; None if it is unaffected. [us since 1970-01-01 UTC]
    ratio : float or None
        New amount over old, where the change scales it.
    amount : float or None
        Stored energy since then that will be recomputed. [`amount_unit`]
    amount_unit : str
    """

    unit_code: str
    point: str
    meter_no: str
    column: str
    before: str
    after: str
    since_us: int | None = None
    ratio: float | None = None
    amount: float | None = None
    amount_unit: str = ""

    @property
    def is_new(self) -> bool:
        """Whether it only adds something that was not there."""
        return self.column in {"installation", "point"} and not self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All that a ledger changes; renders for a terminal, a page and a program.

    Attributes
    ----------
    changes : sequence of Change
    zone : tzinfo
        Of the instants shown.
    """

    changes: Sequence[Change]
    zone: tzinfo

    @property
    def needs_a_word(self) -> bool:
        """Whether somebody has to confirm it: it changes or removes something, rather than only adding."""
        return any(not change.is_new for change in self.changes)

    def with_amounts(self, amounts: Mapping[tuple[str, str, int], tuple[float, str]]) -> "Difference":
        """The same with the energy that each change works out anew, by unit, point and since when."""
        return replace(
            self,
            changes=[
                replace(change, amount=found[0], amount_unit=found[1])
                if change.since_us is not None
                and (found := amounts.get((change.unit_code, change.point, change.since_us))) is not None
                else change
                for change in self.changes
            ],
        )

    def lines(self, language: str = "en", most: int = 60) -> list[str]:
        """A line for each change; those that cause recomputation come first."""
        ordered = sorted(self.changes, key=lambda one: (one.is_new, one.since_us is None))
        shown = [self._line(change, language) for change in ordered if not change.is_new][:most]
        added = sum(change.is_new for change in self.changes)
        hidden = len(self.changes) - added - len(shown)
        zh = language == "zh"
        if hidden > 0:
            shown.append(f"另有 {hidden} 处变更" if zh else f"and {hidden} more changes")
        if added:
            shown.append(f"新增 {added} 条" if zh else f"new: {added} rows")
        return shown

    def _line(self, change: Change, language: str) -> str:
        zh = language == "zh"
        name = COLUMNS[change.column].chinese if zh and change.column in COLUMNS else change.column
        if zh and change.column == "installation":
            name = "安装记录"
        where = " ".join(filter(None, (change.unit_code, change.point, change.meter_no)))
        nothing = "空" if zh else "nothing"
        text = f"{where}: {name}: {change.before or nothing} → {change.after or nothing}"
        if change.since_us is not None:
            text += f"，自 {self._day(change.since_us)} 起" if zh else f", from {self._day(change.since_us)}"
        if change.amount is not None:
            amount = f"{change.amount:,.1f} {change.amount_unit}"
            text += f"，影响 {amount}" if zh else f", {amount} affected"
            if change.ratio is not None:
                text += f" → {change.amount * change.ratio:,.1f} ({(change.ratio - 1) * 100:+.1f} %)"
        elif change.ratio is not None:
            text += f" ({(change.ratio - 1) * 100:+.1f} %)"
        return text

    def _day(self, us: int) -> str:
        return f"{(_EPOCH + timedelta(microseconds=us)).astimezone(self.zone):%Y-%m-%d %H:%M}"

    def to_object(self) -> list[dict[str, Any]]:
        """The same for a program."""
        return [
            {
                "unit_code": one.unit_code,
                "point": one.point,
                "meter_no": one.meter_no or None,
                "column": one.column,
                "before": one.before or None,
                "after": one.after or None,
                "since": None if one.since_us is None else (_EPOCH + timedelta(microseconds=one.since_us)).isoformat(),
                "ratio": one.ratio,
                "amount": one.amount,
                "unit": one.amount_unit or None,
            }
            for one in self.changes
        ]

    def to_html(self, language: str = "zh") -> str:
        """The same as a table for a page."""
        heads = ("用能单位", "计量点", "表计", "项目", "原值", "新值", "自", "影响电量") if language == "zh" else (
            "unit", "point", "meter", "fact", "before", "after", "from", "affected")  # fmt: skip
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in self._cells(one, language)) + "</tr>"
            for one in self.changes
        )
        head = "".join(f"<th>{head}</th>" for head in heads)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _cells(self, one: Change, language: str) -> tuple[str, ...]:
        name = COLUMNS[one.column].chinese if language == "zh" and one.column in COLUMNS else one.column
        amount = "" if one.amount is None else f"{one.amount:,.1f} {one.amount_unit}"
        since = "" if one.since_us is None else self._day(one.since_us)
        return one.unit_code, one.point, one.meter_no, name, one.before, one.after, since, amount


def difference(current: Ledger, newer: Ledger, *, zone: tzinfo) -> Difference:
    """What `newer` changes of the units that it names.

    Parameters
    ----------
    current : Ledger
        In force.
    newer : Ledger
        Holds the whole ledger of the units that it names.
    zone : tzinfo
        Of the instants shown.
    """
    named = set(newer.unit_codes)
    row_unit = group(current.rows).row_unit
    stays = np.array([code in named for code in current.unit_codes] or [False], np.bool_)
    before = current.rows.take(np.flatnonzero(stays[row_unit]) if len(current.rows) else np.empty(0, np.int64))
    both = before.joined(newer.rows)
    pairs = paired(both, len(before))
    changes: list[Change] = []
    for name in COLUMNS:
        if name not in _KEYS:
            changes += _changed(both, name, pairs.before, pairs.after, zone)
    changes += [_whole(both, int(row), zone, gone=True) for row in pairs.gone]
    changes += [_whole(both, int(row), zone, gone=False) for row in pairs.added]
    return Difference(changes=_once(changes), zone=zone)


def _once(changes: Sequence[Change]) -> list[Change]:
    """Facts of a unit or point stand in each of its rows: one line each."""
    kept: dict[tuple[str, ...], Change] = {}
    for change in changes:
        of_unit = change.column in _UNIT_FACTS
        of_point = of_unit or change.column in GROUPING_FACTS
        point, meter = "" if of_unit else change.point, "" if of_point else change.meter_no
        since = "" if of_point else str(change.since_us)
        key = (change.unit_code, point, meter, change.column, change.before, change.after, since)
        kept.setdefault(key, change)
    return list(kept.values())


def _changed(both: LedgerRows, name: str, before: Any, after: Any, zone: tzinfo) -> list[Change]:
    cells = both.columns[name]
    values: Any = cells.codes if isinstance(cells, TextColumn) else cells
    differs = values[before] != values[after]
    if values.dtype.kind == "f":
        differs &= ~(np.isnan(values[before]) & np.isnan(values[after]))
    found = []
    for old, new in zip(before[differs].tolist(), after[differs].tolist(), strict=True):
        has_meter = bool(_text(both, "meter_no", new))
        since = int(both.instant("installed_from")[new]) if name in _AMOUNT_FACTS and has_meter else None
        if since is not None and name in {"installed_to", "last_reading"}:
            since = int(min(both.instant("installed_to")[old], both.instant("installed_to")[new]))
        if since in {NO_INSTANT, OPEN_END}:
            since = None
        ratio = None
        if name == "multiplier" and has_meter:
            ratio = float(both.number("multiplier")[new] / both.number("multiplier")[old])
        found.append(
            Change(
                unit_code=_text(both, "unit_code", new), point=_text(both, "point", new),
                meter_no=_text(both, "meter_no", new), column=name, before=_shown(both, name, old, zone),
                after=_shown(both, name, new, zone), since_us=since, ratio=ratio,
            )
        )  # fmt: skip
    return found


def _whole(both: LedgerRows, row: int, zone: tzinfo, *, gone: bool) -> Change:
    meter_no = _text(both, "meter_no", row)
    what = f"{meter_no} {_shown(both, 'installed_from', row, zone)}".strip() or _text(both, "point", row)
    since = int(both.instant("installed_from")[row]) if meter_no and gone else None
    return Change(
        unit_code=_text(both, "unit_code", row), point=_text(both, "point", row), meter_no=meter_no,
        column="installation" if meter_no else "point", before=what if gone else "", after="" if gone else what,
        since_us=since,
    )  # fmt: skip


def _text(both: LedgerRows, name: str, row: int) -> str:
    column = both.text(name)
    return str(column.values[column.codes[row]])


def _shown(both: LedgerRows, name: str, row: int, zone: tzinfo) -> str:
    value = both.take(np.array([row])).values(name)[0]
    if value is None:
        return ""
    if isinstance(value, datetime):
        local = value.astimezone(zone)
        return f"{local:%Y-%m-%d}" if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%d %H:%M}"
    return f"{value:.15g}" if isinstance(value, float) else str(value)
