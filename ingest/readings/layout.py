"""Layout of a table: header row, one reading per row or one meter per column, role of each column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from analytics.domain.registers import MAIN
from analytics.domain.units import find_unit
from ingest.files import UnreadableFile, is_blank, tidy
from ingest.readings.directory import MeterDirectory, MeterEntry
from ingest.readings.options import ReadingOptions
from ingest.readings.times import clock_of_day, is_date_only, is_dated, is_span_of_day
from ingest.readings.words import Title, register_of, title_of

__all__ = ["Layout", "ValueColumn", "check_layout", "find_layout", "header_of"]

_HEADER_ROWS = 40
_LOOKED_AT = 60
_READING = ("unit_code", "meter_no", "measured_at", "value", "unit", "register", "quality", "received_at")
_REQUIRED = ("unit_code", "meter_no", "measured_at", "value", "unit")
_NAMED = frozenset({"meter_no", "serial_no", "point"})
_NAMES = _NAMED | {"name"}
"""What says whose a row is; by a name alone only where the ledger knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueColumn:
    """A column of register values.

    Attributes
    ----------
    place : int
        Which column of the table.
    title : str
        Its header.
    entry : MeterEntry or None
        The meter that the header names; None where rows name theirs.
    meter_no : str
        Meter that the header names without a ledger.
    unit : str
        Unit of measurement that the header states, empty where none.
    register : str
        Register that the header names, empty where none.
    """

    place: int
    title: str
    entry: MeterEntry | None = None
    meter_no: str = ""
    unit: str = ""
    register: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Roles of the columns of a table.

    Attributes
    ----------
    below : int
        Index of the last row of the header.
    width : int
        Columns of the table.
    titles : tuple of Title
        Headers.
    places : mapping of str to int
        Column of each role but `value`; ``date`` and ``time`` where these stand apart.
    values : tuple of ValueColumn
        One for a row a reading, one a meter for a column a meter.
    strangers : tuple of str
        Headers of columns of numbers that are no meter of the ledger.
    others : tuple of str
        Headers that are not used.
    meter : MeterEntry or None
        The one meter of a table that names it in its sheet, title or file name.
    """

    below: int
    width: int
    titles: tuple[Title, ...]
    places: Mapping[str, int]
    values: tuple[ValueColumn, ...]
    strangers: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    meter: MeterEntry | None = None
    refused: str = field(default="")

    @property
    def is_wide(self) -> bool:
        """Whether each meter has a column of its own."""
        return any(one.entry is not None or one.meter_no for one in self.values)

    @property
    def needed(self) -> int:
        """Cells that a row must have."""
        places = [*self.places.values(), *(one.place for one in self.values)]
        return max(places, default=0) + 1 if not self.is_wide else self.places.get("measured_at", 0) + 1


def find_layout(
    rows: Sequence[Sequence[str]],
    *,
    title: str,
    directory: MeterDirectory | None,
    options: ReadingOptions,
) -> Layout:
    """Layout of a table from its first rows.

    Raises
    ------
    UnreadableFile
        If it has no header that can be understood; with what was found and which option would settle it.
    """
    best: tuple[float, int] | None = None
    for i in range(min(len(rows), _HEADER_ROWS)):
        for depth in (1, 2):
            score = _score(header_of(rows, i, depth), rows[i + depth : i + depth + 3], directory, options) - 0.5 * (
                depth - 1
            )
            if score > 0 and (best is None or score > best[0]):
                best = score, i * 4 + depth
    if best is None:
        header = next((row for row in rows if any(cell.strip() for cell in row)), [])
        raise _no_header(header)
    i, depth = divmod(best[1], 4)
    cells, depth = _with_lines_below(rows, i, depth, header_of(rows, i, depth), options)
    body = [row for row in rows[i + depth :] if any(cell.strip() for cell in row)][:_LOOKED_AT]
    width = max(len(cells), _common_width(body))
    cells = [*cells, *[""] * (width - len(cells))]
    above = " ".join(tidy(cell) for row in rows[:i] for cell in row if cell.strip())
    found = _assigned(cells, body, directory, options)
    found = replace(found, below=i + depth - 1, width=width)
    return _with_meter(found, [title, above], body, directory, options)


def header_of(rows: Sequence[Sequence[str]], first: int, depth: int) -> list[str]:
    """Cells of a header row, or of two with what is merged in the upper one standing over each of its columns."""
    upper = list(rows[first])
    if depth == 1 or first + 1 >= len(rows):
        return upper
    lower = rows[first + 1]
    width = max(len(upper), len(lower))
    joined, standing = [], ""
    for k in range(width):
        over = upper[k] if k < len(upper) else ""
        under = lower[k] if k < len(lower) else ""
        standing = over if over.strip() else standing
        same = tidy(standing) == tidy(under)  # a cell merged over both lines, as some readers give it
        joined.append(f"{standing} {under}".strip() if under.strip() and not same else over)
    return joined


_MOST_LINES = 3
_DATE = re.compile(r"\s*\d{4}\s*[-/.年]\s*\d{1,2}\s*[-/.月]\s*\d{1,2}")


def _with_lines_below(
    rows: Sequence[Sequence[str]], first: int, depth: int, header: Sequence[str], options: ReadingOptions
) -> tuple[list[str], int]:
    """Header with the lines that still belong to it, of names or of units of measurement, and how many lines it has.

    Such a line says nothing of a time and has no number in it.
    """
    cells = list(header)
    timed = {k for k, cell in enumerate(cells) if cell.strip() and _role(cell, options)[0] in _TIMES}
    for row in rows[first + depth : first + depth + _MOST_LINES]:
        said = {k: tidy(cell) for k, cell in enumerate(row) if tidy(cell)}
        if not timed or not said or timed & set(said) or any(k >= len(cells) for k in said):
            break
        if any(_is_number(text) or is_blank(text) or len(text) > _LONGEST_LINE for text in said.values()):
            break
        if len(said) == 1 and len(cells) > 2 and not _unit_in(next(iter(said.values()))):
            break  # one remark
        for k, text in said.items():
            cells[k] = f"{cells[k]} ({text})" if _unit_in(text) else f"{cells[k]} {text}".strip()
        depth += 1
    return cells, depth


_TIMES = frozenset({"measured_at", "date", "time"})
_LONGEST_LINE = 40


def _score(
    cells: Sequence[str], below: Sequence[Sequence[str]], directory: MeterDirectory | None, options: ReadingOptions
) -> float:
    """How much a row is a header: distinct columns that it names, and meters."""
    roles = {role for cell in cells if cell.strip() and (role := _role(cell, options)[0]) not in {None, "ignore"}}
    if any(_DATE.match(cell) for cell in cells):
        return 0.0  # a reading, or a line that says when the dials were read
    meters = registers = 0
    for cell in cells:
        if not cell.strip() or len(cell) > 80 or _role(cell, options)[0] is not None:
            continue
        if _is_number(cell):
            meters += directory is not None and directory.meter(tidy(cell)) is not None
            continue
        if directory is not None and _column_meter(cell, directory, None) is not None:
            meters += 1
        elif register_of(_without_unit(cell)) is not None:
            registers += 1
    timed = bool(roles & {"measured_at", "date", "time"})
    if not roles and not (meters > 1 and below and any(cell.strip() for cell in below[0])):
        return 0.0
    numeric = sum(_is_number(cell) for cell in cells)
    return (
        len(roles)
        + 2 * timed
        + min(meters, 50)
        + 0.5 * registers
        - 0.25 * (numeric - meters if numeric > meters else 0)
    )


def _is_number(cell: str) -> bool:
    return tidy(cell).replace(".", "", 1).replace(",", "").replace("-", "", 1).isdigit()


def _role(cell: str, options: ReadingOptions) -> tuple[str | None, int]:
    title = title_of(cell)
    said = options.role(title.text) or options.role(title.name)
    return (said, -1) if said is not None else (title.role, title.rank)


def _without_unit(cell: str) -> str:
    return title_of(cell).name


def _common_width(body: Sequence[Sequence[str]]) -> int:
    """Columns that most rows have."""
    widths = [len(row) for row in body]
    return max(set(widths), key=lambda width: (widths.count(width), width)) if widths else 0


def _column_meter(cell: str, directory: MeterDirectory, unit_code: str | None) -> tuple[MeterEntry, str] | None:
    """Meter that a column's header names, and what else it says."""
    title = title_of(cell)
    for name in (title.text, title.name):
        entry = directory.meter(name, unit_code)
        if entry is not None:
            return entry, ""
    return directory.inside(title.name, unit_code)


def _assigned(
    cells: Sequence[str], body: Sequence[Sequence[str]], directory: MeterDirectory | None, options: ReadingOptions
) -> Layout:
    titles = tuple(title_of(cell) for cell in cells)
    candidates: dict[str, list[tuple[int, int]]] = {}
    for place, cell in enumerate(cells):
        role, rank = _role(cell, options) if cell.strip() else (None, 9)
        if role is not None and role != "ignore":
            candidates.setdefault(role, []).append((rank, place))
    places = {role: _chosen(role, found, titles, body) for role, found in candidates.items()}
    _found_by_content(places, cells, body, directory, options)
    _settle_times(places, body)
    _no_spans(places, titles, body, options)
    unit_code = _unit_code_said(options, directory)
    values, strangers = _values(cells, titles, places, body, directory, options, unit_code)
    used = {*places.values(), *(one.place for one in values)}
    others = [title.text for place, title in enumerate(titles) if place not in used and title.text]
    return Layout(
        below=0,
        width=len(cells),
        titles=titles,
        places={role: place for role, place in places.items() if role != "value"},
        values=tuple(values),
        strangers=tuple(strangers),
        others=tuple(title for title in others if title not in strangers),
    )


def _unit_code_said(options: ReadingOptions, directory: MeterDirectory | None) -> str | None:
    if options.unit_code is None or directory is None:
        return options.unit_code
    return directory.unit_code(options.unit_code) or options.unit_code


def _chosen(role: str, found: Sequence[tuple[int, int]], titles: Sequence[Title], body: Sequence[Sequence[str]]) -> int:
    """The surest of the columns that may be one thing; `UnreadableFile` where two are equally sure and both filled."""
    rank = min(rank for rank, _ in found)
    places = [place for one, place in found if one == rank]
    if len(places) > 1:
        filled = [place for place in places if any(len(row) > place and not is_blank(row[place]) for row in body)]
        places = filled or places
    if len(places) > 1 and role in _READING:
        texts = " and ".join(repr(titles[place].text) for place in places)
        raise UnreadableFile(
            f"one column must be {role} (got {texts}; --column '{titles[places[1]].text}=ignore' passes one over)"
        )
    return places[0]


def _found_by_content(
    places: dict[str, int],
    cells: Sequence[str],
    body: Sequence[Sequence[str]],
    directory: MeterDirectory | None,
    options: ReadingOptions,
) -> None:
    """What no header names and one column alone can be, since all its cells are: dates, meters of the ledger."""
    taken = set(places.values())
    ignored = {k for k, cell in enumerate(cells) if _role(cell, options)[0] == "ignore"}
    free = [k for k in range(len(cells)) if k not in taken | ignored and _cells(body, k)]
    if not _TIMES & set(places):
        dated = [k for k in free if is_dated(_cells(body, k))]
        if len(dated) == 1:
            places["measured_at"] = dated[0]
    if directory is not None and not {"meter_no", "serial_no", "point", "name"} & set(places):
        code = _unit_code_said(options, directory)
        meters = [
            k for k in free if k not in places.values() and all(directory.meter(cell, code) for cell in _cells(body, k))
        ]
        if len(meters) == 1:
            places["meter_no"] = meters[0]


def _no_spans(
    places: Mapping[str, int], titles: Sequence[Title], body: Sequence[Sequence[str]], options: ReadingOptions
) -> None:
    """Refuse a date beside a span of the day: nobody knows when in it the dial was read."""
    if "measured_at" not in places or not _are(body, places["measured_at"], is_date_only):
        return
    for k, title in enumerate(titles):
        if k == places.get("time") or k == places["measured_at"] or options.role(title.text) == "ignore":
            continue
        if _are(body, k, is_span_of_day):
            raise UnreadableFile(
                f"a time of day must be an instant (got {title.text!r} with {_cells(body, k)[0]!r}: it does not say "
                f"whether the dial was read at its begin or its end)",
                zh=f"时段 {title.text!r}（如 {_cells(body, k)[0]!r}）未说明示值是起点还是终点的",
            )


def _settle_times(places: dict[str, int], body: Sequence[Sequence[str]]) -> None:
    """Which of the columns of time hold the instant: one alone, or a date beside a time of day."""
    date, clock = places.get("date"), places.get("time")
    if "measured_at" in places:
        if clock is not None and _are(body, places["measured_at"], is_date_only) and _is_clock(body, clock):
            places["date"] = places["measured_at"]
            return
        places.pop("date", None)
        places.pop("time", None)
        return
    if date is not None and clock is not None and _is_clock(body, clock):
        places["measured_at"] = date
        return
    chosen = clock if clock is not None and not _is_clock(body, clock) else date
    places.pop("date", None)
    places.pop("time", None)
    if chosen is not None:
        places["measured_at"] = chosen


def _cells(body: Sequence[Sequence[str]], place: int) -> list[str]:
    return [tidy(row[place]) for row in body if len(row) > place and not is_blank(row[place])]


def _are(body: Sequence[Sequence[str]], place: int, test: object) -> bool:
    return bool(test(_cells(body, place)))  # type: ignore[operator]  # callers give a function


def _is_clock(body: Sequence[Sequence[str]], place: int) -> bool:
    cells = _cells(body, place)
    return bool(cells) and clock_of_day(cells) is not None


def _values(
    cells: Sequence[str],
    titles: Sequence[Title],
    places: Mapping[str, int],
    body: Sequence[Sequence[str]],
    directory: MeterDirectory | None,
    options: ReadingOptions,
    unit_code: str | None,
) -> tuple[list[ValueColumn], list[str]]:
    """Columns of values, and headers of columns of numbers that are no meter."""
    if "value" in places and ("meter_no" in places or not _meters_across(cells, places, directory, unit_code)):
        place = places["value"]
        return [ValueColumn(place=place, title=titles[place].text, unit=titles[place].unit)], []
    taken = set(places.values())
    stated = "unit" in places or options.unit is not None
    open_places = [
        k for k, cell in enumerate(cells) if k not in taken and cell.strip() and _role(cell, options)[0] != "ignore"
    ]
    if _NAMES & set(places):
        found = [
            ValueColumn(place=k, title=titles[k].text, unit=titles[k].unit, register=name)
            for k in open_places
            if (name := register_of(titles[k].name)) is not None and _numeric(body, k)
        ]
        # a voltage of which nothing says what it counts in is no reading, and no reason to refuse its row
        measured = [one for one in found if one.unit or stated or one.register == MAIN]
        return measured or found, []
    return _across(open_places, cells, titles, body, directory, unit_code)


def _meters_across(
    cells: Sequence[str], places: Mapping[str, int], directory: MeterDirectory | None, unit_code: str | None
) -> bool:
    if directory is None:
        return False
    taken = set(places.values())
    return any(
        k not in taken and cell.strip() and _column_meter(cell, directory, unit_code) is not None
        for k, cell in enumerate(cells)
    )


def _numeric(body: Sequence[Sequence[str]], place: int) -> bool:
    cells = _cells(body, place)
    return bool(cells) and sum(any(letter.isdigit() for letter in cell) for cell in cells) * 2 > len(cells)


def _across(
    open_places: Sequence[int],
    cells: Sequence[str],
    titles: Sequence[Title],
    body: Sequence[Sequence[str]],
    directory: MeterDirectory | None,
    unit_code: str | None,
) -> tuple[list[ValueColumn], list[str]]:
    values, strangers, used = [], [], []
    for k in open_places:
        title = titles[k]
        if directory is None:
            if _numeric(body, k) and unit_code is not None:
                values.append(ValueColumn(place=k, title=title.text, meter_no=title.name, unit=title.unit))
            continue
        found = _column_meter(cells[k], directory, unit_code)
        if found is None:
            if _numeric(body, k):
                strangers.append(title.text)
            continue
        entry, rest = found
        said = title_of(rest).role if rest else None
        if said in {"amount", "previous"}:  # beside the dial of the meter
            used.append(k)
            continue
        unit = title.unit or _unit_in(rest)
        values.append(
            ValueColumn(
                place=k, title=title.text, entry=entry, unit=unit, register=register_of(rest) or "" if rest else ""
            )
        )
    if used and not values:
        raise _amounts(titles[used[0]].text)
    _once(values)
    if not values and len(strangers) == 1 and "register" not in strangers:
        name = register_of(title_of(strangers[0]).name)
        if name is not None:  # the one column of a table that names its meter elsewhere
            k = next(k for k in open_places if titles[k].text == strangers[0])
            return [ValueColumn(place=k, title=titles[k].text, unit=titles[k].unit, register=name)], []
    return values, strangers


def _once(values: Sequence[ValueColumn]) -> None:
    """Refuse two columns of one register of a meter: one of them is something else."""
    seen: dict[tuple[str, str, str], str] = {}
    for one in values:
        if one.entry is None:
            continue
        key = one.entry.unit_code, one.entry.meter_no, one.register or MAIN
        if key in seen:
            raise UnreadableFile(
                f"one column must be the dial of {one.entry.meter_no} (got {seen[key]!r} and {one.title!r}; "
                f"--column '{one.title}=ignore' passes one over)"
            )
        seen[key] = one.title


def _amounts(title: str) -> UnreadableFile:
    return UnreadableFile(
        f"must hold register values, what the dial shows (got {title!r}, which is what was used in between)",
        zh=f"需要表计示值（{title!r} 是消费量，不是示值）",
    )


def _unit_in(text: str) -> str:
    for word in (text, *text.split()):
        unit = find_unit(word) if word else None
        if unit is not None and unit.symbol not in {"1", "%"}:
            return unit.symbol
    return ""


def _with_meter(
    layout: Layout,
    texts: Sequence[str],
    body: Sequence[Sequence[str]],
    directory: MeterDirectory | None,
    options: ReadingOptions,
) -> Layout:
    """Layout of a table whose rows name no meter, with the one that its sheet, title or file name names."""
    if layout.is_wide or _NAMED & set(layout.places) or directory is None:
        return layout
    code = _unit_code_said(options, directory)
    if "name" in layout.places and any(directory.meter(cell, code) for cell in _cells(body, layout.places["name"])):
        return layout
    if options.meter_no is not None:
        return replace(layout, meter=directory.meter(options.meter_no, code))
    for text in texts:
        entry = directory.meter(text, code) if text else None
        found = (entry, "") if entry is not None else directory.inside(text, code) if text else None
        if found is not None:
            return replace(layout, meter=found[0])
    return layout


def check_layout(layout: Layout, name: str, directory: MeterDirectory | None, options: ReadingOptions) -> None:
    """Raise `UnreadableFile` where something that every reading needs is nowhere to be found."""
    amount = layout.places.get("amount")
    if not layout.values and amount is not None:
        title = layout.titles[amount].text
        raise UnreadableFile(
            f"{name}: must hold register values, what the dial shows (got {title!r}, which is what was used in "
            f"between; where it is the dial, say --column '{title}=value')",
            zh=f"{name}：需要表计示值（{title!r} 是消费量，不是示值；如果确为示值，请用 --column '{title}=value'）",
        )
    if layout.strangers and not layout.values:
        listed = _listed(layout.strangers)
        raise UnreadableFile(
            f"{name}: columns must be meters of the ledger (got {listed}, in no ledger)",
            zh=f"{name}：各列应为台账中的计量器具（以下各列台账中没有：{listed}）",
        )
    missing = _missing(layout, directory, options)
    if missing:
        got = ", ".join(title.text for title in layout.titles if title.text)
        required, lacking = ", ".join(_REQUIRED), ", ".join(missing)
        raise UnreadableFile(
            f"{name}: columns must be {required} ({lacking} missing; got {got}); --column 'HEADER=NAME' "
            f"says what a header means",
            zh=f"{name}：须有列 {required}（缺少 {lacking}；实际为 {got}）；请用 --column '表头=列名' 说明表头含义",
        )


def _missing(layout: Layout, directory: MeterDirectory | None, options: ReadingOptions) -> list[str]:
    places = set(layout.places)
    have = {
        "unit_code": bool({"unit_code", "unit_name"} & places)
        or options.unit_code is not None
        or directory is not None,
        "meter_no": bool(_NAMED & places)
        or ("name" in places and directory is not None)
        or layout.is_wide
        or layout.meter is not None
        or options.meter_no is not None,
        "measured_at": "measured_at" in places,
        "value": bool(layout.values),
        "unit": "unit" in places
        or options.unit is not None
        or directory is not None
        or (bool(layout.values) and all(one.unit for one in layout.values)),
    }
    return [name for name in _REQUIRED if not have[name]]


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _no_header(header: Sequence[str]) -> UnreadableFile:
    needed = ", ".join(_REQUIRED)
    got = ", ".join(tidy(cell) for cell in header if cell.strip())[:200]
    return UnreadableFile(
        f"columns must be {needed} ({needed} missing; got {got or 'nothing'})",
        zh=f"须有列 {needed}（均未找到；实际为 {got or '空'}）",
    )
