"""One metering point and its meter: what it said, what was made of it, and what is known about its errors."""

from analytics.domain.words import Phrase
from dashboards.boards.board import Board
from dashboards.boards.choices import MEASURE, POINT_CHOICE, UNIT
from dashboards.boards.places import AT_ENTERPRISE, AT_POINT, AT_REGION
from dashboards.panels import Step, lines, section, stat, strip, table
from dashboards.text import BLUE, GREY, ORANGE, VERMILION, Word

__all__ = ["POINT"]

_QUALITY = {
    "0": Word(Phrase(zh="无数据", en="no data"), "?", GREY),
    "1": Word(Phrase(zh="实测", en="measured"), "✓", BLUE),
    "2": Word(Phrase(zh="含估算", en="estimated"), "▲", ORANGE),
    "3": Word(Phrase(zh="可疑", en="suspect"), "■", VERMILION),
}

_RESIDUAL = {
    "unit": "percent",
    "custom.axisPlacement": "right",
    "custom.axisSoftMin": -10,  # so that a balance that closes is a flat line
    "custom.axisSoftMax": 10,
}

POINT = Board(
    name=AT_POINT.name,
    title=AT_POINT.title,
    description=Phrase(
        zh="一个计量点：原始示值、消费量及其质量、检出的故障、上下级平衡、估计误差、检定和核查任务。",
        en="One metering point: register as sent, consumption and its quality, detections, balance, estimated error, "
        "verification and cases.",
    ),
    variables=(UNIT, POINT_CHOICE, MEASURE),
    annotations="point_annotations",
    links=(AT_ENTERPRISE, AT_REGION),
    panels=(
        table(
            Phrase(zh="计量点与在用器具", en="The point and its meter"),
            Phrase(zh="台账中的内容。", en="As the ledger has it."),
            "point_facts",
            height=4,
        ),
        stat(
            Phrase(zh="数据", en="Data"),
            Phrase(
                zh="最后有数据的时刻、所选时段完整率、估算占比和被修正的小时数。",
                en=(
                    "When it last gave evidence, completeness of the range, share "
                    "estimated, and hours that were revised."
                ),
            ),
            "point_last",
            width=6,
            height=5,
            stacked=True,
            columns={"last_evidence": {"unit": "time:YYYY-MM-DD HH:mm"}, "revised": {"unit": "none"}},
        ),
        strip(
            Phrase(zh="每小时的数据质量", en="Quality of each hour"),
            Phrase(
                zh="灰色为没有数据；检出的故障（停走、数量级、倍率、计量偏差）所在的小时为可疑。",
                en="Grey has no data; hours under a fault found (stuck, power of ten, ratio, error) are suspect.",
            ),
            "point_quality",
            width=18,
            height=5,
            unit="none",
            words=_QUALITY,
            legend=True,
            steps=(
                Step(at=None, color=GREY),
                Step(at=1, color=BLUE),
                Step(at=2, color=ORANGE),
                Step(at=3, color=VERMILION),
            ),
        ),
        lines(
            Phrase(zh="消费量与质量 · ${measure}", en="Consumption and its quality · ${measure}"),
            Phrase(
                zh="每小时的消费量，时间范围长时为各小时的平均。蓝色实测，橙色估算，红色可疑，紫色菱形为事后修正，"
                "绿色虚线为按检出的偏差换算的应有值。"
                "没有数据的时段断开，不画成 0。",
                en=(
                    "Per hour, over long ranges the mean of the hours. Blue is measured, "
                    "orange estimated, red suspect, purple was "
                    "revised later, the dashed green line is what it should have been by the error "
                    "found. The line stops where "
                    "there is no data; that is not 0."
                ),
            ),
            "point_hours",
            width=24,
            height=9,
            interval="1h",
            low=0,
            columns={
                "revised": {"custom.drawStyle": "points", "custom.pointSize": 7, "custom.fillOpacity": 0},
                "estimated": {"custom.fillOpacity": 35, "custom.lineWidth": 2},
                "expected": {
                    "custom.fillOpacity": 0,
                    "custom.lineStyle": {"fill": "dash", "dash": [6, 4]},
                    "custom.lineWidth": 2,
                },
            },
        ),
        lines(
            Phrase(zh="原始示值", en="Register as sent"),
            Phrase(
                zh="器具上报的示值，未乘倍率、未作修正。",
                en="As the meter sent it: before the multiplier, never corrected.",
            ),
            "point_readings",
            interval="1m",
            fill=0,
            unit="none",
        ),
        lines(
            Phrase(zh="上下级平衡 · ${measure}", en="Balance of parent and children · ${measure}"),
            Phrase(
                zh="本点作为上级或下级所在的平衡；差额按上级消费量的百分比画在右轴。没有完整平衡时为空。",
                en=(
                    "Of the balance that the point stands in, as parent or child; the "
                    "residual in percent of the parent, "
                    "on the right. Empty where there is no complete one."
                ),
            ),
            "point_balance",
            interval="1h",
            fill=0,
            columns={"residual": _RESIDUAL},
        ),
        section(
            Phrase(zh="误差与故障", en="Errors and faults"),
            Phrase(zh="检出的内容与可判断性", en="What was found, and what could be"),
        ),
        table(
            Phrase(zh="检出与估计误差", en="Detections and estimated error"),
            Phrase(
                zh="检出的依据、大小和涉及能量，及其95%区间；没有区间时为“无数据”。",
                en="What it rests on, magnitude and energy affected with their 95 % intervals; “no data” where there "
                "is none.",
            ),
            "point_errors",
            names="severity kind what what_en state started_at ended_at magnitude magnitude_unit energy_affected "
            "energy_unit magnitude_low magnitude_high energy_affected_low energy_affected_high confidence",
            height=8,
            hidden={"zh": ("what_en",), "en": ("what",)},
        ),
        table(
            Phrase(zh="能否判断", en="What can be seen"),
            Phrase(
                zh="没有参照就无法判断误差；这里说明能看到的最小误差。",
                en="Without a reference an error cannot be seen; here is the smallest that would show, and why.",
            ),
            "point_observability",
            width=14,
            height=7,
        ),
        table(
            Phrase(zh="检定记录", en="Verification"),
            Phrase(zh="曾安装于此的器具的全部证书。", en="Every certificate of the meters that ever stood here."),
            "point_verifications",
            width=10,
            height=7,
        ),
        table(
            Phrase(zh="核查任务记录", en="Cases"),
            Phrase(
                zh="派单、现场核查和改正的经过；企业看不到经办人和内部说明。",
                en="How cases went, step by step; an enterprise is not shown names and internal notes.",
            ),
            "point_cases",
            height=8,
        ),
    ),
)
