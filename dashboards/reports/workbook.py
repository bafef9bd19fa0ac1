"""Reports as workbooks in the columns of the review's forms (JJF 1356 B.1 to B.10), so that they can be handed in."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Final

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
from dashboards.reports.sheet import SheetCell, add_sheet, empty_book, heads_of, number_pages, speaker

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
    heads = heads_of(
        say,
        ("clause", "条款"),
        ("mandatory", "强制"),
        ("verdict", "判定"),
        ("severity", "严重程度"),
        ("level", "计量级别"),
        ("energy", "能源种类"),
        ("point", "计量点"),
        ("meter", "管理编号"),
        ("required", "要求"),
        ("found", "现状"),
        ("next step", "下一步"),
        ("meters", "涉及器具"),
        ("points", "涉及计量点"),
        ("edition", "依据"),
    )
    rows = (
        (
            say(clause_name(one.clause)),
            "*" if one.mandatory else "",
            say(VERDICTS[one.verdict]),
            say(SEVERITIES[one.severity]),
            say(level_name(one.level)) if one.level else "",
            say(carrier_name(one.carrier)) if one.carrier else "",
            one.point,
            one.meter_no,
            say(one.required),
            say(one.found),
            say(one.next_step),
            ", ".join(one.meters),
            ", ".join(one.points),
            report.edition_of(one, say),
        )
        for one in report.findings
    )
    add_sheet(book, say(Phrase(en="clauses", zh="逐条判定")), heads, rows)


def _rates(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    heads = heads_of(
        say,
        ("level", "计量级别"),
        ("energy", "能源种类"),
        ("needed (Nl)", "应配数 Nl"),
        ("installed (Ns)", "实配数 Ns"),
        ("within a valid verification", "其中检定/校准有效"),
        ("need to be decided", "是否应配待核查"),
        ("rate, %", "配备率 %"),
        ("required, %", "要求 %"),
        ("verdict", "判定"),
        ("points without a meter in use", "缺配计量点"),
    )
    rows = (
        (
            say(level_name(rate.level)),
            say(carrier_name(rate.carrier)),
            rate.needed,
            rate.present,
            rate.valid,
            rate.unknown,
            None if rate.rate is None else float(rate.rate),
            None if rate.required is None else float(rate.required),
            say(VERDICTS[rate.verdict]),
            ", ".join(rate.missing),
        )
        for rate in report.rates
    )
    name = Phrase(en="B.8 rates by energy", zh="B.8 能源计量器具配备情况统计汇总表（按能源）")
    _form(book, name, "B.8", report, (heads, rows), say, Phrase(zh="按能源", en="by energy"))


def _day(day: int | None) -> date | None:
    return None if day is None else date.fromordinal(day + EPOCH_ORDINAL)


def _staff(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    """B.1, as it was entered."""
    heads = heads_of(
        say,
        ("name", "姓名"),
        ("position", "岗位"),
        ("duties", "职责"),
        ("trained on", "培训日期"),
        ("certificate", "证书编号"),
        ("certificate holds until", "证书有效期至"),
    )
    rows = (
        (
            one.name,
            one.position,
            one.duties,
            _day(one.trained_day),
            one.certificate,
            _day(one.certificate_until),
        )
        for one in report.staff
    )
    _form(book, Phrase(en="B.1 staff", zh="B.1 能源计量工作人员一览表"), "B.1", report, (heads, rows), say)


def _stocks(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    """B.10 by year: what was entered, what follows from it, and what the meters say."""
    heads = heads_of(
        say,
        ("year", "年度"),
        ("energy", "能源种类"),
        ("code", "代码"),
        ("unit", "计量单位"),
        ("opening stock", "年初库存"),
        ("purchased", "购进量"),
        ("own production", "自产量"),
        ("supplied to others", "外供量"),
        ("closing stock", "年末库存"),
        ("consumption that follows", "推算消费量"),
        ("consumption as booked", "账面消费量"),
        ("metered in the year", "计量消费量"),
        ("days metered", "有计量数据的天数"),
        ("source", "来源"),
    )
    rows = (
        (
            *(
                row.year,
                say(carrier_name(row.energy)),
                form_code(row.energy),
                row.stock.unit,
                row.stock.opening,
                row.stock.purchased,
            ),
            *(row.stock.produced, row.stock.supplied, row.stock.closing, row.stock.used_up, row.stock.consumed),
            *(row.metered, row.days, row.stock.source),
        )
        for row in report.stocks
    )
    name = Phrase(en="B.10 purchase and stock", zh="B.10 年度能源购进、消费与库存情况表")
    _form(book, name, "B.10", report, (heads, rows), say)


def _equipment(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    heads = heads_of(
        say,
        ("sub-unit", "次级用能单位"),
        ("equipment", "主要用能设备"),
        ("energy", "能源种类"),
        ("rated power, kW", "额定功率 kW"),
        ("declared use a year", "年用量（申报）"),
        ("most in an hour", "小时最大用量"),
        ("point", "计量点"),
        ("meter", "管理编号"),
        ("exempt because", "免配原因"),
    )
    rows = (
        (
            row.sub_unit,
            row.equipment,
            say(carrier_name(row.carrier)),
            row.rated_power_kw,
            row.annual_use,
            row.hourly_use,
            row.point,
            row.meter_no,
            say(_reason(row.exemption)),
        )
        for row in report.meters
        if row.equipment
    )
    _form(book, Phrase(en="B.2 main equipment", zh="B.2 主要用能设备"), "B.2", report, (heads, rows), say)


def _reason(cell: str) -> Phrase:
    """Why a point needs no meter: the note's words where the cell holds its code, else what the ledger says."""
    known = EXEMPTIONS.get(cell)
    return known.name if known is not None else Phrase(zh=cell, en=cell)


def _standing_of_meters(book: Workbook, meters: Sequence[MeterRow], say: Callable[[Phrase], str]) -> None:
    """What the forms have no column for."""
    heads = heads_of(
        say,
        ("management number", "用能单位管理编号"),
        ("verified on", "检定/校准日期"),
        ("valid until", "有效期至"),
        ("verification or calibration", "检定/校准状态"),
        ("verified by law", "强制检定"),
        ("energy", "能源种类"),
        ("point", "计量点"),
    )
    rows = (
        (
            row.meter_no,
            row.verified_on,
            row.verification_due,
            say(VERIFICATION[row.state.lower()]),
            say(Phrase(zh="是", en="yes")) if row.mandatory else "",
            say(carrier_name(row.carrier)),
            row.point,
        )
        for row in meters
    )
    add_sheet(book, say(Phrase(en="verification by meter", zh="检定校准状态明细")), heads, rows)


def _by_instrument(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    """B.8 by kind of instrument: what is installed, by level."""
    count = Counter((row.instrument, row.level) for row in report.meters if row.meter_no)
    heads = heads_of(say, ("instrument", "器具类别")) + [
        say(level_name(one)) for one in ("unit", "sub_unit", "equipment")
    ]
    rows = (
        (say(instrument_name(kind)), *(count[kind, level] for level in ("unit", "sub_unit", "equipment")))
        for kind in sorted({kind for kind, _ in count})
    )
    name = Phrase(en="B.8 by instrument", zh="B.8 能源计量器具配备情况统计汇总表（按器具）")
    _form(book, name, "B.8", report, (heads, rows), say, Phrase(zh="按器具", en="by instrument"))


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
    heads = heads_of(
        say,
        ("instrument", "器具类别"),
        ("level", "计量级别"),
        ("energy", "能源种类"),
        ("class", "准确度等级"),
        ("meters", "台数"),
        ("too coarse", "不符合台数"),
    )
    rows = (
        (
            say(instrument_name(key[0])),
            say(level_name(key[1])),
            say(carrier_name(key[2])),
            key[3],
            count[key],
            coarse[key],
        )
        for key in sorted(count)
    )
    name = Phrase(en="B.9 accuracy", zh="B.9 能源计量器具准确度等级统计汇总表")
    _form(book, name, "B.9", report, (heads, rows), say)


def _energy(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    heads = heads_of(
        say,
        ("whose", "范围"),
        ("energy", "能源种类"),
        ("consumption", "消费量"),
        ("unit", "计量单位"),
        ("tce, equivalent value", "折标量 tce（当量值）"),
        ("tce, equal value", "折标量 tce（等价值）"),
        ("completeness, %", "完整率 %"),
        ("factor", "折标系数"),
    )
    whole = say(Phrase(en="unit", zh="用能单位"))
    scopes = [(whole, report.energy), *report.sub_units.items()]
    rows: list[Sequence[SheetCell]] = [
        (
            name,
            say(carrier_name(one.carrier)),
            one.amount,
            one.symbol,
            one.tce,
            one.tce_equal,
            _percent(one.completeness),
            say(Phrase(en=one.factor, zh=factor_in_chinese(one.factor))),
        )
        for name, energy in scopes
        for one in energy.carriers
    ]
    apart = sorted({(one.carrier, one.symbol) for one in report.differences})
    rows += [
        (
            *(say(DIFFERENCES), say(carrier_name(carrier)), report.unexplained(carrier, symbol), symbol),
            *(None, None, None, ""),
        )
        for carrier, symbol in apart
    ]
    total = say(Phrase(en="total", zh="合计"))
    rows.append((whole, total, None, "", report.energy.tce, report.energy.tce_equal, None, not_counted(report, say)))
    aside = say(Phrase(en="own production (not in the total)", zh="自产自用（不计入合计）"))
    rows += [
        (aside, say(carrier_name(one.carrier)), one.amount, one.symbol, None, None, None, "、".join(one.points))
        for one in report.own
    ]
    add_sheet(book, say(Phrase(en="energy used", zh="能源消费明细")), heads, rows)


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
    heads = heads_of(
        say,
        ("item", "序号"),
        ("clause", "条款"),
        ("subject (of its group)", "审查内容（所属组）"),
        ("verdict", "结论"),
        ("why", "说明"),
        ("by", "判定人"),
    )
    rows: list[Sequence[SheetCell]] = [
        (one.item.number, one.item.clause, say(one.item.subject), say(VERDICTS[one.verdict]), say(one.why), one.by)
        for one in report.review.results
    ]
    rows.append((None, "", say(Phrase(en="conclusion", zh="审查结论")), say(report.review.verdict), "", ""))
    add_sheet(book, say(Phrase(en="JJF 1356 sheet", zh="JJF 1356 审查表")), heads, rows)


def _self_checks(book: Workbook, report: UnitReport, say: Callable[[Phrase], str]) -> None:
    heads = heads_of(
        say,
        ("year", "年度"),
        ("done on", "自查日期"),
        ("by", "自查人"),
        ("result", "结果"),
        ("corrected on", "改正完成日期"),
    )
    rows = [
        (year, _day(one.done_day), one.by, one.result, _day(one.corrected_day))
        for year, one in sorted(report.self_checks.items(), reverse=True)
    ]
    add_sheet(book, say(Phrase(en="self-checks", zh="自查记录")), heads, rows)


def region_workbook(report: RegionReport, path: Path, *, language: str = "zh") -> None:
    """Write all units' standing."""
    say = speaker(language)
    book = empty_book()
    heads = heads_of(
        say,
        ("code", "统一社会信用代码"),
        ("unit", "用能单位"),
        ("state", "状态"),
        ("grade", "等级"),
        ("serious", "严重"),
        ("do not conform", "不符合项"),
        ("need a person", "待人工核查"),
        ("needed (Nl)", "应配"),
        ("installed (Ns)", "实配"),
        ("meters", "在用器具"),
        ("valid", "检定有效"),
        ("overdue", "超期"),
        ("mandatory", "强检器具"),
        ("of them valid", "强检有效"),
        ("completeness, %", "数据完整率 %"),
        ("tce of the months", "本期综合能耗 tce") if report.several else ("tce of the month", "本月综合能耗 tce"),
        ("tce of the year", "年综合能耗 tce"),
        ("key unit", "重点用能单位"),
        ("first step", "首要事项"),
    )
    rows = (
        (
            row.code,
            row.name,
            say(STATES[row.standing.state]),
            row.standing.grade,
            row.standing.serious,
            row.standing.failed,
            row.standing.person,
            row.standing.points_needed,
            row.standing.points_present,
            row.standing.verification.meters,
            row.standing.verification.valid,
            row.standing.verification.overdue,
            row.standing.verification.mandatory,
            row.standing.verification.mandatory_valid,
            _percent(row.standing.completeness),
            row.tce_month,
            row.tce_year,
            say(KEY_UNITS[row.key_unit]) if row.key_unit in KEY_UNITS else row.key_unit,
            say(row.first_step),
        )
        for row in report.rows
    )
    add_sheet(book, say(Phrase(en="region", zh="区域汇总")), heads, rows)
    add_coverage(book, report.coverage, report.mandatory_target, say)
    book.save(path)
