"""Equipping rate Rp = Ns / Nl by energy and level (GB 17167 4.3.1 and table 3), on whole numbers.

Nl counts the collection points of the theoretical need. Ns counts those of them at which a meter is installed that is
not out of use, whatever its verification: the rate with a valid verification is given beside it. If it is undecided
whether some points count, the rate is an interval; if that contains the requirement, a person has to decide.
 Rounding never decides: 94.999… % is below 95 %.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from analytics.domain.errors import RegistryError
from analytics.domain.finding import Finding, Verdict
from analytics.domain.severity import Severity
from analytics.domain.words import Phrase
from analytics.standards.scene import Scene, levels
from analytics.standards.words import carrier_name, level_name, listing

__all__ = [
    "Rate",
    "equipping_rate",
    "equipping_rates",
    "next_step",
    "rate_findings",
    "rate_verdict",
    "shown_rate",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One equipping rate.

    Attributes
    ----------
    unit : int
        Index into the ledger's units.
    needed, present, valid : int
        Nl, Ns, and of these the meters within their verification.
    unknown : int
        Points without a meter for which a person has to decide whether they count in Nl.
    rate, required : Fraction or None
        None where nothing is needed, and where the edition has no row. [%]
    missing : tuple of str
        Points that count in Nl without a meter in use.
    unfit : tuple of str
        Meters that stand there and are out of use.
    bare : tuple of str
        Points without any meter.
    """

    unit: int
    carrier: str
    level: str
    needed: int
    present: int
    valid: int
    unknown: int
    rate: Fraction | None
    required: Fraction | None
    has_row: bool
    verdict: Verdict
    missing: tuple[str, ...]
    unfit: tuple[str, ...]
    bare: tuple[str, ...]


def equipping_rate(present: int, needed: int) -> Fraction | None:
    """Ns / Nl, exactly; None where nothing is needed. [%]

    Raises
    ------
    RegistryError
        If more meters are counted than points that need one.

    Examples
    --------
    >>> equipping_rate(19, 20)
    Fraction(95, 1)
    """
    if not 0 <= present <= needed:
        raise RegistryError(f"Ns must be from 0 to Nl, the theoretical need (got Ns = {present}, Nl = {needed})")
    return Fraction(100 * present, needed) if needed else None


@lru_cache(maxsize=1 << 14)
def rate_verdict(present: int, unknown: int, needed: int, required: Fraction | None) -> Verdict:
    """Verdict of a rate against a requirement, if some more points may or may not count in Nl.

    Examples
    --------
    >>> rate_verdict(19, 1, 19, Fraction(95)), rate_verdict(19, 2, 19, Fraction(95))
    (<Verdict.PASS: 'pass'>, <Verdict.PERSON: 'person'>)
    """
    most, least = equipping_rate(present, needed), equipping_rate(present, needed + unknown)
    if required is None or least is None:
        return Verdict.NOT_APPLICABLE
    if least >= required:
        return Verdict.PASS
    return Verdict.FAIL if most is not None and most < required else Verdict.PERSON


def equipping_rates(
    scene: Scene, counted: NDArray[np.bool_], undecided: NDArray[np.bool_] | None = None
) -> tuple[Rate, ...]:
    """Every rate of every unit that has a point of the energy and level.

    Parameters
    ----------
    scene : Scene
    counted : (p,) bool
        Points of the theoretical need.
    undecided : (p,) bool or None
        Points that may be some of it too.
    """
    ledger = scene.ledger
    point = np.flatnonzero(counted if undecided is None else counted | undecided)
    key = (ledger.point_unit[point].astype(np.int64) * len(levels) + ledger.point_level[point]) * max(
        len(scene.carriers), 1
    ) + scene.carrier[point]
    order = np.argsort(key, kind="stable")
    point, key = point[order], key[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])) if len(key) else np.empty(0, np.int64)
    return tuple(_rate(scene, group, counted) for group in np.split(point, starts[1:]) if len(group))


def _rate(scene: Scene, points: NDArray[np.int64], counted: NDArray[np.bool_]) -> Rate:
    ledger, first = scene.ledger, int(points[0])
    unit, level, carrier = int(ledger.point_unit[first]), levels[ledger.point_level[first]], ledger.point_carrier[first]
    rates = scene.applied[unit].edition.rates
    required = rates.get((carrier, level))
    certain = counted[points] | scene.in_use[points]
    unknown, points = int((~certain).sum()), points[certain]
    installed = scene.in_use[points]
    present = int(installed.sum())
    lacking = points[~installed]
    stands = scene.installation[lacking] >= 0
    return Rate(
        unit=unit,
        carrier=carrier,
        level=level,
        needed=len(points),
        present=present,
        valid=int(scene.usable[points].sum()),
        unknown=unknown,
        rate=equipping_rate(present, len(points)),
        required=required,
        has_row=(carrier, level) in rates,
        verdict=rate_verdict(present, unknown, len(points), required),
        missing=scene.point_names(lacking),
        unfit=scene.meter_nos(lacking[stands]),
        bare=scene.point_names(lacking[~stands]),
    )


def rate_findings(scene: Scene, rates: tuple[Rate, ...]) -> Iterator[Finding]:
    """A finding for each rate, and one for each unit that has no meter at all (4.3.2)."""
    ledger = scene.ledger
    equipped = set(np.unique(ledger.point_unit[scene.in_use]).tolist())
    for rate in rates:
        yield _finding(scene, rate)
    for unit in range(len(scene.ledger.unit_codes)):
        yield _equipped(scene, unit, has_meter=unit in equipped)


def _finding(scene: Scene, rate: Rate) -> Finding:
    find = scene.finder(rate.unit, "rate", scene.applied[rate.unit].edition.clauses["rate"])
    failed = rate.verdict is Verdict.FAIL
    return find(
        verdict=rate.verdict,
        severity=scene.rules.severity["rate", rate.level] if failed else Severity.INFO,
        required=_required(rate.carrier, rate.level, rate.required, has_row=rate.has_row),
        found=_found(rate),
        next_step=next_step(rate.verdict, rate.bare, rate.unfit),
        level=rate.level,
        carrier=rate.carrier,
        meters=rate.unfit,
        points=rate.missing,
        evidence={
            "needed": rate.needed,
            "present": rate.present,
            "valid": rate.valid,
            "unknown": rate.unknown,
            "rate": None if rate.rate is None else float(rate.rate),
            "required": None if rate.required is None else float(rate.required),
        },
    )


@cache
def _required(carrier_code: str, level_code: str, required: Fraction | None, *, has_row: bool) -> Phrase:
    carrier, level = carrier_name(carrier_code), level_name(level_code)
    if required is None:
        why = ("no requirement", "无要求") if has_row else ("the table has no row for it", "表中无此能源种类")
        return Phrase(en=f"{carrier.en}, {level.en}: {why[0]}", zh=f"{level.zh}{carrier.zh}：{why[1]}")
    share = f"{float(required):g} %"
    return Phrase(
        en=f"{carrier.en}, {level.en}: equipping rate at least {share}",
        zh=f"{level.zh}{carrier.zh}计量器具配备率不低于 {share}",
    )


def _found(rate: Rate) -> Phrase:
    shown = "–" if rate.rate is None else f"{shown_rate(rate.rate, rate.required)} %"
    en = f"{shown} ({rate.present} of {rate.needed})"
    zh = f"{shown}（应配 {rate.needed}，实配 {rate.present}）"
    if rate.valid < rate.present:
        en += f"; {rate.valid} within a valid verification"
        zh += f"；其中检定/校准有效 {rate.valid}"
    if rate.unknown:
        en += f"; {rate.unknown} more points wait for a person to decide whether they count"
        zh += f"；另有 {rate.unknown} 个计量点是否应配待人工核查"
    return Phrase(en=en, zh=zh)


@lru_cache(maxsize=1 << 14)
def shown_rate(rate: Fraction, required: Fraction | None) -> str:
    """Rate with enough decimals to appear on its side of the requirement."""
    for decimals in range(1, 12):
        text = f"{float(rate):.{decimals}f}"
        if required is None or (Fraction(text) >= required) == (rate >= required):
            return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{rate.numerator}/{rate.denominator}"


def next_step(verdict: Verdict, bare: Sequence[str], unfit: Sequence[str]) -> Phrase:
    """Next step for a rate: install meters at points without one, verify or replace meters that may not be used."""
    if verdict is Verdict.PERSON:
        return Phrase(
            en="Decide on the exemptions and on what is main by another energy.",
            zh="请核查免配原因，以及因其他能源成为主要用能单位（设备）的计量点。",
        )
    if verdict is not Verdict.FAIL:
        return Phrase(en="", zh="")
    en, zh = [], []
    if bare:
        en.append(f"install meters at {listing(bare)}")
        zh.append(f"在 {listing(bare, chinese=True)} 加装计量器具")
    if unfit:
        en.append(f"put {listing(unfit)} into use again or replace them")
        zh.append(f"恢复使用或更换 {listing(unfit, chinese=True)}")
    text = "; ".join(en)
    return Phrase(en=text[:1].upper() + text[1:] + ".", zh="；".join(zh) + "。")


def _equipped(scene: Scene, unit: int, *, has_meter: bool) -> Finding:
    find = scene.finder(unit, "equipped", scene.applied[unit].edition.clauses["equipped"])
    first, end = scene.ledger.unit_point_start[unit : unit + 2].tolist()
    unfit = np.empty(0, np.int64) if has_meter else first + np.flatnonzero(scene.stands[first:end])
    return find(
        verdict=Verdict.PASS if has_meter else Verdict.FAIL,
        severity=Severity.INFO if has_meter else Severity.SERIOUS,
        required=Phrase(en="the unit is fitted with energy meters", zh="用能单位应配备能源计量器具"),
        found=Phrase(en="it is", zh="已配备")
        if has_meter
        else Phrase(en="no meter in use", zh="没有在用的能源计量器具"),
        next_step=Phrase(en="", zh="") if has_meter else Phrase(en="Install meters.", zh="请配备能源计量器具。"),
        meters=scene.meter_nos(unfit),
    )
