"""Inference of missing cells from the rest of the row, its block or the headers; each is marked as inferred.

Nothing is inferred that could be otherwise: the unit of a gas register is asked, that of water is m3.
"""

import contextlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from analytics.domain.ledger import Inferred, LedgerFault, RawColumn
from analytics.domain.ledger.cells import CellError, Taken, is_empty
from analytics.domain.ledger.vocabulary import CARRIER_WORDS, parsers, spellings
from analytics.domain.spelling import code_key, tidy
from analytics.domain.units import UnitError, conversion_factor, find_unit, parse_unit
from analytics.domain.words import Phrase
from ingest.files.ranges import SHEET_ROWS
from ingest.ledgers.headers import BRACKETED, CT_RATIO, PT_RATIO
from ingest.ledgers.options import LedgerOptions
from ingest.ledgers.table import LedgerTable

__all__ = ["LedgerQuestion", "Prepared", "prepared"]

_CARRIER_INSTRUMENT = {
    "electricity": "electricity", "water": "water_flow", "natural_gas": "gas_flow", "coal_gas": "gas_flow",
    "lpg": "gas_flow", "steam": "steam_flow", "refined_oil": "oil_flow", "heavy_oil": "oil_flow",
    "residual_oil": "oil_flow", "crude_oil": "oil_flow", "coal": "weighing", "coke": "weighing",
}  # fmt: skip
_CARRIER_UNIT = {"electricity": "kWh", "water": "m3"}
_UNIT_CHOICES = {
    "natural_gas": ("m3", "Nm3"), "coal_gas": ("m3", "Nm3"), "lpg": ("kg", "m3", "t"), "steam": ("t", "GJ", "kg"),
    "hot_water": ("GJ", "m3", "t"), "coal": ("t", "kg"), "coke": ("t", "kg"), "refined_oil": ("L", "t", "kg", "m3"),
    "heavy_oil": ("t", "kg", "L"), "residual_oil": ("t", "kg", "L"), "crude_oil": ("t", "m3"),
}  # fmt: skip
_CLASS = re.compile(r"(?<![\d.])(\d(?:\.\d{1,2})?\s*[sS]?)\s*级")
_NUMBERING = re.compile(r"^[\s(（]*(?:[一二三四五六七八九十]+|\d{1,2})[\s)）、.．]+")
_TAIL = re.compile(r"(?:能源)?(?:计量(?:器具)?|仪表|表计|部分|系统|台账|类|消耗|用表)+\s*$")
_BLOCK_SHARE = 0.5
_MOST_ROWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuestion:
    """A question that a ledger file leaves open.

    Attributes
    ----------
    field : str
        Attribute of `LedgerOptions` that answers it.
    key : str
        Carrier whose unit of measurement is asked; empty for the other questions.
    option : str
        Option of the commands that answers it.
    text : Phrase
    choices : tuple of str
        Possible answers; empty where any text may be one.
    """

    field: str
    option: str
    text: Phrase
    key: str = ""
    choices: tuple[str, ...] = ()


@dataclass(slots=True)
class Prepared:
    """Completed columns, inferred cells, open questions and contradictions."""

    columns: dict[str, RawColumn]
    inferred: list[Inferred] = field(default_factory=list)
    questions: list[LedgerQuestion] = field(default_factory=list)
    faults: list[LedgerFault] = field(default_factory=list)


def prepared(table: LedgerTable, options: LedgerOptions, zone: tzinfo) -> Prepared:
    """Columns of a ledger file with what it leaves out.

    Parameters
    ----------
    table : LedgerTable
    options : LedgerOptions
        What a person settled.
    zone : tzinfo
        Of local times.
    """
    columns = {name: column for name, column in table.columns.items() if name not in {CT_RATIO, PT_RATIO}}
    n = len(table.row_numbers)
    if n == 0 or n > _MOST_ROWS or not table.header:
        return Prepared(columns)
    work = _Work(table, options, zone)
    for step in (
        work.fill_blocks, work.units_of_use, work.ratios, work.points, work.carriers, work.levels, work.instruments,
        work.measures, work.classes, work.starts, work.replaced, work.scales,
    ):  # fmt: skip
        step()
    return Prepared(work.columns(columns), work.inferred, work.questions, work.faults)


class _Work:
    def __init__(self, table: LedgerTable, options: LedgerOptions, zone: tzinfo) -> None:
        self._table, self._options = table, options
        self._n = len(table.row_numbers)
        self._line = table.row_numbers.tolist()
        self._cells: dict[str, list[object]] = {}
        self._changed: set[str] = set()
        self._parse = parsers(zone)
        self.inferred: list[Inferred] = []
        self.questions: list[LedgerQuestion] = []
        self.faults: list[LedgerFault] = []

    def columns(self, known: Mapping[str, RawColumn]) -> dict[str, RawColumn]:
        return {**known, **{name: RawColumn.of(self._cells[name]) for name in self._changed}}

    def _of(self, name: str) -> list[object]:
        if name not in self._cells:
            raw = self._table.columns.get(name)
            self._cells[name] = [None] * self._n if raw is None else [raw.values[code] for code in raw.codes.tolist()]
        return self._cells[name]

    def _blanks(self, name: str) -> list[int]:
        raw = self._table.columns.get(name)
        if raw is None and name not in self._cells:
            return list(range(self._n))
        if raw is not None and name not in self._cells and not any(map(is_empty, raw.values)):
            return []
        return [i for i, cell in enumerate(self._of(name)) if is_empty(cell)]

    def _set(self, name: str, row: int, value: object, why: Phrase) -> None:
        got = self._of(name)[row]
        self._of(name)[row] = value
        self._changed.add(name)
        self.inferred.append(Inferred(self._line[row], name, "nothing" if is_empty(got) else repr(got), why))

    def _word(self, name: str, row: int) -> str:
        """English word of a cell, empty where it is none."""
        cell = self._of(name)[row]
        if is_empty(cell):
            return ""
        try:
            value = self._parse[name](cell)
        except CellError:
            return ""
        value = value.value if isinstance(value, Taken) else value
        return str(value or "")

    def _stated_elsewhere(self, name: str) -> set[int]:
        """Rows whose point says it in another row: a fact of a point is stated once."""
        points: dict[tuple[object, object], list[int]] = {}
        for row in range(self._n):
            points.setdefault((self._of("unit_code")[row], self._of("point")[row]), []).append(row)
        cells = self._of(name)
        return {
            row
            for (_, point), rows in points.items()
            if len(rows) > 1 and not is_empty(point) and any(not is_empty(cells[row]) for row in rows)
            for row in rows
        }

    def _has_meter(self, row: int) -> bool:
        return not is_empty(self._of("meter_no")[row])

    def fill_blocks(self) -> None:
        """Headings of blocks, and cells that stand once at the head of their block."""
        for row, heading in enumerate(self._table.sections):
            if heading:
                self._under(row, heading)
        for name in ("unit_code", "sub_unit"):
            if name in self._table.columns:
                self._fill_down(name)

    def _under(self, row: int, heading: str) -> None:
        text = _TAIL.sub("", _NUMBERING.sub("", tidy(heading))).strip() or tidy(heading)
        why = Phrase(en=f"heading of the block: {heading}", zh=f"所在区块标题：{heading}")
        key = "".join(text.split()).casefold()
        if key in _CARRIER_KEYS:
            name = "carrier"
        elif key in _LEVEL_KEYS:
            name = "level"
        else:
            name = "sub_unit"
        if is_empty(self._of(name)[row]):
            self._set(name, row, text, why)

    def _fill_down(self, name: str) -> None:
        blanks = set(self._blanks(name))
        if not blanks or 0 in blanks or len(blanks) <= _BLOCK_SHARE * self._n:
            return
        standing: object = None
        elsewhere = self._stated_elsewhere(name) if name == "sub_unit" else set()
        for row in range(self._n):
            if row not in blanks:
                standing = self._of(name)[row]
            elif row not in elsewhere and (name != "sub_unit" or self._word("level", row) in {"", "sub_unit"}):
                self._set(name, row, standing, Phrase(en="as in the row above", zh="同上行"))

    def units_of_use(self) -> None:
        """The unit that the ledger is of, where rows name none."""
        if not self._blanks("unit_code"):
            return
        code = self._options.unit_code
        if code is None:
            if "unit_code" not in self._table.columns:
                self.questions.append(
                    LedgerQuestion(
                        field="unit_code",
                        option="--unit-code",
                        text=Phrase(
                            en="which energy-using unit is this the ledger of (its code)?",
                            zh="台账属于哪家用能单位（代码）？",
                        ),
                    )
                )
            return
        why = Phrase(en="stated for the file", zh="按文件指定")
        for row in self._blanks("unit_code"):
            self._set("unit_code", row, code, why)
        if self._options.unit_name is not None:
            for row in self._blanks("unit_name"):
                self._set("unit_name", row, self._options.unit_name, why)

    def ratios(self) -> None:
        """The multiplier from the ratios of the transformers, where these have columns of their own."""
        if not {CT_RATIO, PT_RATIO} & set(self._table.columns):
            return
        blanks = set(self._blanks("multiplier"))
        for row in range(self._n):
            parts = [str(cell) for name in (CT_RATIO, PT_RATIO) if not is_empty(cell := self._of(name)[row])]
            text = "×".join(parts)
            if parts and row in blanks:
                self._set("multiplier", row, text, Phrase(en=f"CT × PT: {text}", zh=f"CT×PT：{text}"))
            elif parts:
                self._hold_ratios(row, text)

    def _hold_ratios(self, row: int, text: str) -> None:
        """A multiplier that is stated beside the ratios of its transformers must be their product."""
        stated, product = (self._number("multiplier", cell) for cell in (self._of("multiplier")[row], text))
        if stated is not None and product is not None and abs(stated - product) > _SAME * product:
            required = f"what its transformers make, {text} = {product:.15g}"
            self.faults.append(LedgerFault(self._line[row], "multiplier", required, f"{stated:.15g}"))

    def _number(self, name: str, cell: object) -> float | None:
        try:
            value = self._parse[name](cell)
        except CellError:
            return None
        value = value.value if isinstance(value, Taken) else value
        return float(value) if isinstance(value, float | int) else None

    def replaced(self) -> None:
        """The end of a meter in whose place a later row of the same point and number has another one."""
        pairs: dict[tuple[object, ...], list[tuple[float, int]]] = {}
        for row in range(self._n):
            since = self._number("installed_from", self._of("installed_from")[row])
            names = [self._of(name)[row] for name in ("unit_code", "point", "meter_no")]
            if since is not None and not is_empty(names[2]):
                pairs.setdefault(tuple(code_key(str(name)) for name in names), []).append((since, row))
        for found in pairs.values():
            found.sort()
            for (_, old), (_, new) in itertools.pairwise(found):
                serials = [str(self._of("serial_no")[row] or "") for row in (old, new)]
                if is_empty(self._of("installed_to")[old]) and all(serials) and serials[0] != serials[1]:
                    row = self._line[new]
                    why = Phrase(en=f"replaced by the meter of row {row}", zh=f"由第 {row} 行的表计替换")
                    self._set("installed_to", old, self._of("installed_from")[new], why)

    def scales(self) -> None:
        """Numbers that their header states in another unit than the ledger's: years, minutes, MW, 万kWh."""
        for name in _SCALED:
            if name in self._table.columns:
                for row in range(self._n):
                    if not is_empty(self._of(name)[row]):
                        self._scale(name, row)

    def _scale(self, name: str, row: int) -> None:
        bracket = BRACKETED.search(self._title(name, row))
        cell = self._of(name)[row]
        if bracket is None or self._number(name, cell) is None or _has_unit(cell):
            return
        stated = bracket[1].strip()
        why = Phrase(en=f"the header counts in {stated}", zh=f"表头注明单位为{stated}")
        if name in _IN_WORDS:
            word = f"{cell}{stated}"
            if self._number(name, word) not in {None, self._number(name, cell)}:
                self._set(name, row, word, why)
            return
        factor = _factor(name, stated, self._word("carrier", row))
        if factor is None:
            lost = Phrase(en=f"stated in {stated}, which does not convert", zh=f"以{stated}计，无法换算，未采用")
            self._set(name, row, None, lost)
        elif factor != 1.0:
            number = self._number(name, cell)
            self._set(name, row, float(f"{number * factor:.12g}") if number is not None else None, why)

    def _title(self, name: str, row: int) -> str:
        """Header over a cell, of its own sheet."""
        header = self._table.header
        if self._table.parts:
            header = self._table.parts[self._line[row] // SHEET_ROWS][1]
        return "" if header is None else tidy(header.titles.get(name, ""))

    def points(self) -> None:
        """A meter's own number for its point, where plants have no points but meters."""
        for row in self._blanks("point"):
            if self._has_meter(row):
                why = Phrase(en="named as its meter", zh="以管理编号代")
                self._set("point", row, self._of("meter_no")[row], why)

    def carriers(self) -> None:
        """The carrier from what the instrument is, where that measures one only."""
        elsewhere = self._stated_elsewhere("carrier") if "carrier" in self._table.columns else set()
        for row in self._blanks("carrier"):
            if row not in elsewhere and self._word("instrument", row) == "electricity":
                self._set("carrier", row, "electricity", Phrase(en="from the instrument", zh="由器具类别推断"))

    def levels(self) -> None:
        """The level from which names a row has."""
        stated = "level" in self._table.columns
        elsewhere = self._stated_elsewhere("level") if stated else set()
        blanks = [row for row in self._blanks("level") if row not in elsewhere]
        left = 0
        for row in blanks:
            if not is_empty(self._of("equipment")[row]):
                level, why = "equipment", Phrase(en="an equipment is named", zh="填有主要用能设备")
            elif not is_empty(self._of("sub_unit")[row]):
                level, why = "sub_unit", Phrase(en="a sub-unit is named", zh="填有次级用能单位")
            elif {"sub_unit", "equipment"} & set(self._table.columns) or self._table.sections:
                level, why = "unit", Phrase(en="no sub-unit and no equipment is named", zh="未填次级用能单位和设备")
            elif self._options.level is not None:
                level, why = self._options.level, Phrase(en="stated for the file", zh="按文件指定")
            else:
                left += 1
                continue
            self._set("level", row, level, why)
        if left and (not stated or left * 2 > self._n):
            self.questions.append(_level_question(left))

    def instruments(self) -> None:
        """The kind of instrument from its name, else from what it measures."""
        for row in self._doubtful_instruments():
            carrier = self._word("carrier", row)
            if not self._has_meter(row):
                continue
            found = self._named_instrument(row)
            if found == "electricity" and carrier not in {"", "electricity"}:
                found = ""  # the name is of another instrument
            why = Phrase(en="from its name", zh="由器具名称推断")
            if not found and carrier == "hot_water":
                found = "heat" if self._word("unit", row) in {"GJ", "MJ", "kWh", "MWh"} else "water_flow"
                why = Phrase(en="from its unit of measurement", zh="由计量单位推断")
            if not found:
                found, why = _CARRIER_INSTRUMENT.get(carrier, ""), Phrase(en="from the carrier", zh="由能源种类推断")
            if found:
                self._set("instrument", row, found, why)

    def _doubtful_instruments(self) -> list[int]:
        """Rows without an instrument, or with a word such as flow meter that leaves open of what."""
        raw = self._table.columns.get("instrument")
        if raw is None:
            return list(range(self._n))
        return [
            row
            for row, cell in enumerate(self._of("instrument"))
            if is_empty(cell) or (isinstance(cell, str) and not self._word("instrument", row) and "流量" in cell)
        ]

    def _named_instrument(self, row: int) -> str:
        cell = self._of("name")[row]
        if not isinstance(cell, str):
            return ""
        try:
            value = self._parse["instrument"](cell)
        except CellError:
            return ""
        return str(value)

    def measures(self) -> None:
        """The register's unit of measurement: the header's, the one a person stated, or the only one there is."""
        asked: set[str] = set()
        stated = self._table.header.unit if self._table.header is not None else ""
        for row in self._blanks("unit"):
            if not self._has_meter(row):
                continue
            carrier = self._word("carrier", row)
            if stated:
                self._set("unit", row, stated, Phrase(en="stated in a header", zh="表头注明"))
            elif carrier in self._options.units:
                self._set(
                    "unit", row, self._options.units[carrier], Phrase(en="stated for the carrier", zh="按能源种类指定")
                )
            elif self._word("instrument", row) == "heat":
                self._set("unit", row, "GJ", Phrase(en="heat meters count GJ", zh="热量表按GJ计"))
            elif carrier in _CARRIER_UNIT:
                self._set("unit", row, _CARRIER_UNIT[carrier], Phrase(en="from the carrier", zh="由能源种类推断"))
            elif carrier in _UNIT_CHOICES and carrier not in asked:
                asked.add(carrier)
                self.questions.append(_unit_question(carrier))

    def classes(self) -> None:
        """The accuracy class where the model or the name states it."""
        if "accuracy_class" not in self._table.columns and not {"model", "name", "range"} & set(self._table.columns):
            return
        for row in self._blanks("accuracy_class"):
            for name in ("model", "name", "range"):
                cell = self._of(name)[row]
                match = _CLASS.search(tidy(cell)) if isinstance(cell, str) else None
                if match is not None:
                    self._set("accuracy_class", row, match[1], Phrase(en="stated in the model", zh="型号规格中注明"))
                    break

    def starts(self) -> None:
        """Date of installation of a meter for which the file states none."""
        blanks = [row for row in self._blanks("installed_from") if self._has_meter(row)]
        if not blanks:
            return
        since = self._options.installed_from
        if since is not None:
            for row in blanks:
                self._set("installed_from", row, since, Phrase(en="stated for the file", zh="按文件指定"))
        elif len(blanks) * 2 > self._n:
            self.questions.append(
                LedgerQuestion(
                    field="installed_from",
                    option="--installed-from",
                    text=Phrase(
                        en=f"since when are the {len(blanks)} meters installed for which the file gives no date?",
                        zh=f"{len(blanks)} 块表未注明启用日期，自何日起在用？",
                    ),
                )
            )


def _has_unit(cell: object) -> bool:
    return isinstance(cell, str) and any(letter.isalpha() for letter in tidy(cell))


def _factor(name: str, stated: str, carrier: str) -> float | None:
    """What brings a number in the stated unit into the ledger's; 1 where the text is no unit, None for another kind."""
    unit = find_unit(re.sub(r"/(?:h|小时|时|a|年)$", "", stated))
    if unit is None or not carrier:
        return 1.0
    wanted = "kW" if name == "rated_power_kw" else _TABLE_UNIT.get(carrier, "GJ")
    for target in {"t": ("t", "m3") if carrier == "water" else ("t",), "m3": ("m3", "Nm3")}.get(wanted, (wanted,)):
        with contextlib.suppress(UnitError):
            return conversion_factor(unit, parse_unit(target))
    return None


def _level_question(count: int) -> LedgerQuestion:
    return LedgerQuestion(
        field="level",
        option="--level",
        text=Phrase(
            en=f"on which level do the meters of {count} rows measure, for which the file gives none? One answer holds "
            "for all of them; where they differ, fill in the column level of the completed ledger.",
            zh=f"{count} 行未注明计量级别：unit 为进出用能单位，sub_unit 为次级用能单位，equipment 为主要用能设备。"
            "各行相同时一并指定；不同时请在补全的台账中逐行填写“计量级别”。",
        ),
        choices=("unit", "sub_unit", "equipment"),
    )


def _unit_question(carrier: str) -> LedgerQuestion:
    chinese = CARRIER_WORDS[carrier][0]
    return LedgerQuestion(
        field="units",
        key=carrier,
        option=f"--measured-in {carrier}=",
        text=Phrase(
            en=f"in which unit do the registers of {carrier} count?", zh=f"{chinese}表的示值以什么计量单位计？"
        ),
        choices=_UNIT_CHOICES[carrier],
    )


_SAME = 1e-6
_IN_WORDS = frozenset({"cycle_months", "interval_s"})
_SCALED = ("cycle_months", "interval_s", "rated_power_kw", "annual_use", "hourly_use")
_TABLE_UNIT = {
    "electricity": "kWh", "coal": "t", "coke": "t", "crude_oil": "t", "refined_oil": "t", "lpg": "t",
    "heavy_oil": "t", "residual_oil": "t", "coal_gas": "m3", "natural_gas": "m3", "water": "t",
}  # fmt: skip
"""Units of GB 17167 table 1, in which a ledger states use; GJ for the others."""

_CARRIER_KEYS = frozenset(spellings("carrier")) - {"其他", "其它", "other", "power"}
_LEVEL_KEYS = frozenset(word for word in spellings("level") if len(word) > 1) - {"车间", "设备"}
