"""Editions of the standard as data, and which of them applies to a unit on a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from analytics.domain.accuracy import AccuracyClass
from analytics.domain.errors import ConfigurationError
from analytics.standards.factors import EPOCH_ORDINAL

__all__ = [
    "AccuracyRow",
    "AccuracyTable",
    "Applied",
    "Edition",
    "EditionBook",
    "Limit",
    "TradeRow",
    "UserCategory",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A row of table 1 or 2: from this use on, a sub-unit or a device is a main one (≥).

    Attributes
    ----------
    energies : tuple of str
        Energy names of the ledger; ``other`` stands for all that no row names.
    value : float
    unit : str
        As printed: ``kW``, ``t/a``, ``m3/h``, ``MW`` …
    zh : str
        What the row is called.
    """

    energies: tuple[str, ...]
    value: float
    unit: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyRow:
    """A row of table 4."""

    instrument: str
    key: str
    required: AccuracyClass
    zh: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """Requirements of trade settlement beyond table 4 (its notes).

    Attributes
    ----------
    required : AccuracyClass or None
    required_review : AccuracyClass or None
        What the review rules (JJF 1356) print instead.
    further, further_zh : str
        A document whose contents are not in this edition's data.
    """

    instrument: str
    energy: str
    required: AccuracyClass | None
    required_review: AccuracyClass | None
    further: str
    further_zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCategory:
    """A category of electricity users; limits that are not given do not count.

    Attributes
    ----------
    monthly_kwh_ge, transformer_kva_ge, load_kva_lt : float or None
        [kWh/month], [kVA], [kVA]
    single_phase : bool
        The category of users with a single-phase supply.
    high_voltage : bool
        Only for users billed at high voltage.
    """

    id: str
    zh: str
    monthly_kwh_ge: float | None = None
    transformer_kva_ge: float | None = None
    load_kva_lt: float | None = None
    single_phase: bool = False
    high_voltage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyTable:
    """Table 4 with its notes and categories.

    Attributes
    ----------
    rows : mapping of (instrument, key) to AccuracyRow
    trade : mapping of (instrument, energy) to TradeRow
    ladder : tuple of AccuracyClass
        Classes of electricity meters from strict to coarse, the scale of "one class lower".
    relaxed_steps : int
        Steps that electricity meters below the unit's level may be lower.
    categories : tuple of UserCategory
        The highest first.
    """

    rows: Mapping[tuple[str, str], AccuracyRow]
    trade: Mapping[tuple[str, str], TradeRow]
    ladder: tuple[AccuracyClass, ...]
    relaxed_steps: int
    categories: tuple[UserCategory, ...]

    def relaxed(self, required: AccuracyClass) -> AccuracyClass:
        """Class required below the unit's level if `required` is required at it."""
        if required not in self.ladder:
            return required
        return self.ladder[min(self.ladder.index(required) + self.relaxed_steps, len(self.ladder) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One edition of GB 17167, or a sector's standard in its form.

    Attributes
    ----------
    number : str
    sector : str
        Empty for the general standard.
    in_force_day : int
        [d since 1970-01-01]
    superseded_day : int or None
        First day on which another is in force. [d since 1970-01-01]
    mandatory : frozenset of str
        Mandatory clauses.
    clauses : mapping of str to str
        Clause on which each check is based.
    limits : mapping of str to tuple of Limit
        By level, ``sub_unit`` (table 1) and ``equipment`` (table 2).
    rates : mapping of (energy, level) to Fraction or None
        Required equipping rate, None where there is no requirement. [%]
    accuracy : AccuracyTable
    """

    number: str
    title_zh: str
    title_en: str
    sector: str
    in_force_day: int
    superseded_day: int | None
    superseded_by: str
    mandatory: frozenset[str]
    clauses: Mapping[str, str]
    limits: Mapping[str, tuple[Limit, ...]]
    rates: Mapping[tuple[str, str], Fraction | None]
    accuracy: AccuracyTable
    confidence: str
    sources: tuple[str, ...] = field(default=())

    def limit_of(self, energy: str, level: str) -> Limit | None:
        """Row of table 1 or 2 for an energy; that of other energies where none names it."""
        rows = self.limits[level]
        return next((row for row in rows if energy in row.energies), None) or next(
            (row for row in rows if "other" in row.energies), None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """An edition as it is applied on a day.

    Attributes
    ----------
    text : str
        Text printed with every result: the number, and which edition it substitutes for.
    """

    edition: Edition
    stands_in_for: str
    text: str
    text_zh: str


class EditionBook:
    """All editions that are known.

    Parameters
    ----------
    editions : sequence of Edition
        At least one for no sector.
    """

    def __init__(self, editions: Sequence[Edition]) -> None:
        self.editions = tuple(sorted(editions, key=lambda edition: (edition.sector, edition.in_force_day)))
        seen: dict[tuple[str, int], str] = {}
        for edition in self.editions:
            other = seen.setdefault((edition.sector, edition.in_force_day), edition.number)
            if other != edition.number:
                raise ConfigurationError(
                    f"two editions must not come into force on one day (got {other} and {edition.number})"
                )
        if not any(not edition.sector for edition in self.editions):
            raise ConfigurationError("an edition of the general standard must be known (got none)")

    def applied(self, day: int, sector: str = "") -> Applied:
        """Edition that applies to a unit of a sector on a local day.

        The newest one in force; without one, the oldest stands in. One that another has superseded stands in for it as
        long as that one's tables are not known. A sector without a standard of its own is judged by the general one.

        Parameters
        ----------
        day : int
            [d since 1970-01-01]
        sector : str
        """
        own = [edition for edition in self.editions if edition.sector == sector]
        if sector and not any(edition.in_force_day <= day for edition in own):
            own = []
        own = own or [edition for edition in self.editions if not edition.sector]
        in_force = [edition for edition in own if edition.in_force_day <= day]
        if not in_force:
            return _applied(
                own[0],
                f"days before {_written(own[0].in_force_day)}",
                f"该版自 {_written(own[0].in_force_day)} 起施行，结果供参考",
            )
        newest = in_force[-1]
        if newest.superseded_day is not None and newest.superseded_day <= day:
            return _applied(
                newest, newest.superseded_by, f"该版已废止；{newest.superseded_by} 的数据未录入，结果供参考"
            )
        return _applied(newest, "", "")


def _applied(edition: Edition, stands_in_for: str, zh: str) -> Applied:
    suffix = f" (stands in for {stands_in_for})" if stands_in_for else ""
    suffix_zh = f"（{zh}）" if stands_in_for else ""
    return Applied(
        edition=edition,
        stands_in_for=stands_in_for,
        text=edition.number + suffix,
        text_zh=edition.number + suffix_zh,
    )


def _written(day: int) -> str:
    return date.fromordinal(day + EPOCH_ORDINAL).isoformat()
