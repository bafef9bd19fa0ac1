"""Quality of collected data against official requirements: completeness, interval, start of periods, delay, faults.

The figures stand in the rules with their source. What no data say is not judged: a point whose data were not looked at
gives no finding, and of a meter that is out of use by its label none are asked for.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from analytics.domain.finding import Finding, Verdict
from analytics.domain.ledger import NO_INSTANT
from analytics.domain.severity import Severity
from analytics.domain.words import Phrase
from analytics.standards.factors import EPOCH_ORDINAL
from analytics.standards.rules import DataQualityRules
from analytics.standards.scene import Scene, levels
from analytics.standards.words import carrier_name, listing

__all__ = ["data_quality_findings", "working_days"]

_WEEKDAYS: Final = "1111100"
_DAY_MIN: Final = 1440


def working_days(since_day: int, day: int, holidays: frozenset[int]) -> int:
    """Working days after `since_day` up to and with `day`; weekends and the holidays that are known do not count.

    Examples
    --------
    >>> friday, tuesday = 20_769, 20_773  # 2026-11-13, 2026-11-17
    >>> working_days(friday, tuesday, frozenset())
    2
    """
    free = np.array(sorted(holidays), "datetime64[D]")
    first, end = np.datetime64(since_day + 1, "D"), np.datetime64(day + 1, "D")
    return max(int(np.busday_count(first, end, weekmask=_WEEKDAYS, holidays=free)), 0)


def data_quality_findings(scene: Scene, local_day: NDArray[np.int64]) -> Iterator[Finding]:
    """Findings on data quality.

    Parameters
    ----------
    scene : Scene
    local_day : (p,) int64
        Local day of `Evidence.fault_since`. [d since 1970-01-01]
    """
    yield from _silent(scene)
    yield from _open_faults(scene, local_day)
    yield from _completeness(scene)
    yield from _intervals(scene)
    yield from _starts(scene)
    yield from _upload_delays(scene)
    yield from _months(scene)


def _find(scene: Scene, point: int, rule: str, **more: object) -> Finding:
    ledger, quality = scene.ledger, scene.rules.data_quality
    meter = scene.meter_no(point)
    return Finding(
        unit=int(ledger.point_unit[point]),
        edition=quality.basis,
        clause=rule,
        rule=rule,
        level=levels[ledger.point_level[point]],
        carrier=ledger.point_carrier[point],
        point=ledger.point_codes[point],
        meter_no=meter,
        meters=(meter,) if meter else (),
        points=(ledger.point_codes[point],),
        **more,  # type: ignore[arg-type]  # named fields of Finding, passed through
    )


def _severity(scene: Scene, question: str, point: int) -> Severity:
    return scene.rules.severity[question, levels[scene.ledger.point_level[point]]]


def _silent(scene: Scene) -> Iterator[Finding]:
    for point in np.flatnonzero(scene.in_use & (scene.evidence.silent_since != NO_INSTANT)).tolist():
        since = _instant(int(scene.evidence.silent_since[point]))
        yield _find(
            scene,
            point,
            "silent",
            verdict=Verdict.FAIL,
            severity=_severity(scene, "silent", point),
            required=Phrase(en="a meter in use sends its readings", zh="在用计量器具应持续上传数据"),
            found=Phrase(en=f"silent since {since} UTC", zh=f"自 {since}（UTC）起无数据"),
            next_step=Phrase(
                en=f"Look after {scene.meter_no(point)}: power, communication, collector.",
                zh=f"请检查 {scene.meter_no(point)} 的供电、通信与采集终端。",
            ),
            evidence={"since": since + "Z"},
        )


def _instant(us: int) -> str:
    return str(np.datetime64(us, "us").astype("datetime64[m]"))


def _open_faults(scene: Scene, local_day: NDArray[np.int64]) -> Iterator[Finding]:
    quality = scene.rules.data_quality
    for point in np.flatnonzero(scene.in_use & (scene.evidence.fault_since != NO_INSTANT)).tolist():
        since = int(local_day[point])
        if working_days(since, scene.day, quality.holidays) <= quality.fault_working_days:
            continue
        first = date.fromordinal(since + EPOCH_ORDINAL).isoformat()
        yield _find(
            scene,
            point,
            "fault_open",
            verdict=Verdict.FAIL,
            severity=_severity(scene, "fault", point),
            required=Phrase(
                en=f"a fault is mended within {quality.fault_working_days} working days, else reported and filed "
                "by hand",
                zh=f"接入端故障应在 {quality.fault_working_days} 个工作日内修复，否则上报并人工填报",
            ),
            found=Phrase(en=f"a fault lasts since {first}", zh=f"故障自 {first} 持续至今"),
            next_step=Phrase(
                en=f"Mend {scene.meter_no(point)}, report to the province, and file its data by hand until then.",
                zh=f"请尽快修复 {scene.meter_no(point)}，向省级平台报告，修复前人工填报数据。",
            ),
            evidence={"since": first},
        )


def _completeness(scene: Scene) -> Iterator[Finding]:
    quality, share = scene.rules.data_quality, scene.evidence.completeness
    low = scene.in_use & (share * 100 < quality.completeness)  # NaN is not low: the data were not evaluated
    required = Phrase(
        en=f"at least {quality.completeness:g} % of the data of {quality.window_days} days",
        zh=f"{quality.window_days} 天数据完整率不低于 {quality.completeness:g} %",
    )
    for point in np.flatnonzero(low).tolist():
        shown = _below(float(share[point]) * 100, quality.completeness)
        yield _find(
            scene,
            point,
            "completeness",
            verdict=Verdict.FAIL,
            severity=_severity(scene, "other", point),
            required=required,
            found=Phrase(en=f"{shown} %", zh=f"{shown} %"),
            next_step=Phrase(
                en=f"Find out why data of {scene.meter_no(point)} are missing.",
                zh=f"请查明 {scene.meter_no(point)} 数据缺失的原因。",
            ),
            evidence={"completeness": float(share[point])},
        )
    known = scene.in_use & ~np.isnan(share) & ~low
    counts = np.bincount(scene.ledger.point_unit[known], minlength=len(scene.ledger.unit_codes))
    for unit in np.flatnonzero(counts).tolist():
        count = int(counts[unit])
        yield Finding(
            unit=unit,
            edition=quality.basis,
            clause="completeness",
            rule="completeness",
            verdict=Verdict.PASS,
            severity=Severity.INFO,
            required=required,
            found=Phrase(en=f"{count} points are", zh=f"{count} 个计量点达到"),
        )


def _below(percent: float, limit: float) -> str:
    """A share with enough decimals to appear below its limit."""
    for decimals in range(1, 12):
        text = f"{percent:.{decimals}f}"
        if float(text) < limit:
            return text
    return repr(percent)


def _intervals(scene: Scene) -> Iterator[Finding]:
    quality = scene.rules.data_quality
    interval = scene.number("interval_s") / 60
    slow = scene.in_use & scene.ledger.point_required & (interval > quality.interval_min)
    point = np.flatnonzero(slow)
    tolerated = interval[point] <= quality.tolerated_interval_min
    by_hand = interval[point] >= _DAY_MIN
    for verdict, points in ((Verdict.PERSON, point[tolerated]), (Verdict.FAIL, point[~tolerated & ~by_hand])):
        for unit, of_unit in _by_unit(scene, points):
            yield _slow(scene, unit, of_unit, verdict, quality)
    for unit, of_unit in _by_unit(scene, point[by_hand]):
        yield _by_hand(scene, unit, of_unit, quality)


def _by_unit(scene: Scene, points: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Ascending points, unit by unit."""
    unit = scene.ledger.point_unit[points]
    for group in np.split(points, np.flatnonzero(unit[1:] != unit[:-1]) + 1):
        if len(group):
            yield int(scene.ledger.point_unit[group[0]]), group


def _by_hand(scene: Scene, unit: int, points: NDArray[np.int64], quality: DataQualityRules) -> Finding:
    """Meters read once a day or less, usually by hand; the requirement on collection does not apply to them."""
    meters = scene.meter_nos(points)
    return Finding(
        unit=unit,
        edition=quality.basis,
        clause="interval",
        rule="interval_by_hand",
        verdict=Verdict.PERSON,
        severity=Severity.INFO,
        required=Phrase(
            en=f"what is not collected every {quality.interval_min:g} min is read and filed by hand at its interval",
            zh=f"未按 {quality.interval_min:g} 分钟自动采集的，应按其抄表周期人工抄录并填报",
        ),
        found=Phrase(
            en=f"{len(meters)} meters are read once a day or less often", zh=f"{len(meters)} 台每日或更长时间抄录一次"
        ),
        next_step=Phrase(
            en=f"Say why {listing(meters)} cannot be collected, and who files them.",
            zh=f"请说明 {listing(meters, chinese=True)} 不能自动采集的原因和人工填报的责任人。",
        ),
        meters=meters,
        points=scene.point_names(points),
    )


def _slow(scene: Scene, unit: int, points: NDArray[np.int64], verdict: Verdict, quality: DataQualityRules) -> Finding:
    failed = verdict is Verdict.FAIL
    meters = scene.meter_nos(points)
    limit = f"{quality.interval_min:g} min"
    longest = f"{quality.tolerated_interval_min:g} min"
    return Finding(
        unit=unit,
        edition=quality.basis,
        clause="interval",
        rule="interval" if failed else "interval_tolerated",
        verdict=verdict,
        severity=scene.rules.severity["other", "unit"] if failed else Severity.INFO,
        required=Phrase(
            en=f"one collection every {limit}; up to {longest} where that is hard",
            zh=f"每 {limit} 采集一次，确有困难的不超过 {longest}",
        ),
        found=Phrase(en=f"{len(meters)} meters are slower", zh=f"{len(meters)} 台采集周期较长"),
        next_step=Phrase(
            en=f"Shorten the interval of {listing(meters)}."
            if failed
            else f"Say why {listing(meters)} cannot be quicker.",
            zh=f"请缩短 {listing(meters, chinese=True)} 的采集周期。"
            if failed
            else f"请说明 {listing(meters, chinese=True)} 采集周期较长的原因。",
        ),
        meters=meters,
        points=scene.point_names(points),
    )


def _starts(scene: Scene) -> Iterator[Finding]:
    quality, evidence = scene.rules.data_quality, scene.evidence
    day = f"{quality.day_start_min:g}"
    late = scene.in_use & (evidence.start_deviation_s > quality.day_start_min * 60)
    yield from _far_from(
        scene,
        "day_start",
        late,
        Phrase(
            en=f"a day's figure starts at 00:00 within {day} min", zh=f"日数据统计起点为 00:00，偏差不超过 {day} 分钟"
        ),
        Phrase(en="midnight", zh="零点"),
    )
    month = f"{quality.month_start_days:g}"
    late = scene.in_use & (evidence.month_deviation_d > quality.month_start_days)
    yield from _far_from(
        scene,
        "month_start",
        late,
        Phrase(
            en=f"a month's figure starts on its first day within {month} d",
            zh=f"月数据统计起点为每月 1 日，偏差不超过 {month} 天",
        ),
        Phrase(en="the first of the month", zh="每月 1 日"),
    )


def _far_from(scene: Scene, rule: str, late: NDArray[np.bool_], required: Phrase, when: Phrase) -> Iterator[Finding]:
    """Meters whose nearest reading is too far from where a period starts, by unit."""
    for unit, points in _by_unit(scene, np.flatnonzero(late)):
        meters = scene.meter_nos(points)
        yield Finding(
            unit=unit,
            edition=scene.rules.data_quality.basis,
            clause=rule,
            rule=rule,
            verdict=Verdict.FAIL,
            severity=scene.rules.severity["other", "unit"],
            required=required,
            found=Phrase(
                en=f"{len(meters)} meters without a reading so near to {when.en}",
                zh=f"{len(meters)} 台{when.zh}附近无读数",
            ),
            next_step=Phrase(
                en=f"Let {listing(meters)} be read at {when.en}.",
                zh=f"请使 {listing(meters, chinese=True)} 在{when.zh}采集。",
            ),
            meters=meters,
            points=scene.point_names(points),
        )


def _upload_delays(scene: Scene) -> Iterator[Finding]:
    """Findings on upload delay; none if no limit was entered, since none is known."""
    quality, in_time = scene.rules.data_quality, scene.evidence.in_time
    if quality.upload_delay_min is None:
        return
    known = scene.in_use & ~np.isnan(in_time)
    slow = known & (in_time * 100 < quality.upload_delay_share)
    limit, share = f"{quality.upload_delay_min:g}", f"{quality.upload_delay_share:g}"
    required = Phrase(
        en=f"{share} % of a day's readings are received within {limit} min",
        zh=f"每日 {share} % 的数据在 {limit} 分钟内上传",
    )
    for failed, mask in ((True, slow), (False, known & ~slow)):
        for unit, points in _by_unit(scene, np.flatnonzero(mask)):
            meters = scene.meter_nos(points)
            yield Finding(
                unit=unit,
                edition=quality.basis,
                clause="upload_delay",
                rule="upload_delay" if failed else "upload_in_time",
                verdict=Verdict.FAIL if failed else Verdict.PASS,
                severity=scene.rules.severity["other", "unit"] if failed else Severity.INFO,
                required=required,
                found=Phrase(en=f"{len(meters)} meters are later", zh=f"{len(meters)} 台上传较迟")
                if failed
                else Phrase(en=f"{len(meters)} meters are", zh=f"{len(meters)} 台符合"),
                next_step=Phrase(
                    en=f"Look after the way of the data of {listing(meters)}: collector, network.",
                    zh=f"请检查 {listing(meters, chinese=True)} 的采集终端与网络。",
                )
                if failed
                else Phrase(en="", zh=""),
                meters=meters if failed else (),
                points=scene.point_names(points) if failed else (),
            )


def _months(scene: Scene) -> Iterator[Finding]:
    """Monthly figures that a unit reported against the sum of its days."""
    quality = scene.rules.data_quality
    codes = {code: unit for unit, code in enumerate(scene.ledger.unit_codes)}
    for (code, carrier, month), figure in scene.facts.months.items():
        unit = codes.get(code)
        days = None if unit is None else scene.evidence.month_days.get((unit, carrier, month))
        if unit is None or days is None:
            continue
        off = abs(figure.amount - days) * 100
        consistent = off <= quality.consistency * abs(figure.amount)
        name = carrier_name(carrier)
        yield Finding(
            unit=unit,
            edition=quality.basis,
            clause="consistency",
            rule=f"consistency {month}",
            carrier=carrier,
            verdict=Verdict.PASS if consistent else Verdict.FAIL,
            severity=Severity.INFO if consistent else scene.rules.severity["other", "unit"],
            required=Phrase(
                en=f"{name.en} of {month}: figure and sum of days within {quality.consistency:g} %",
                zh=f"{month} {name.zh}月数据与日数据之和相差不超过 {quality.consistency:g} %",
            ),
            found=Phrase(
                en=f"{figure.amount:g} reported, {days:g} by days", zh=f"上报 {figure.amount:g}，日合计 {days:g}"
            ),
            next_step=Phrase(en="", zh="")
            if consistent
            else Phrase(en="Correct the monthly figure, or explain it.", zh="请更正月数据或说明原因。"),
            evidence={"reported": figure.amount, "days": days, "source": figure.source},
        )
