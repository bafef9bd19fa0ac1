"""Certificates of verification and calibration entered as rows; all faults are reported at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from analytics.domain.accuracy import AccuracyClassError, parse_accuracy_class
from analytics.domain.ledger.cells import CellError, Taken, day, is_empty, number, text, word
from analytics.domain.spelling import word_key
from analytics.domain.verification import add_months
from analytics.domain.words import Phrases, phrases

__all__ = ["CONCLUSIONS", "HEADS", "KINDS", "Certificate", "CertificateRow", "certificate_rows", "faults_of"]

_EPOCH: Final = date(1970, 1, 1)

KINDS: Final[Phrases] = phrases(
    verification=("检定", "verification"),
    calibration=("校准", "calibration"),
)
CONCLUSIONS: Final[Phrases] = phrases(
    qualified=("合格", "qualified"),
    limited=("准用", "limited use"),
    failed=("不合格", "failed"),
)
HEADS: Final[Phrases] = phrases(
    unit_code=("用能单位代码", "unit_code"),
    meter_no=("用能单位管理编号", "meter_no"),
    kind=("检定/校准", "kind"),
    number=("证书编号", "number"),
    body=("检定（校准）机构", "body"),
    verified_on=("检定/校准日期", "verified_on"),
    conclusion=("结论", "conclusion"),
    due=("有效期至", "due"),
    cycle_months=("检定周期/校准间隔（月）", "cycle_months"),
    accuracy_class=("准确度等级", "accuracy_class"),
    note=("备注", "note"),
    scan=("扫描件", "scan"),
)
"""Columns of a file of certificates; `due` may be left out where the cycle is given."""
_ALSO: Final = {
    "统一社会信用代码": "unit_code",
    "管理编号": "meter_no",
    "检定机构": "body",
    "检定日期": "verified_on",
    "检定结论": "conclusion",
    "检定周期": "cycle_months",
    "检定周期/校准间隔": "cycle_months",
    "证书号": "number",
    "类别": "kind",
}
_NAMES: Final = {word_key(said): name for name, one in HEADS.items() for said in (one.zh, one.en)} | {
    word_key(said): name for said, name in _ALSO.items()
}
_REQUIRED: Final = ("unit_code", "meter_no", "number", "body", "verified_on", "conclusion")
_TEXTS: Final = ("unit_code", "meter_no", "number", "body", "accuracy_class", "note", "scan")
_MOST_LETTERS: Final = 200


def _words(table: Phrases, **more: str) -> dict[str, str]:
    words = {word_key(said): name for name, one in table.items() for said in (name, one.zh, one.en)}
    return words | {word_key(said): name for said, name in more.items()}


_KIND_WORDS: Final = _words(KINDS)
_CONCLUSION_WORDS: Final = _words(CONCLUSIONS, 限用="limited", 符合="qualified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate.

    Attributes
    ----------
    unit_code, meter_no : str
        The instrument, by its management number.
    kind, conclusion : str
        Of `KINDS` and `CONCLUSIONS`.
    due : date or None
        Last day on which it holds; None where it states none, and where the instrument failed.
    accuracy_class : str
        As it is certified, empty where it is not stated.
    """

    unit_code: str
    meter_no: str
    kind: str = "verification"
    number: str
    body: str
    verified_on: date
    conclusion: str
    due: date | None = None
    accuracy_class: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRow:
    """A row of a file: its number, what it says, and the name of its scan."""

    row: int
    certificate: Certificate
    scan: str


def faults_of(one: Certificate, today: date) -> Iterator[str]:
    """Faults of a certificate, other than an unknown instrument."""
    for name in ("unit_code", "meter_no", "number", "body"):
        value = getattr(one, name)
        if not value.strip() or len(value) > _MOST_LETTERS:
            yield f"{name} must be a text of 1 to {_MOST_LETTERS} letters (got {value[:40]!r})"
    if one.verified_on > today:
        yield f"verified_on must not be later than today, {today} (got {one.verified_on})"
    if one.due is not None and one.due < one.verified_on:
        yield f"due must not be before verified_on, {one.verified_on} (got {one.due})"
    if one.conclusion == "failed" and one.due is not None:
        yield f"due must be empty where the instrument failed (got {one.due})"
    if one.conclusion != "failed" and one.kind == "verification" and one.due is None:
        yield "due must be given for a verification that was passed, or its cycle (got nothing)"
    if one.accuracy_class:
        try:
            parse_accuracy_class(one.accuracy_class)
        except AccuracyClassError as error:
            yield f"accuracy_class: {error}"


def certificate_rows(
    table: Sequence[Sequence[object]], today: date
) -> tuple[tuple[CertificateRow, ...], tuple[str, ...]]:
    """Certificates of a table, and all its faults; the first row that contains a known head is the header.

    Parameters
    ----------
    table : sequence of rows
        As a spreadsheet has them; empty rows are passed over, what stands above the heads too.
    today : date
        No certificate is of a later day.

    Examples
    --------
    >>> heads = ["用能单位代码", "管理编号", "证书编号", "检定机构", "检定日期", "结论", "有效期至"]
    >>> row = ["U", "M1", "J-1", "市计量院", "2026-03-01", "合格", ""]
    >>> rows, faults = certificate_rows([heads, row], date(2026, 12, 1))
    >>> faults
    ('row 2: due must be given for a verification that was passed, or its cycle (got nothing)',)
    """
    at, heads = _heads(table)
    missing = [name for name in _REQUIRED if name not in heads]
    if missing:
        wanted = ", ".join(f"{HEADS[name].zh} ({name})" for name in missing)
        return (), (f"the head of the table must have the columns {wanted}",)
    rows, faults = [], []
    for number_, cells in enumerate(table[at + 1 :], at + 2):
        row = {name: cells[place] for name, place in heads.items() if place < len(cells)}
        if all(is_empty(cell) for cell in row.values()):
            continue
        one, wrong = _row(number_, row, today)
        faults += [f"row {number_}: {fault}" for fault in wrong]
        if one is not None:
            rows.append(one)
    faults += _twice(rows)
    return tuple(rows), tuple(faults)


def _heads(table: Sequence[Sequence[object]]) -> tuple[int, dict[str, int]]:
    best: tuple[int, dict[str, int]] = (0, {})
    for at, cells in enumerate(table[:20]):
        found: dict[str, int] = {}
        for place, cell in enumerate(cells):
            name = _NAMES.get(word_key(str(cell))) if cell is not None else None
            if name is not None:
                found.setdefault(name, place)
        if len(found) > len(best[1]):
            best = at, found
    return best


class _Reader:
    """Cells of a row; a faulty one gives nothing, and its fault is kept."""

    def __init__(self, row: Mapping[str, object]) -> None:
        self._row = row
        self.faults: list[str] = []

    def _taken(self, name: str, parse: Callable[[object], object]) -> object | None:
        cell = self._row.get(name)
        if is_empty(cell):
            return None
        try:
            return parse(cell)
        except CellError as error:
            self.faults.append(f"{name} must be {error} (got {str(cell)[:60]!r})")
            return None

    def text(self, name: str) -> str:
        return str(self._taken(name, text) or "")

    def day(self, name: str) -> date | None:
        found = self._taken(name, _whole_day)
        return _EPOCH + timedelta(days=found) if isinstance(found, int) else None

    def word(self, name: str, words: Mapping[str, str], default: str) -> str:
        choice = " or ".join(dict.fromkeys(words.values()))
        return str(self._taken(name, lambda cell: word(cell, words, choice)) or default)

    def months(self, name: str) -> float | None:
        found = self._taken(name, _whole_months)
        return found if isinstance(found, float) else None


def _whole_day(cell: object) -> int:
    found = day(cell)
    if isinstance(found, Taken):
        raise CellError("a whole date such as 2026-03-01")
    return found


def _whole_months(cell: object) -> float:
    found = float(number(cell))
    if not (found.is_integer() and 1 <= found <= 600):
        raise CellError("whole months from 1 to 600")
    return found


def _row(number_: int, row: Mapping[str, object], today: date) -> tuple[CertificateRow | None, list[str]]:
    reader = _Reader(row)
    verified_on, due = reader.day("verified_on"), reader.day("due")
    cycle = reader.months("cycle_months")
    kind = reader.word("kind", _KIND_WORDS, "verification")
    conclusion = reader.word("conclusion", _CONCLUSION_WORDS, "")
    said = {fault.split(" ", 1)[0] for fault in reader.faults}
    reader.faults += [
        f"{name} must be given (got nothing)"
        for name, value in (("verified_on", verified_on), ("conclusion", conclusion))
        if not value and name not in said
    ]
    texts = {
        name: reader.text(name)
        for name in ("unit_code", "meter_no", "number", "body", "accuracy_class", "note", "scan")
    }
    if reader.faults or verified_on is None:
        return None, reader.faults
    scan = texts.pop("scan")
    one = Certificate(kind=kind, verified_on=verified_on, conclusion=conclusion, due=due, **texts)
    if due is None and cycle is not None and conclusion != "failed":
        one = replace(one, due=_after(verified_on, cycle))
    wrong = list(faults_of(one, today))
    return (None if wrong else CertificateRow(row=number_, certificate=one, scan=scan)), wrong


def _after(verified_on: date, months: float) -> date:
    """Last day of a cycle."""
    end = add_months(np.array([(verified_on - _EPOCH).days], np.int32), np.array([months]))
    return _EPOCH + timedelta(days=int(end[0]) - 1)


def _twice(rows: Sequence[CertificateRow]) -> Iterator[str]:
    first: dict[tuple[str, str, str, date], int] = {}
    for one in rows:
        said = one.certificate
        key = said.unit_code, said.meter_no, said.number, said.verified_on
        if key in first:
            yield f"row {one.row}: a certificate must stand once in the file (it is that of row {first[key]})"
        first.setdefault(key, one.row)
