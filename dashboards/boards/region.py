"""The region, for metering staff: who stands how, what is due, what is faulty, and how much of it is known."""

from analytics.domain.words import Phrase
from dashboards.boards.board import TO_PLACE, TO_POINT, TO_UNIT, Board
from dashboards.boards.places import AT_ENTERPRISE, AT_OPERATIONS, AT_POINT, AT_REGION
from dashboards.boards.shades import COMPLETE
from dashboards.panels import NET, bars, columns_of, geomap, lines, section, stat, strip, table

__all__ = ["REGION"]

REGION = Board(
    name=AT_REGION.name,
    title=AT_REGION.title,
    description=Phrase(
        zh="全区域各用能单位的合规状态、配备率、检定、数据完整率、告警和故障计量器具。",
        en="Every unit of the region: compliance, equipping rate, verification, completeness, alerts, faulty meters.",
    ),
    links=(AT_ENTERPRISE, AT_POINT, AT_OPERATIONS),
    panels=(
        stat(
            Phrase(zh="用能单位合规状态", en="Units by state of compliance"),
            Phrase(
                zh="按各单位最近一次判定；从未判定的计入“待人工核查”。",
                en="By each unit's latest judgement; a unit that was never judged is to be checked by a person.",
            ),
            "region_states",
            width=9,
        ),
        stat(
            Phrase(zh="未解除告警", en="Alerts that stand"),
            Phrase(
                zh="未处理、已确认和恢复中的告警，按严重程度；以及近24小时内新增的。",
                en="Open, acknowledged and clearing alerts by severity; and those raised within the last 24 hours.",
            ),
            "region_open_alerts",
            width=6,
        ),
        stat(
            Phrase(zh="在用器具检定/校准状态", en="Verification of installed meters"),
            Phrase(
                zh="按今天：有效、90天内到期、30天内到期、超期、检定（校准）信息不全。",
                en="As of today: valid, due within 90 or 30 days, overdue, nothing known.",
            ),
            "region_verification",
            width=9,
        ),
        table(
            Phrase(zh="今天要做的事", en="What to do today"),
            Phrase(
                zh="无人处理的严重告警、逾期的核查任务、数据中断的器具和超期未检的器具，每类最早的20条。点击进入对应的看板。",
                en="Serious alerts nobody answered, cases past due, meters whose data stopped, meters overdue: the 20 "
                "oldest of each. A click opens the board where it is seen.",
            ),
            "region_todo",
            height=8,
            columns={"unit_name": TO_UNIT, "point": TO_PLACE},
            hidden={"zh": ("board",), "en": ("board",)},
        ),
        table(
            Phrase(zh="用能单位一览", en="Units"),
            Phrase(
                zh="每个单位一行，最需要关注的在前；合规按最近一次判定（判定日），完整率为近7个整日，超期按今天。点击进入企业看板。",
                en="One row a unit, those that need attention first; compliance as judged on the day shown, "
                "completeness of the last 7 full days, overdue as of today. A click opens the unit's board.",
            ),
            "region_units",
            height=10,
            columns={"unit_name": TO_UNIT},
        ),
        table(
            Phrase(zh="计量器具配备率", en="Equipping rate"),
            Phrase(
                zh="按能源种类和级别汇总的实配与应配，对照所依据的标准版本的要求。没有要求的级别不作比较。",
                en=(
                    "Meters present against meters required by carrier and level, "
                    "against the edition's requirement; where "
                    "the edition requires nothing, nothing is compared."
                ),
            ),
            "region_equipping",
            width=14,
            height=9,
            columns={"required": {"unit": "percent"}},
        ),
        columns_of(
            Phrase(zh="未解除告警的时长", en="Age of alerts that stand"),
            Phrase(zh="自告警起的时间，按严重程度。", en="Time since the alert was raised, by severity."),
            "region_alert_age",
            over="age",
            width=10,
            height=9,
        ),
        section(
            Phrase(zh="故障与检定", en="Faults and verification"),
            Phrase(zh="故障器具和检定到期", en="Faulty meters, and what is due"),
        ),
        table(
            Phrase(zh="故障计量器具，按涉及能量排序", en="Faulty meters by energy affected"),
            Phrase(
                zh="未结束的故障；能量用计量点自身的单位，负数为少计。按折标准煤排序（用该单位近一周的折标系数）。点击计量点进入其看板。",
                en=(
                    "Faults that stand; energy in the point's own unit, negative where "
                    "too little was counted. Sorted by "
                    "coal equivalent, at the unit's factors of the last week. A click on the point opens its board."
                ),
            ),
            "region_faulty",
            names="severity kind unit_name point started_at energy_affected energy_unit magnitude magnitude_unit "
            "tce_affected meter_no carrier confidence unit_code",
            height=10,
            columns={"point": TO_POINT, "unit_name": TO_UNIT},
        ),
        table(
            Phrase(zh="检定超期与即将到期", en="Verification overdue and due"),
            Phrase(zh="按单位汇总，超期最多的在前。", en="By unit, those with most overdue meters first."),
            "region_overdue",
            width=12,
            height=9,
            columns={"unit_name": TO_UNIT},
        ),
        bars(
            Phrase(zh="新增故障", en="Faults found"),
            Phrase(zh="按故障开始的日期和类别。", en="By the day on which they began, and kind."),
            "region_detections",
            height=9,
            interval="1d",
        ),
        columns_of(
            Phrase(zh="检定到期日历", en="Calendar of verification"),
            Phrase(
                zh="本月剩余日子和以后12个月内每月到期的在用器具；已超期的不在其中。",
                en="Installed meters whose verification ends in what is left of this month and in each of the next 12; "
                "those overdue are not in it.",
            ),
            "region_due_months",
            over="month",
            width=24,
            height=7,
        ),
        table(
            Phrase(zh="强制检定覆盖情况", en="Coverage of verification by law"),
            Phrase(
                zh="依法强制检定的在用器具中在检定有效期内的比例，按能源种类和最近一次检定机构；机构空白为未录入证书。",
                en="Instruments verified by law that are within their verification, by carrier and by the body that "
                "verified last; no body is named where no certificate was entered.",
            ),
            "region_mandatory",
            width=24,
            height=7,
            columns={"covered": {"unit": "percent"}, "as_of": {"unit": "string"}},
        ),
        section(
            Phrase(zh="数据与能耗", en="Data and energy"),
            Phrase(zh="数据完整率", en="How complete the data is"),
            folded=True,
        ),
        strip(
            Phrase(zh="数据完整率分布（最差的25个单位）", en="Completeness by hour: the 25 worst units"),
            Phrase(
                zh="每格一小时（时间范围长时更长，至多一天）。空白格表示完全没有数据，不是 0。",
                en="A cell is an hour (more over long ranges, a day at most). An empty cell has no data at all; it is "
                "not 0.",
            ),
            "region_completeness_map",
            height=12,
            steps=COMPLETE,
            legend=True,
        ),
        lines(
            Phrase(zh="全区域数据完整率", en="Completeness of the region"),
            Phrase(
                zh="有数据的比例，以及其中实测（非估算）的比例；没有数据的时段断开。",
                en="Share with evidence, and the share that was measured; the line stops where there is none.",
            ),
            "region_completeness",
            unit="percent",
            interval="1h",
            low=0,
            high=100,
            columns={"measured": {"custom.fillOpacity": 0, "custom.lineWidth": 2}},
        ),
        bars(
            Phrase(zh="综合能耗", en="Energy used"),
            Phrase(
                zh="各单位进入量按日合计，折标准煤；外供在零以下，线为净值。没有折标系数的能源种类不计入，当天结束后才画出。",
                en="What units took in by day, in tonnes of coal equivalent; what they gave away is below zero, the "
                "line is the net. Carriers without a factor are not in it, and a day is drawn when it is over.",
            ),
            "region_energy",
            unit="tce",
            interval="1d",
            columns={"net": NET},
        ),
        table(
            Phrase(zh="未计入综合能耗", en="Not in the coal equivalent"),
            Phrase(
                zh="所选日期内没有折标系数、因而不在任何折标准煤数字中的能源种类及其消费量。",
                en="Carriers of the days shown that have no factor and so are in no figure of coal equivalent.",
            ),
            "region_left_out",
            names="carrier amount unit",
            width=8,
        ),
        bars(
            Phrase(zh="合规状态趋势", en="Compliance day by day"),
            Phrase(
                zh="按日统计的单位数；没有判定的日子空白。", en="Units by state; a day that was not judged is empty."
            ),
            "region_states_trend",
            width=16,
            summed=False,
            interval="1d",
        ),
        section(
            Phrase(zh="地图", en="Map"),
            Phrase(zh="台账填有经纬度的用能单位", en="Units whose place the ledger has"),
            folded=True,
        ),
        geomap(
            Phrase(zh="用能单位分布", en="Where the units are"),
            Phrase(
                zh="台账填有经纬度的用能单位，按最近一次判定的状态着色；没有底图，也不访问互联网。台账未填经纬度的单位不在图上。点开一个单位可进入企业看板。",
                en="Units whose longitude and latitude the ledger has, in the colour of their latest judgement, on no "
                "background and without the internet; a unit without a place is not shown. A click on a unit leads to "
                "its board.",
            ),
            "region_places",
            columns={"unit_name": TO_UNIT},
        ),
    ),
)
