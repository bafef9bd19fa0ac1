"""Whether entered factors are used by any metering point of a ledger, and if not, why."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from analytics.domain.ledger import Ledger
from analytics.domain.units import unit_of
from analytics.domain.words import Phrase
from analytics.standards.factors import Factor
from analytics.standards.words import carrier_name, listing

__all__ = ["unused_factors"]


class _Use(NamedTuple):
    """Metering points of an energy: how many keep their amounts in each unit of measurement, and examples."""

    symbols: Counter[str]
    points: Mapping[str, list[str]]


def unused_factors(factors: Sequence[Factor], ledger: Ledger) -> Iterator[Phrase]:
    """Messages about factors that convert none, or not all, of their energy.

    Parameters
    ----------
    factors : sequence of Factor
        That were entered.
    ledger : Ledger
    """
    told: set[tuple[str, str, str]] = set()
    for factor in factors:
        key = factor.carrier, factor.unit, factor.unit_code
        if key not in told:
            told.add(key)
            yield from _of(factor, ledger, {f.unit for f in factors if f.carrier == factor.carrier})


def _of(factor: Factor, ledger: Ledger, entered: set[str]) -> Iterator[Phrase]:
    name = carrier_name(factor.carrier)
    whose_en = f" of unit {factor.unit_code}" if factor.unit_code else ""
    whose_zh = f"用能单位 {factor.unit_code} 的" if factor.unit_code else ""
    if factor.unit_code and factor.unit_code not in ledger.unit_codes:
        yield Phrase(
            en=f"the factor of {name.en} per {factor.unit} is not used: the ledger has no unit {factor.unit_code}",
            zh=f"{name.zh}折标系数（每 {factor.unit}）未被使用：台账中没有用能单位 {factor.unit_code}",
        )
        return
    use = _uses(factor, ledger)
    if not use.symbols:
        yield Phrase(
            en=f"the factor of {name.en} per {factor.unit} is not used: no metering point{whose_en} is of {name.en}",
            zh=f"{name.zh}折标系数（每 {factor.unit}）未被使用：台账中没有{whose_zh}{name.zh}计量点",
        )
        return
    for symbol, count in use.symbols.items():
        if symbol == factor.unit or symbol in entered:
            continue
        shown = use.points[symbol]
        part = "not used" if factor.unit not in use.symbols else "not used for all of them"
        part_zh = "未被使用" if factor.unit not in use.symbols else "只用于一部分计量点"
        yield Phrase(
            en=f"the factor of {name.en} per {factor.unit} is {part}: {count} metering point(s) count in {symbol} "
            f"({listing(shown)}); enter the factor per {symbol}, or in the ledger the unit that the meters count in",
            zh=f"{name.zh}折标系数（每 {factor.unit}）{part_zh}：有 {count} 个计量点以 {symbol} 计量"
            f"（{listing(shown, chinese=True)}）；请录入每 {symbol} 的系数，或在台账中改正其计量单位",
        )


def _uses(factor: Factor, ledger: Ledger) -> _Use:
    symbols: Counter[str] = Counter()
    points: dict[str, list[str]] = defaultdict(list)
    for p, carrier in enumerate(ledger.point_carrier):
        code = ledger.unit_codes[int(ledger.point_unit[p])]
        if carrier == factor.carrier and factor.unit_code in {"", code}:
            symbol = unit_of(int(ledger.point_canonical[p])).symbol
            symbols[symbol] += 1
            points[symbol].append(f"{code} {ledger.point_codes[p]}")
    return _Use(symbols, points)
