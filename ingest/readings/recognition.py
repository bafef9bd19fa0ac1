"""A file of readings understood before anything of it is taken: every row is looked at, nothing is guessed in silence.

`recognised` walks through a table once and decides by all of its cells what its columns are and how they write times
and numbers. What nothing decides becomes a `Question`, with an example and the option that answers it.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from analytics.domain.units import find_unit
from analytics.domain.words import Phrase
from ingest.files import UnreadableFile, tidy
from ingest.readings.cells import number_cells, tidied
from ingest.readings.directory import MeterDirectory
from ingest.readings.layout import Layout, check_layout, find_layout
from ingest.readings.numbers import NumberForm, NumberSurvey
from ingest.readings.options import ReadingOptions
from ingest.readings.tables import RawTable
from ingest.readings.times import TimeForm, TimeSurvey, clock_of_day
from ingest.readings.turned import dated, turned

__all__ = ["Question", "Recognised", "Unsettled", "recognised"]

_MOST_UNITS = 1000
_SHOWN_CELLS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that a file does not decide, to be settled by a person.

    Attributes
    ----------
    field : str
        Attribute of `ReadingOptions` that answers it.
    option : str
        Option of the commands that answers it.
    text : Phrase
        What is asked, with an example of the file.
    choices : mapping of str to Phrase
        Possible answers; empty where any text may be one.
    """

    field: str
    option: str
    text: Phrase
    choices: Mapping[str, Phrase] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        choices = "|".join(self.choices) or "…"
        return f"{self.text.en} ({self.text.zh}): say {self.option} {choices}"


class Unsettled(UnreadableFile):
    """A file that leaves open what it says; `questions` say what, and which options settle it."""

    def __init__(self, name: str, questions: Sequence[Question]) -> None:
        super().__init__(f"{name}: " + "; ".join(map(str, questions)))
        self.questions = tuple(questions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """A table whose columns are understood.

    Attributes
    ----------
    name : str
        File, and sheet where there is more than one.
    table : RawTable
    layout : Layout
    times : TimeForm
    numbers : NumberForm
    unit : str
        Unit of measurement of readings that state none: the option's, or the one behind the numbers; else the ledger's.
    rows, blank : int
        Rows below the header, and values in them that say nothing.
    notes : tuple of Phrase
        What was taken for what, where a person may want to know.
    """

    name: str
    table: RawTable
    layout: Layout
    times: TimeForm
    numbers: NumberForm
    unit: str = ""
    rows: int = 0
    blank: int = 0
    notes: tuple[Phrase, ...] = ()


@dataclass(slots=True)
class _Survey:
    times: TimeSurvey = field(default_factory=TimeSurvey)
    numbers: NumberSurvey = field(default_factory=NumberSurvey)
    units: Counter[str] = field(default_factory=Counter)
    homeless: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    blank: int = 0


def recognised(
    table: RawTable,
    name: str,
    *,
    directory: MeterDirectory | None,
    options: ReadingOptions,
    latest_us: int,
) -> Recognised:
    """Understand a table.

    Parameters
    ----------
    table : RawTable
    name : str
        What it is called in messages.
    directory : MeterDirectory, optional
        Meters of the ledger; without it a file must say unit, meter and unit of measurement itself.
    options : ReadingOptions
        What a person stated.
    latest_us : int
        Now: no reading was taken later. [us since 1970-01-01 UTC]

    Raises
    ------
    Unsettled
        If something is left open.
    UnreadableFile
        If a column is missing or contradicts another.
    """
    table = turned(table, name, options)
    layout = _found(table, name, directory, options)
    if not {"measured_at", "date", "time"} & set(layout.places) and (above := dated(table, layout.below)) is not None:
        table = above
        layout = _found(table, name, directory, options)
    check_layout(layout, name, directory, options)
    survey = _surveyed(table, layout, directory, options, latest_us)
    _agree_on_units(name, layout, survey)
    questions: list[Question] = []
    times = survey.times.form(options.dates, _offset(layout), typed=table.typed)
    if times is None:
        questions.append(_about_dates(name, survey.times))
    elif survey.times.months:
        year = options.reading_year or _year_above(table, layout.below)
        questions += _about_months(survey.times, options, year)
        times = replace(times, reading_day=options.reading_day or "", year=int(year or 0))
    numbers = survey.numbers.form(options.decimal)
    if numbers is None:
        questions.append(_about_numbers(name, survey.numbers, comma_parts=table.delimiter == ","))
    questions += _about_units(directory, layout, survey, options)
    if questions:
        raise Unsettled(name, questions)
    assert times is not None
    assert numbers is not None
    unit = options.unit or ("" if "unit" in layout.places else numbers.unit)
    return Recognised(
        name=name, table=table, layout=layout, times=times, numbers=numbers, unit=_symbol(unit), rows=survey.rows,
        blank=survey.blank,
        notes=(*_notes(layout, times, numbers, survey), *_about_formulas(table.uncalculated)),
    )  # fmt: skip


def _found(table: RawTable, name: str, directory: MeterDirectory | None, options: ReadingOptions) -> Layout:
    try:
        return find_layout(table.head, title=table.title, directory=directory, options=options)
    except UnreadableFile as error:
        raise UnreadableFile(f"{name}: {error}", zh=f"{name}：{error.zh}" if error.zh else "") from None


def _symbol(unit: str) -> str:
    found = find_unit(unit) if unit else None
    return unit if found is None else found.symbol


def _offset(layout: Layout) -> int | None:
    return layout.titles[layout.places["measured_at"]].offset_s


def time_cells(columns: Sequence[Any], layout: Layout) -> Any:
    """Cells of the column of times, date and time of day joined where these stand apart."""
    cells = tidied(columns[layout.places["measured_at"]])
    if "date" not in layout.places or "time" not in layout.places:
        return cells
    return _joined(cells, tidied(columns[layout.places["time"]]))


def _joined(dates: Any, clocks: Any) -> Any:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import compute  # noqa: PLC0415

    encoded = clocks.dictionary_encode()
    read = [None if text is None else (clock_of_day([text]) or [text])[0] for text in encoded.dictionary.to_pylist()]
    clock = pa.array(read, pa.string()).take(encoded.indices)
    short: Any = compute.replace_substring_regex(dates, r"[T ]\s*0{1,2}:00(:00(\.0*)?)?$", "")
    return compute.binary_join_element_wise(short, clock, " ")


def _surveyed(
    table: RawTable, layout: Layout, directory: MeterDirectory | None, options: ReadingOptions, latest_us: int
) -> _Survey:
    survey = _Survey()
    places = layout.places
    asks_unit = directory is not None and options.unit_code is None and not {"unit_code", "unit_name"} & set(places)
    for batch in table.batches(layout.below, layout.width, layout.needed):
        survey.rows += len(batch.number) + len(batch.broken)
        survey.times.add(time_cells(batch.columns, layout), latest_us)
        for one in layout.values:
            cells = number_cells(batch.columns[one.place])
            survey.blank += cells.null_count
            survey.numbers.add(cells)
        if "unit" in places and len(survey.units) < _MOST_UNITS:
            survey.units.update(_distinct(batch.columns[places["unit"]]))
        if asks_unit and "meter_no" in places and directory is not None:
            for meter_no in _distinct(batch.columns[places["meter_no"]]):
                several = directory.several(meter_no)
                if len(several) > 1:
                    survey.homeless[meter_no] = len(several)
    return survey


def _distinct(column: Any) -> list[str]:
    return [tidy(text) for text in column.unique().to_pylist() if text and tidy(text)]


def _agree_on_units(name: str, layout: Layout, survey: _Survey) -> None:
    """The header and the column of units cannot both be right where they differ."""
    stated = {one.unit for one in layout.values if one.unit}
    if "unit" not in layout.places or not stated:
        return
    for text in survey.units:
        unit = find_unit(text)
        if unit is not None and any(unit.symbol != one for one in stated):
            titles = ", ".join(repr(one.title) for one in layout.values if one.unit)
            raise UnreadableFile(
                f"{name}: header and column must state one unit of measurement (got {titles} and {text!r} in the "
                f"column of units; --column 'HEADER=ignore' passes one over)",
                zh=f"{name}：表头与单位列的计量单位不一致（{titles} 与 {text!r}；可用 --column '表头=ignore'）",
            )


_ORDER_WORDS = {
    "day-first": Phrase(en="the day comes first", zh="日在前"),
    "month-first": Phrase(en="the month comes first", zh="月在前"),
    "year-first": Phrase(en="the year comes first", zh="年在前"),
}


def _about_dates(name: str, survey: TimeSurvey) -> Question:
    example = survey.examples[0] if survey.examples else ""
    possible = survey.possible_orders
    if not possible:
        raise UnreadableFile(
            f"{name}: dates must be written in one order of day and month (got {' and '.join(survey.examples[:2])!r}: "
            f"they contradict each other)",
            zh=f"{name}：日期的日、月顺序须一致（{'、'.join(survey.examples[:2])} 互相矛盾）",
        )
    return Question(
        field="dates",
        option="--dates",
        text=Phrase(
            en=f"{example!r} must say which number is the day and which the month; nothing in the file does",
            zh=f"“{example}”中哪个是日、哪个是月，文件中无法判断",
        ),
        choices={order: _ORDER_WORDS[order] for order in possible},
    )


_YEAR = re.compile(r"(?<!\d)(20\d\d)(?!\d)")


def _year_above(table: RawTable, below: int) -> str:
    """The one year that the title and the lines above the header name, empty where they name none or several."""
    above = " ".join(tidy(cell) for row in table.head[:below] for cell in row if cell.strip())
    found = set(_YEAR.findall(f"{table.title} {above}"))
    return found.pop() if len(found) == 1 else ""


def _about_months(survey: TimeSurvey, options: ReadingOptions, year: str) -> list[Question]:
    found = []
    if options.reading_day is None:
        found.append(
            Question(
                field="reading_day",
                option="--reading-day",
                text=Phrase(
                    en=f"{survey.months!r} must say when in the month the dials were read: end (24:00 of its last day) "
                    f"or a day from 1 to 28 (0:00), with another time of day as in '25 08:00'",
                    zh=f"“{survey.months}”只有月份，没有日：请说明每月何时抄表，end 为月末最后一日 24:00，"
                    f"1 至 28 为该日 0:00，其他时刻如“25 08:00”",
                ),
            )
        )
    if survey.lacks_year and not year:
        found.append(
            Question(
                field="reading_year",
                option="--reading-year",
                text=Phrase(
                    en=f"{survey.months!r} must say of which year the months are",
                    zh=f"“{survey.months}”没有年份：请说明是哪一年",
                ),
            )
        )
    return found


def _about_numbers(name: str, survey: NumberSurvey, *, comma_parts: bool) -> Question:
    example, contradict = survey.undecided
    if contradict:
        raise UnreadableFile(
            f"{name}: numbers must be written in one way (got {example}: the comma cannot part thousands and decimals "
            f"in one column)",
            zh=f"{name}：数的写法须一致（同一列中逗号既作千分位又作小数点：{example}）",
        )
    likely = "point" if comma_parts else ""
    return Question(
        field="decimal",
        option="--decimal",
        text=Phrase(
            en=f"{example!r} may be a number in thousands or one with three decimals; nothing in the file decides "
            f"whether its comma is a thousands separator or a decimal mark",
            zh=f"“{example}”中的逗号是千分位还是小数点，文件中无法判断",
        ),
        choices={
            "point": Phrase(en=f"thousands: {example.replace(',', '')}{' (likely)' if likely else ''}", zh="千分位"),
            "comma": Phrase(en=f"decimals: {example.replace(',', '.')}", zh="小数点"),
        },
    )


def _about_units(
    directory: MeterDirectory | None, layout: Layout, survey: _Survey, options: ReadingOptions
) -> list[Question]:
    found: list[Question] = []
    if survey.homeless:
        meter_no = next(iter(survey.homeless))
        assert directory is not None
        several = directory.several(meter_no)
        found.append(
            Question(
                field="unit_code",
                option="--unit-code",
                text=Phrase(
                    en=f"meter {meter_no!r} is in the ledgers of {len(several)} units, and the file names none",
                    zh=f"管理编号“{meter_no}”在{len(several)}家用能单位的台账中都有，文件未注明用能单位",
                ),
                choices={code: Phrase(en=code, zh=code) for code in several[:20]},
            )
        )
    names_meter = bool({"meter_no", "serial_no", "point", "name"} & set(layout.places)) or layout.is_wide
    if not names_meter and layout.meter is None and options.meter_no is None:
        found.append(
            Question(
                field="meter_no",
                option="--meter-no",
                text=Phrase(en="the file names no meter", zh="文件未注明表计"),
            )
        )
    return found


def _about_formulas(cells: Sequence[str]) -> list[Phrase]:
    if not cells:
        return []
    names = ", ".join(cells[:_SHOWN_CELLS]) + (" …" if len(cells) > _SHOWN_CELLS else "")
    return [
        Phrase(
            en=f"{len(cells)} cells hold a formula that was never calculated and are no values ({names}): open and "
            f"save the workbook in a spreadsheet",
            zh=f"{len(cells)} 个单元格的公式从未计算，没有数值（{names}）：请用表格软件打开并保存后再用",
        )
    ]


def _day_in_words(reading_day: str) -> str:
    """When in a month dials are read, in Chinese.

    Examples
    --------
    >>> _day_in_words("end"), _day_in_words("25 08:00")
    ('最后一日 24:00', '25 日 08:00')
    """
    day, _, clock = reading_day.partition(" ")
    last = day == "end"
    return f"{'最后一日' if last else f'{day} 日'} {clock.strip() or ('24:00' if last else '0:00')}"


def _notes(layout: Layout, times: TimeForm, numbers: NumberForm, survey: _Survey) -> list[Phrase]:
    notes = []
    if layout.strangers:
        names = ", ".join(layout.strangers[:20])
        notes.append(
            Phrase(
                en=f"columns passed over, since the ledger has no such meter: {names}",
                zh=f"以下各列在台账中没有对应表计，未采用：{names}",
            )
        )
    if "serial" in times.families:
        notes.append(Phrase(en="times are a spreadsheet's day numbers", zh="时间为电子表格序列值"))
    if "epoch" in times.families:
        notes.append(Phrase(en="times count from 1970 (Unix epoch)", zh="时间为 Unix 时间戳"))
    if times.reading_day:
        notes.append(
            Phrase(
                en=f"months are taken as read on {times.reading_day} of each",
                zh=f"月份按每月 {_day_in_words(times.reading_day)} 抄表计",
            )
        )
    if times.order:
        notes.append(_ORDER_WORDS[times.order])
    if survey.times.cells and survey.times.date_only == survey.times.cells and "time" not in layout.places:
        notes.append(
            Phrase(en="dates without a time of day are their midnight, 0:00", zh="只有日期的时间按当日 0:00 计")
        )
    if numbers.decimal == ",":
        notes.append(Phrase(en="the comma is the decimal mark", zh="逗号为小数点"))
    elif numbers.thousands and survey.numbers.counts["comma_thousands"] + survey.numbers.counts["open_comma"]:
        notes.append(Phrase(en="the comma parts thousands", zh="逗号为千分位"))
    if survey.blank:
        notes.append(Phrase(en=f"{survey.blank} blank values passed over", zh=f"跳过空值 {survey.blank} 个"))
    return notes
