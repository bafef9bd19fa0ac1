"""Ledger files at the command line: the options that settle what they leave open, and what was understood."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import numpy as np

from analytics.domain.ledger import COLUMNS, Inferred, Ledger
from deploy.commands.common.parameters import PROFILE, pairs
from deploy.commands.common.reading_options import is_terminal
from deploy.terminal import counted, say
from ingest.files.ranges import row_ranges
from ingest.ledgers import LedgerOptions, LedgerQuestion, LedgerReport, read_ledger
from ingest.ledgers.folding import folded

__all__ = ["fault_lines", "ledger_options", "options_of", "read_and_ask", "summary", "understood_lines"]


def ledger_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that state what a ledger file leaves open."""
    for option in reversed(
        [
            *PROFILE,
            click.option("--sheet", help="Sheet of a workbook; the one with a ledger's header without it."),
            click.option(
                "--column", "columns", multiple=True, callback=pairs, metavar="HEADER=NAME",
                help="What a header means: meter_no, carrier … or ignore.",
            ),
            click.option("--accept-headers", is_flag=True, help="Take the headers for what is proposed."),
            click.option("--unit-code", metavar="CODE", help="Unit of rows that name none."),
            click.option("--unit-name", metavar="NAME", help="Its name."),
            click.option("--installed-from", metavar="DATE", help="Day of installation where a row gives none."),
            click.option(
                "--level", type=click.Choice(["unit", "sub_unit", "equipment"]),
                help="Level of metering of points for which a row gives none.",
            ),
            click.option(
                "--measured-in", "units", multiple=True, callback=pairs, metavar="CARRIER=UNIT",
                help="Unit of a carrier's registers where a row gives none, such as natural_gas=Nm3.",
            ),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def options_of(given: dict[str, Any]) -> LedgerOptions:
    """Options of the command line, completed by those of the profile."""
    said = LedgerOptions(
        sheet=given["sheet"],
        columns=given["columns"],
        unit_code=given["unit_code"],
        unit_name=given["unit_name"],
        installed_from=given["installed_from"],
        level=given["level"],
        units=given["units"],
    )
    return said if given["profile"] is None else said.over(LedgerOptions.from_toml(given["profile"]))


def read_and_ask(
    file: Path, zone: ZoneInfo, given: dict[str, Any], language: str
) -> tuple[LedgerReport, LedgerOptions]:
    """Read a ledger; on a terminal, ask what it leaves open and whether headers mean what is proposed."""
    options = options_of(given)
    report = read_ledger(file, zone=zone, options=options)
    if report.proposed and (given["accept_headers"] or (is_terminal() and _agree(report, language))):
        options = replace(options, columns={**report.proposed, **options.columns})
        report = read_ledger(file, zone=zone, options=options)
    if report.questions and is_terminal():
        for question in report.questions:
            options = _answered(options, question, language)
        report = read_ledger(file, zone=zone, options=options)
    if given["save_profile"] is not None:
        kept = replace(options, columns={**report.understood, **options.columns})
        given["save_profile"].write_text(kept.to_toml(), encoding="utf-8")
        say(f"{given['save_profile']}: profile kept", err=True)
    return report, options


def _agree(report: LedgerReport, language: str) -> bool:
    for line in _proposed(report, language):
        say(line, err=True)
    return click.confirm(
        "按此理解表头？" if language == "zh" else "take these headers for this?", default=True, err=True
    )


def _answered(options: LedgerOptions, question: LedgerQuestion, language: str) -> LedgerOptions:
    text = question.text.zh if language == "zh" else question.text.en
    kind = click.Choice(list(question.choices)) if question.choices else click.STRING
    answer: str = click.prompt(text, type=kind, err=True)
    if question.field == "units":
        return replace(options, units={**options.units, question.key: answer})
    given: dict[str, Any] = {question.field: answer}
    return replace(options, **given)


def _named(column: str) -> str:
    spec = COLUMNS.get(column)
    chinese = (
        {"ct_ratio": "电流互感器变比", "pt_ratio": "电压互感器变比"}.get(column, "") if spec is None else spec.chinese
    )
    chinese = "用能单位管理编号" if column == "meter_no" else chinese
    return f"{chinese} ({column})"


def _proposed(report: LedgerReport, language: str) -> list[str]:
    mark = "？" if language == "zh" else "?"
    return [f"  {title} → {_named(column)}{mark}" for title, column in report.proposed.items()]


def understood_lines(report: LedgerReport, language: str) -> list[str]:
    """Lines on how headers and cells were interpreted."""
    zh = language == "zh"
    lines: list[str] = []
    if report.sheet:
        lines.append(f"工作表：{report.sheet}" if zh else f"sheet: {report.sheet}")
        if report.table.parts:
            lines.append(
                "以上工作表合并为一份台账，行号前是表序，如 2:15；--sheet 名称 只取其中一张" if zh
                else "these sheets are one ledger, rows are named SHEET:ROW; --sheet NAME takes one of them alone"
            )  # fmt: skip
    if report.understood:
        lines.append("表头按此理解：" if zh else "headers taken for:")
        lines += [f"  {title} → {_named(column)}" for title, column in report.understood.items()]
    if report.proposed:
        lines.append(
            "表头可能是（--accept-headers 采用，或 --column 表头=列名）：" if zh
            else "headers that may mean (--accept-headers takes them, --column HEADER=NAME says otherwise):"
        )  # fmt: skip
        lines += _proposed(report, language)
    rest = [title for title in report.ignored if title not in report.proposed]
    if rest:
        lines.append(("未采用的列：" if zh else "columns that are not of the ledger, passed over: ") + ", ".join(rest))
    if report.passed_over:
        n = report.passed_over
        lines.append(f"跳过合计、备注行 {n} 行" if zh else f"rows of totals and remarks passed over: {n}")
    lines += _inferred_lines(report.inferred, report.titles, language)
    for question in report.questions:
        text = question.text.zh if zh else question.text.en
        choices = "|".join(question.choices) or "…"
        lines.append(f"{'待定：' if zh else 'open: '}{text} {question.option}{'' if question.key else ' '}{choices}")
    return lines


def _inferred_lines(inferred: list[Inferred], titles: Mapping[str, str], language: str) -> list[str]:
    zh = language == "zh"
    kinds: dict[tuple[str, str], list[int]] = {}
    for one in inferred:
        kinds.setdefault((one.column, one.why.zh if zh else one.why.en), []).append(one.row)
    lines = []
    for (column, why), rows in list(kinds.items())[:_MOST_KINDS]:
        title = titles.get(column) or (COLUMNS[column].chinese if zh else column)
        where = row_ranges(rows)
        lines.append(
            f"推断：{title}，第 {where} 行（{len(rows)} 处）：{why}" if zh
            else f"inferred: {title}, rows {where} ({len(rows)}): {why}"
        )  # fmt: skip
    if len(kinds) > _MOST_KINDS:
        more = len(kinds) - _MOST_KINDS
        lines.append(f"另有 {more} 类推断" if zh else f"and {more} more kinds of inference")
    return lines


_MOST_KINDS = 20


def fault_lines(report: LedgerReport, file: Path, language: str, ending: str | None = None) -> list[str]:
    """A line for each kind of fault, and how many there are."""
    kinds = folded(report.faults, report.titles)
    rows = len({fault.row for fault in report.faults})
    lines = [kind.line(language) for kind in kinds]
    zh = language == "zh"
    if zh:
        lines.append(
            f"{file}：共 {len(kinds)} 类问题，涉及 {rows} 行，读取 {report.rows} 行；{ending or '未载入任何内容'}"
        )
    else:
        lines.append(
            f"{file}: kinds of fault: {len(kinds)}, in rows: {rows}, of {report.rows} read; "
            f"{ending or 'nothing is loaded'}"
        )
    return lines


def summary(ledger: Ledger, rows: int, language: str = "en") -> str:
    """One sentence on what a sound ledger holds."""
    bare = int(np.sum(np.diff(ledger.point_installation_start) == 0))
    units, points = len(ledger.unit_codes), len(ledger.point_codes)
    meters, installations = len(ledger.meter_nos), len(ledger.installations)
    if language == "zh":
        return (
            f"无误：{rows} 行，用能单位 {units} 家，计量点 {points} 个（其中未装表 {bare} 个），"
            f"表计 {meters} 块，安装记录 {installations} 条"
        )
    return (
        f"sound: {counted(rows, 'row')}, {counted(units, 'unit')}, {counted(points, 'point')} "
        f"({bare} of them without a meter), {counted(meters, 'meter')}, {counted(installations, 'installation')}"
    )
