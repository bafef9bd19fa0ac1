"""One enterprise: what it used, where it breaks the standard and what to do next, and how its meters are."""

from analytics.domain.words import Phrase
from dashboards.boards.board import TO_PLACE_HERE, TO_POINT_HERE, Board
from dashboards.boards.choices import CARRIER, UNIT
from dashboards.boards.places import AT_ENTERPRISE, AT_POINT, AT_REGION
from dashboards.boards.shades import COMPLETE
from dashboards.panels import PAGES, bars, flow, lines, note, section, stat, strip, table
from dashboards.text import GREY

__all__ = ["ENTERPRISE"]

_ASKED = "unit=${unit:percentencode}&month=${__to:date:YYYY-MM}"
_REPORT = Phrase(
    zh="月度报告（`.xlsx` 与 `.html`）在本系统网页的“用能单位 → 报告”中，按登录人员的权限下载。\n\n"
    f"[下载本月报告]({PAGES}/report.xlsx?{_ASKED}) · [网页版]({PAGES}/report.html?{_ASKED})",
    en="The month's report (`.xlsx` and `.html`) is on the web pages, under *Units → Reports*, for who signs in "
    "there.\n\n"
    f"[Download this month's report]({PAGES}/report.xlsx?{_ASKED}) · [as a page]({PAGES}/report.html?{_ASKED})",
)

_BEFORE = {"color": {"mode": "fixed", "fixedColor": GREY}, "custom.fillOpacity": 0}
_LINE_BEFORE = _BEFORE | {
    "custom.drawStyle": "line",
    "custom.lineWidth": 2,
    "custom.stacking": {"group": "A", "mode": "none"},
}

ENTERPRISE = Board(
    name=AT_ENTERPRISE.name,
    title=AT_ENTERPRISE.title,
    description=Phrase(
        zh="一个用能单位的能耗、合规情况与下一步措施、计量器具和数据完整率。",
        en=(
            "What one unit used, where it breaks the standard and what to do next, "
            "its meters, how complete its data is."
        ),
    ),
    variables=(UNIT, CARRIER),
    links=(AT_POINT, AT_REGION),
    since="now-30d",
    refresh="5m",
    panels=(
        table(
            Phrase(zh="合规状态", en="Compliance"),
            Phrase(
                zh="最近一次判定及所依据的标准版本；从未判定时为空。",
                en="The latest judgement and the edition of the standard it used; empty where there was none.",
            ),
            "unit_state",
            width=14,
            height=4,
        ),
        stat(
            Phrase(zh="综合能耗与上年同期（tce）", en="Energy used, and a year before (tce)"),
            Phrase(
                zh="所选日期内折标准煤合计，以及上年相同日期；当天未结束不计，没有折标系数的能源种类不计入，不知道或上年天数不足时为“无数据”。",
                en="Tonnes of coal equivalent of the days shown, and a year before; today does not count yet, nor do "
                "carriers without a factor; “no data” where nothing is known, or of fewer days.",
            ),
            "unit_tce",
            width=10,
            unit="locale",
            decimals=1,
        ),
        section(Phrase(zh="能耗", en="Energy"), Phrase(zh="按能源种类和时间", en="By carrier and time")),
        stat(
            Phrase(zh="用电负荷", en="Demand of electricity"),
            Phrase(
                zh="所选时段内用电最多的一小时的平均功率、出现时间和全时段平均功率；由逐小时消费量得出，不是需量表的最大需量。",
                en="Mean power of the hour with most electricity over the time shown, when it was, and the mean of all "
                "hours; from hourly amounts, not the maximum demand of a demand meter.",
            ),
            "unit_demand",
            width=24,
            unit="kwatt",
            columns={"demand_at": {"unit": "time:MM-DD HH:mm"}},
            decimals=1,  # 2.9 and 2.1 MW are no 3 and 2
        ),
        lines(
            Phrase(zh="逐时消费量：${carrier}", en="By hour: ${carrier}"),
            Phrase(
                zh="所选能源种类每小时的消费量，时间范围长时为各小时的平均；橙色为其中估算的部分，灰色为上年同时段。没有数据的时段断开，"
                "不画成 0。",
                en="The chosen carrier per hour, over long ranges the mean of the hours; orange was estimated, grey is "
                "a year before. The line stops where there is no data; that is not 0.",
            ),
            "unit_hours",
            interval="1h",
            low=0,
            columns={"last_year": _BEFORE},
        ),
        bars(
            Phrase(zh="逐时综合能耗与上年", en="By hour, in coal equivalent, against last year"),
            Phrase(
                zh="按能源种类折标准煤（吨/小时），时间范围长时为各小时的平均；灰线为上年同时段合计。没有折标系数的能源种类不计入。",
                en=(
                    "Tonnes of coal equivalent per hour by carrier, over long ranges the mean "
                    "of the hours; the grey line is all of them a year before. Carriers "
                    "without a factor are not in it."
                ),
            ),
            "unit_tce_hours",
            summed=False,
            unit="tce",
            interval="1h",
            columns={"tce_last_year": _LINE_BEFORE},
        ),
        lines(
            Phrase(zh="逐日消费量与上年：${carrier}", en="By day against last year: ${carrier}"),
            Phrase(
                zh="所选能源种类与上年同日；没有数据的日子断开，当天结束后才画出。",
                en=(
                    "The chosen carrier and the same day a year before; the line stops "
                    "where there is no data, and a day "
                    "is drawn when it is over."
                ),
            ),
            "unit_days_year",
            interval="1d",
            low=0,
            columns={"last_year": _BEFORE},
        ),
        bars(
            Phrase(zh="逐日综合能耗与上年", en="By day, in coal equivalent, against last year"),
            Phrase(
                zh="按能源种类折标准煤（吨）；灰线为上年同日合计。当天结束后才画出。",
                en="Tonnes of coal equivalent by carrier; the grey line is all of them a year before. A day is drawn "
                "when it is over.",
            ),
            "unit_tce_days",
            unit="tce",
            interval="1d",
            columns={"tce_last_year": _LINE_BEFORE},
        ),
        table(
            Phrase(zh="未计入综合能耗", en="Not in the coal equivalent"),
            Phrase(
                zh="所选日期内没有折标系数、因而不在任何折标准煤数字中的能源种类及其消费量。",
                en="Carriers of the days shown that have no factor and so are in no figure of coal equivalent.",
            ),
            "unit_left_out",
            names="carrier amount unit",
            width=8,
            height=6,
        ),
        lines(
            Phrase(zh="数据完整率", en="Completeness of data"),
            Phrase(
                zh="所有计量点的逐日数据完整率，以及其中实测部分；没有数据的日子断开，当天结束后才画出。",
                en=(
                    "Of all metered points by day, and the part that was measured; the "
                    "line stops where there is no data, "
                    "and a day is drawn when it is over."
                ),
            ),
            "unit_completeness_days",
            width=16,
            height=6,
            unit="percent",
            interval="1d",
            low=0,
            high=100,
            columns={"measured": {"custom.fillOpacity": 0, "custom.lineWidth": 2}},
        ),
        table(
            Phrase(zh="逐月消费量", en="By month"),
            Phrase(
                zh="近13个月各能源种类的消费量和折标准煤，与上年同月相比；当月两年都只算到昨天这一日。上年有数据的天数较少时不作比较。",
                en=(
                    "The last 13 months by carrier and in coal equivalent, against the "
                    "same month a year before; the month "
                    "that runs is counted up to yesterday in both years, and nothing is compared with fewer days."
                ),
            ),
            "unit_months",
            names="month carrier amount unit tce unexplained last_year change days completeness",
            height=9,
        ),
        table(
            Phrase(zh="次级用能单位与主要用能设备", en="Sub-units and main equipment"),
            Phrase(
                zh="所选日期内的消费量、占全单位折标准煤的比例，与上年同期相比；当天未结束不计，上年天数不足时不作比较。",
                en="What they used over the days shown, their share of the unit's coal equivalent, and a year before; "
                "today does not count yet, and nothing is compared with fewer days.",
            ),
            "unit_parts",
            names="level sub_unit name carrier amount unit tce share last_year change completeness",
            height=9,
        ),
        table(
            Phrase(zh="分时段消费量与费用：${carrier}", en="By tariff period: ${carrier}"),
            Phrase(
                zh="按录入的分时单价（用能单位的事实）计算的所选时间内的费用，不含基本电费等固定费用；没有单价的小时单列。",
                en="What the time shown cost at the prices entered as facts about the unit, fixed charges left out; "
                "hours without a price stand apart.",
            ),
            "unit_cost",
            names="tariff_period amount unit price cost currency cost_share",
            height=6,
            columns={"price": {"decimals": 4}},
        ),
        table(
            Phrase(zh="未解释差额", en="Unexplained differences"),
            Phrase(
                zh="所选日期内示值的突变无人能够解释；判定之前不计入消费量（`meterwarden differences`）。",
                en="What registers rose by over the days shown and nobody could explain; not in the amounts until a "
                "person decides (`meterwarden differences`).",
            ),
            "unit_unexplained",
            names="started_at point meter_no carrier dial_before dial_after unexplained unit",
            height=7,
            columns={"point": TO_POINT_HERE},
        ),
        section(
            Phrase(zh="能流与分布", en="Flow and pattern"),
            Phrase(zh="计量点之间的能流", en="From point to point"),
            folded=True,
        ),
        flow(
            Phrase(zh="能源流向：${carrier}", en="Energy flow: ${carrier}"),
            Phrase(
                zh="所选能源种类的计量点、所选日期内各点的消费量（图例 mainstat）和占上级的比例（secondarystat）；"
                "“–”为没有数据。拖动可移动，右下角可缩放。",
                en="Metering points of the chosen carrier, what each metered over the days shown (mainstat in the "
                "legend), and its share of the point above (secondarystat); “–” has no data. Drag to move, zoom at the "
                "lower right.",
            ),
            "unit_flow_nodes",
            "unit_flow_edges",
        ),
        strip(
            Phrase(zh="每日24小时消费量分布：${carrier}", en="Hours of the day: ${carrier}"),
            Phrase(
                zh="每行一个小时（当地时间），每列一天；黄色消费量小，蓝色消费量大；空白为没有数据。",
                en="A row is an hour of the local day, a column a day; yellow is little, blue is much; an empty cell "
                "has no data.",
            ),
            "unit_day_hours",
            height=14,
            unit="short",
            interval="1d",
            color="continuous-YlBl",  # a cell that is merely pale would look like one without data
        ),
        strip(
            Phrase(zh="逐日数据完整率（最差的25个计量点）", en="Completeness by day: the 25 worst points"),
            Phrase(
                zh="每格一天；空白格表示完全没有数据，不是 0。",
                en="A cell is a day; an empty one has no data at all, which is not 0.",
            ),
            "unit_points_days",
            height=12,
            interval="1d",
            steps=COMPLETE,
            legend=True,
        ),
        section(Phrase(zh="合规", en="Compliance"), Phrase(zh="按 GB 17167 的条款", en="By clause of GB 17167")),
        table(
            Phrase(zh="问题与下一步措施", en="What does not hold, and what to do"),
            Phrase(
                zh="未关闭的不符合项和待人工核查项，逐条给出条款、要求、实际和下一步。",
                en="Findings that fail or that a person must decide: clause, requirement, what was found, what to do.",
            ),
            "unit_findings",
            height=10,
            columns={"point": TO_PLACE_HERE, "required": {"custom.width": 330}},
            hidden={
                "zh": ("required", "found", "next_step_en", "board"),
                "en": ("required_zh", "found_zh", "next_step_zh", "board"),
            },
        ),
        table(
            Phrase(zh="按条款统计", en="By clause"),
            Phrase(zh="每个条款当前的判定数。", en="How many judgements stand under each clause."),
            "unit_clauses",
            width=9,
            height=9,
        ),
        table(
            Phrase(zh="计量器具配备率", en="Equipping rate"),
            Phrase(zh="按能源种类和级别，对照标准要求。", en="By carrier and level, against the requirement."),
            "unit_equipping",
            width=15,
            height=9,
            columns={"required": {"unit": "percent"}},
        ),
        section(
            Phrase(zh="计量器具", en="Meters"), Phrase(zh="本单位的计量器具和告警", en="The unit's meters and alerts")
        ),
        table(
            Phrase(zh="未解除的告警", en="Alerts that stand"),
            Phrase(zh="本单位未处理、已确认和恢复中的告警。", en="The unit's open, acknowledged and clearing alerts."),
            "unit_alerts",
            names="severity title_zh title_en point raised_at energy_affected energy_unit state case_number case_state "
            "meter_no board alert case_id",
            height=9,
            columns={"point": TO_PLACE_HERE},
            hidden={"zh": ("title_en", "board", "alert", "case_id"), "en": ("title_zh", "board", "alert", "case_id")},
        ),
        note(
            Phrase(zh="月度报告", en="Monthly report"),
            Phrase(zh="报告的下载", en="Where the report is"),
            _REPORT,
            width=24,
            height=5,
        ),
        table(
            Phrase(zh="计量器具状态", en="Meters and their state"),
            Phrase(
                zh="检定/校准状态、未结束的故障、近7天数据完整率（没有数据时为“无数据”）。",
                en=(
                    "Verification, faults that stand, and completeness of the last 7 "
                    "days (“no data” where there is none)."
                ),
            ),
            "unit_meters",
            height=12,
            columns={"point": TO_POINT_HERE},
        ),
    ),
)
