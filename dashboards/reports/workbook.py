"""Reports as workbooks in the columns of the review's forms (JJF 1356 B.1 to B.10), so that they can be handed in."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from openpyxl import Workbook

from analytics.domain.words import KEY_UNITS, SEVERITIES, STATES, VERDICTS, VERIFICATION, Phrase
from analytics.standards.exemptions import EXEMPTIONS
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.words import carrier_name, clause_name, instrument_name, level_name
from dashboards.reports.by_month import DIFFERENCES, by_month, differences
from dashboards.reports.content import MeterRow, RegionReport, UnitReport
from dashboards.reports.coverage import add_coverage
from dashboards.reports.factor_words import factor_in_chinese
from dashboards.reports.forms import foot_of, form_code, ledger_forms, title_of
from dashboards.reports.gap_sheet import add_gaps
from dashboards.reports.sheet import SheetCell, add_sheet, empty_book, heads_of, number_pages, speaker, table_of

__all__ = ["not_counted", "region_workbook", "unit_workbook"]


def unit_workbook(report: UnitReport, path: Path, *, language: str = "zh") -> None:
    """Write a unit's month.

    Parameters
    ----------
    path : Path
        Replaced where it exists.
    language : str
        ``zh`` or ``en``.
    """
    say = speaker(language)
    book = empty_book()
    _summary(book, report, say)
    _findings(book, report, say)
    _rates(book, report, say)
    _staff(book, report, say)
    _equipment(book, report, say)
    every = [row for row in report.meters if row.meter_no]
    ledger_forms(book, report, say)
    _standing_of_meters(book, every, say)
    add_coverage(book, report.coverage, report.judgement.standards.rules.mandatory_rate, say)
    _by_instrument(book, report, say)
    _accuracy(book, report, say)
    _energy(book, report, say)
    by_month(book, report, say)
    if report.differences:
        differences(book, report, say)
    if report.gaps:
        add_gaps(book, report.gaps, say)
    _stocks(book, report, say)
    _review(book, report, say)
    _self_checks(book, report, say)
    number_pages(book, f"{report.name}  {report.month}", say)
    book.save(path)


def _summary(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    standing, verified = report.standing, report.standing.verification
    en, zh = ("months", "本期") if report.several else ("month", "本月")
    rows: list[tuple[str, SheetCell]] = [
        (say(Phrase(en="unit", zh="用能单位")), report.name),
        (say(Phrase(en="code", zh="统一社会信用代码")), report.code),
        (say(Phrase(en="month", zh="月份")), report.month),
        (say(Phrase(en="as of", zh="截至")), report.as_of),
        (say(Phrase(en="edition", zh="判定依据")), say(Phrase(en=standing.edition, zh=standing.edition_zh))),
        (say(Phrase(en="state", zh="状态")), say(STATES[standing.state])),
        (say(Phrase(en="grade", zh="等级")), standing.grade or None),
        (say(Phrase(en="do not conform", zh="不符合项")), standing.failed),
        (say(Phrase(en="of them serious", zh="其中严重")), standing.serious),
        (say(Phrase(en="need a person", zh="待人工核查")), standing.person),
        (say(Phrase(en="points needed (Nl)", zh="应配 (Nl)")), standing.points_needed),
        (say(Phrase(en="installed meters (Ns)", zh="实配 (Ns)")), standing.points_present),
        (say(Phrase(en="meters in use", zh="在用器具")), verified.meters),
        (say(Phrase(en="within verification", zh="检定有效")), verified.valid),
        (say(Phrase(en="overdue", zh="超期")), verified.overdue),
        (say(Phrase(en="verification unknown", zh="检定（校准）信息不全")), verified.unknown),
        (say(Phrase(en="data completeness, %", zh="数据完整率 %")), _percent(standing.completeness)),
        (say(Phrase(en=f"tce of the {en}, equivalent value", zh=f"{zh}综合能耗 tce（当量值）")), report.energy.tce),
        (say(Phrase(en=f"tce of the {en}, equal value", zh=f"{zh}综合能耗 tce（等价值）")), report.energy.tce_equal),
        *_beside(report, say),
        (report.judgement.standards.review.number, say(report.review.verdict)),
    ]
    rows += [
        (say(Phrase(en=f"next step {i}", zh=f"下一步 {i}")), say(one.todo)) for i, one in enumerate(report.steps, 1)
    ]
    add_sheet(book, say(Phrase(en="summary", zh="首页")), heads_of(say, ("item", "项目"), ("value", "内容")), rows)


def _beside(report: UnitReport, say: Callable[[Phrase], str]) -> list[tuple[str, SheetCell]]:
    """Why there is no total of the unit, and the differences that wait for a decision beside it."""
    rows: list[tuple[str, SheetCell]] = []
    if not report.energy.carriers:
        why = Phrase(
            en="nothing is metered for the unit as a whole: see its sub-units",
            zh="进出用能单位处没有计量数据，见各次级用能单位",
        )
        rows.append((say(Phrase(en="no total", zh="暂无合计")), say(why)))
    for carrier, symbol in sorted({(one.carrier, one.symbol) for one in report.differences}):
        name = carrier_name(carrier)
        text = Phrase(en=f"{DIFFERENCES.en}: {name.en}, {symbol}", zh=f"{DIFFERENCES.zh}：{name.zh} {symbol}")
        rows.append((say(text), report.unexplained(carrier, symbol)))
    return rows


_UNSEEN: Final = Phrase(
    zh="本表栏目为本系统所列，规范附录原表的表头未能核对",
    en="the columns are our own: the heads of the form as printed could not be seen",
)


def _form(
    book: Workbook,
    name: Phrase,
    form: str,
    report: UnitReport,
    table: tuple[Sequence[str], Iterable[Sequence[SheetCell]]],
    say: Callable[[Phrase], str],
    part: Phrase | None = None,
) -> None:
    """A form whose heads are not known here: its title, our columns, its foot, and that the heads are not its own."""
    foot = "    ".join([*foot_of(report.name, say), say(_UNSEEN)])
    add_sheet(book, say(name), *table, title=title_of(form, say, part), foot=foot)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 4)


def _findings(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    table = table_of(
        say,
        report.findings,
        ("clause", "条款", lambda one: say(clause_name(one.clause))),
        ("mandatory", "强制", lambda one: "*" if one.mandatory else ""),
        ("verdict", "判定", lambda one: say(VERDICTS[one.verdict])),
        ("severity", "严重程度", lambda one: say(SEVERITIES[one.severity])),
        ("level", "计量级别", lambda one: say(level_name(one.level)) if one.level else ""),
        ("energy", "能源种类", lambda one: say(carrier_name(one.carrier)) if one.carrier else ""),
        ("point", "计量点", lambda one: one.point),
        ("meter", "管理编号", lambda one: one.meter_no),
        ("required", "要求", lambda one: say(one.required)),
        ("found", "现状", lambda one: say(one.found)),
        ("next step", "下一步", lambda one: say(one.next_step)),
        ("meters", "涉及器具", lambda one: ", ".join(one.meters)),
        ("points", "涉及计量点", lambda one: ", ".join(one.points)),
        ("edition", "依据", lambda one: report.edition_of(one, say)),
    )
    add_sheet(book, say(Phrase(en="clauses", zh="逐条判定")), *table)


def _rates(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    table = table_of(
        say,
        report.rates,
        ("level", "计量级别", lambda rate: say(level_name(rate.level))),
        ("energy", "能源种类", lambda rate: say(carrier_name(rate.carrier))),
        ("needed (Nl)", "应配数 Nl", lambda rate: rate.needed),
        ("installed (Ns)", "实配数 Ns", lambda rate: rate.present),
        ("within a valid verification", "其中检定/校准有效", lambda rate: rate.valid),
        ("need to be decided", "是否应配待核查", lambda rate: rate.unknown),
        ("rate, %", "配备率 %", lambda rate: None if rate.rate is None else float(rate.rate)),
        ("required, %", "要求 %", lambda rate: None if rate.required is None else float(rate.required)),
        ("verdict", "判定", lambda rate: say(VERDICTS[rate.verdict])),
        ("points without a meter in use", "缺配计量点", lambda rate: ", ".join(rate.missing)),
    )
    name = Phrase(en="B.8 rates by energy", zh="B.8 能源计量器具配备情况统计汇总表（按能源）")
    _form(book, name, "B.8", report, table, say, Phrase(zh="按能源", en="by energy"))


def _day(day: int | None) -> date | None:
    return None if day is None else date.fromordinal(day + EPOCH_ORDINAL)


def _staff(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    """B.1, as it was entered."""
    table = table_of(
        say,
        report.staff,
        ("name", "姓名", lambda one: one.name),
        ("position", "岗位", lambda one: one.position),
        ("duties", "职责", lambda one: one.duties),
        ("trained on", "培训日期", lambda one: _day(one.trained_day)),
        ("certificate", "证书编号", lambda one: one.certificate),
        ("certificate holds until", "证书有效期至", lambda one: _day(one.certificate_until)),
    )
    _form(book, Phrase(en="B.1 staff", zh="B.1 能源计量工作人员一览表"), "B.1", report, table, say)


def _stocks(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    """B.10 by year: what was entered, what follows from it, and what the meters say."""
    table = table_of(
        say,
        report.stocks,
        ("year", "年度", lambda row: row.year),
        ("energy", "能源种类", lambda row: say(carrier_name(row.energy))),
        ("code", "代码", lambda row: form_code(row.energy)),
        ("unit", "计量单位", lambda row: row.stock.unit),
        ("opening stock", "年初库存", lambda row: row.stock.opening),
        ("purchased", "购进量", lambda row: row.stock.purchased),
        ("own production", "自产量", lambda row: row.stock.produced),
        ("supplied to others", "外供量", lambda row: row.stock.supplied),
        ("closing stock", "年末库存", lambda row: row.stock.closing),
        ("consumption that follows", "推算消费量", lambda row: row.stock.used_up),
        ("consumption as booked", "账面消费量", lambda row: row.stock.consumed),
        ("metered in the year", "计量消费量", lambda row: row.metered),
        ("days metered", "有计量数据的天数", lambda row: row.days),
        ("source", "来源", lambda row: row.stock.source),
    )
    name = Phrase(en="B.10 purchase and stock", zh="B.10 年度能源购进、消费与库存情况表")
    _form(book, name, "B.10", report, table, say)


def _equipment(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    table = table_of(
        say,
        [row for row in report.meters if row.equipment],
        ("sub-unit", "次级用能单位", lambda row: row.sub_unit),
        ("equipment", "主要用能设备", lambda row: row.equipment),
        ("energy", "能源种类", lambda row: say(carrier_name(row.carrier))),
        ("rated power, kW", "额定功率 kW", lambda row: row.rated_power_kw),
        ("declared use a year", "年消费量（申报）", lambda row: row.annual_use),
        ("most in an hour", "小时最大消费量", lambda row: row.hourly_use),
        ("point", "计量点", lambda row: row.point),
        ("meter", "管理编号", lambda row: row.meter_no),
        ("exempt because", "免配原因", lambda row: say(_reason(row.exemption))),
    )
    _form(book, Phrase(en="B.2 main equipment", zh="B.2 主要用能设备"), "B.2", report, table, say)


def _reason(cell: str) -> Phrase:
    """Why a point needs no meter: the note's words where the cell holds its code, else what the ledger says."""
    known = EXEMPTIONS.get(cell)
    return known.name if known is not None else Phrase(zh=cell, en=cell)


def _standing_of_meters(book: Workbook, meters: Sequence[MeterRow], say: Callable[[Phrase], str]) -> None:
    """What the forms have no column for."""
    table = table_of(
        say,
        meters,
        ("management number", "用能单位管理编号", lambda row: row.meter_no),
        ("verified on", "检定/校准日期", lambda row: row.verified_on),
        ("valid until", "有效期至", lambda row: row.verification_due),
        ("verification or calibration", "检定/校准状态", lambda row: say(VERIFICATION[row.state.lower()])),
        ("verified by law", "强制检定", lambda row: say(Phrase(zh="是", en="yes")) if row.mandatory else ""),
        ("energy", "能源种类", lambda row: say(carrier_name(row.carrier))),
        ("point", "计量点", lambda row: row.point),
    )
    add_sheet(book, say(Phrase(en="verification by meter", zh="检定校准状态明细")), *table)


def _by_instrument(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    """B.8 by kind of instrument: what is installed, by level."""
    count = Counter((row.instrument, row.level) for row in report.meters if row.meter_no)

    def of_level(level: str) -> tuple[str, str, Callable[[str], SheetCell]]:
        name = level_name(level)
        return name.en, name.zh, lambda kind: count[kind, level]

    table = table_of(
        say,
        sorted({kind for kind, _ in count}),
        ("instrument", "器具类别", lambda kind: say(instrument_name(kind))),
        *map(of_level, ("unit", "sub_unit", "equipment")),
    )
    name = Phrase(en="B.8 by instrument", zh="B.8 能源计量器具配备情况统计汇总表（按器具）")
    _form(book, name, "B.8", report, table, say, Phrase(zh="按器具", en="by instrument"))


def _accuracy(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    """B.9: classes installed by kind, level and energy, and how many do not meet the requirement."""
    failing = {one.meter_no for one in report.findings if one.rule == "accuracy" and one.verdict.value == "fail"}
    count: Counter[tuple[str, str, str, str]] = Counter()
    coarse: Counter[tuple[str, str, str, str]] = Counter()
    for row in report.meters:
        if row.meter_no:
            key = row.instrument, row.level, row.carrier, row.accuracy_class
            count[key] += 1
            coarse[key] += row.meter_no in failing
    table = table_of(
        say,
        sorted(count),
        ("instrument", "器具类别", lambda key: say(instrument_name(key[0]))),
        ("level", "计量级别", lambda key: say(level_name(key[1]))),
        ("energy", "能源种类", lambda key: say(carrier_name(key[2]))),
        ("class", "准确度等级", lambda key: key[3]),
        ("meters", "台数", lambda key: count[key]),
        ("too coarse", "不符合台数", lambda key: coarse[key]),
    )
    name = Phrase(en="B.9 accuracy", zh="B.9 能源计量器具准确度等级统计汇总表")
    _form(book, name, "B.9", report, table, say)


class _EnergyLine(NamedTuple):
    """A line of the sheet of energies."""

    whose: str
    carrier: str = ""
    amount: float | None = None
    symbol: str = ""
    tce: float | None = None
    tce_equal: float | None = None
    completeness: float | None = None
    note: str = ""
    """The factor that was used, or what a total leaves out."""


def _energy(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    table = table_of(
        say,
        _energy_lines(report, say),
        ("whose", "范围", lambda line: line.whose),
        ("energy", "能源种类", lambda line: line.carrier),
        ("consumption", "消费量", lambda line: line.amount),
        ("unit", "计量单位", lambda line: line.symbol),
        ("tce, equivalent value", "折标量 tce（当量值）", lambda line: line.tce),
        ("tce, equal value", "折标量 tce（等价值）", lambda line: line.tce_equal),
        ("completeness, %", "完整率 %", lambda line: _percent(line.completeness)),
        ("factor", "折标系数", lambda line: line.note),
    )
    add_sheet(book, say(Phrase(en="energy used", zh="能源消费明细")), *table)


def _energy_lines(report: UnitReport, say: Callable[[Phrase], str]) -> Iterator[_EnergyLine]:
    """Energies of the unit and its parts, unexplained differences, the total, and what is not in it."""
    whole = say(Phrase(en="unit", zh="用能单位"))
    for name, energy in [(whole, report.energy), *report.sub_units.items()]:
        for one in energy.carriers:
            yield _EnergyLine(
                whose=name,
                carrier=say(carrier_name(one.carrier)),
                amount=one.amount,
                symbol=one.symbol,
                tce=one.tce,
                tce_equal=one.tce_equal,
                completeness=one.completeness,
                note=say(Phrase(en=one.factor, zh=factor_in_chinese(one.factor))),
            )
    for carrier, symbol in sorted({(one.carrier, one.symbol) for one in report.differences}):
        amount = report.unexplained(carrier, symbol)
        yield _EnergyLine(say(DIFFERENCES), say(carrier_name(carrier)), amount, symbol)
    yield _EnergyLine(
        whose=whole,
        carrier=say(Phrase(en="total", zh="合计")),
        tce=report.energy.tce,
        tce_equal=report.energy.tce_equal,
        note=not_counted(report, say),
    )
    aside = say(Phrase(en="own production (not in the total)", zh="自产自用（不计入合计）"))
    for own in report.own:
        name, points = say(carrier_name(own.carrier)), "、".join(own.points)
        yield _EnergyLine(aside, name, own.amount, own.symbol, note=points)


def not_counted(report: UnitReport, say: Callable[[Phrase], str]) -> str:
    """What a total leaves out: energies without a factor, media, and what the unit made for itself."""
    energy = report.energy
    said = []
    if energy.unknown:
        names = "、".join(say(carrier_name(one)) for one in energy.unknown)
        said.append(Phrase(zh=f"缺少折标系数：{names}", en=f"no factor for {names}"))
    media = [one.carrier for one in energy.carriers if not one.counted]
    if media:
        names = "、".join(say(carrier_name(one)) for one in dict.fromkeys(media))
        said.append(Phrase(zh=f"不计入：{names}", en=f"not counted: {names}"))
    if report.own:
        names = "、".join(say(carrier_name(one.carrier)) for one in report.own)
        said.append(Phrase(zh=f"不计入自产自用的{names}", en=f"own production is not counted: {names}"))
    return "；".join(map(say, said))


def _review(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    heads, rows = table_of(
        say,
        report.review.results,
        ("item", "序号", lambda one: one.item.number),
        ("clause", "条款", lambda one: one.item.clause),
        ("subject (of its group)", "审查内容（所属组）", lambda one: say(one.item.subject)),
        ("verdict", "结论", lambda one: say(VERDICTS[one.verdict])),
        ("why", "说明", lambda one: say(one.why)),
        ("by", "判定人", lambda one: one.by),
    )
    rows.append([None, "", say(Phrase(en="conclusion", zh="审查结论")), say(report.review.verdict), "", ""])
    add_sheet(book, say(Phrase(en="JJF 1356 sheet", zh="JJF 1356 审查表")), heads, rows)


def _self_checks(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    table = table_of(
        say,
        sorted(report.self_checks.items(), reverse=True),
        ("year", "年度", lambda of: of[0]),
        ("done on", "自查日期", lambda of: _day(of[1].done_day)),
        ("by", "自查人", lambda of: of[1].by),
        ("result", "结果", lambda of: of[1].result),
        ("corrected on", "改正完成日期", lambda of: _day(of[1].corrected_day)),
    )
    add_sheet(book, say(Phrase(en="self-checks", zh="自查记录")), *table)


def region_workbook(report: RegionReport, path: Path, *, language: str = "zh") -> None:
    """Write all units' standing."""
    say = speaker(language)
    book = empty_book()
    en, zh = ("months", "本期") if report.several else ("month", "本月")
    table = table_of(
        say,
        report.rows,
        ("code", "统一社会信用代码", lambda row: row.code),
        ("unit", "用能单位", lambda row: row.name),
        ("state", "状态", lambda row: say(STATES[row.standing.state])),
        ("grade", "等级", lambda row: row.standing.grade),
        ("serious", "严重", lambda row: row.standing.serious),
        ("do not conform", "不符合项", lambda row: row.standing.failed),
        ("need a person", "待人工核查", lambda row: row.standing.person),
        ("needed (Nl)", "应配", lambda row: row.standing.points_needed),
        ("installed (Ns)", "实配", lambda row: row.standing.points_present),
        ("meters", "在用器具", lambda row: row.standing.verification.meters),
        ("valid", "检定有效", lambda row: row.standing.verification.valid),
        ("overdue", "超期", lambda row: row.standing.verification.overdue),
        ("mandatory", "强检器具", lambda row: row.standing.verification.mandatory),
        ("of them valid", "强检有效", lambda row: row.standing.verification.mandatory_valid),
        ("completeness, %", "数据完整率 %", lambda row: _percent(row.standing.completeness)),
        (f"tce of the {en}", f"{zh}综合能耗 tce", lambda row: row.tce_month),
        ("tce of the year", "年综合能耗 tce", lambda row: row.tce_year),
        (
            "key unit",
            "重点用能单位",
            lambda row: say(KEY_UNITS[row.key_unit]) if row.key_unit in KEY_UNITS else row.key_unit,
        ),
        ("first step", "首要事项", lambda row: say(row.first_step)),
    )
    add_sheet(book, say(Phrase(en="region", zh="区域汇总")), *table)
    add_coverage(book, report.coverage, report.mandatory_target, say)
    book.save(path)
