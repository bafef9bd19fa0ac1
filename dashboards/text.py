"""Names of codes, columns and series on boards and pages, in both languages, with signs and colours."""

from typing import Final, NamedTuple

from analytics.domain.colours import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, YELLOW, tint
from analytics.domain.words import (
    ALERT_STATES,
    CARRIERS,
    CASE_ACTIONS,
    CASE_STATES,
    CONSUMPTION,
    EDITIONS,
    KINDS,
    LEVELS,
    MESSAGE_STATES,
    OBSERVABILITY,
    QUALITY,
    REJECT_REASONS,
    SEVERITIES,
    SITE_VERDICTS,
    STATES,
    STATUSES,
    VERDICTS,
    VERIFICATION,
    Language,
    Phrase,
    Phrases,
)

__all__ = [
    "BLUE", "COLUMNS", "GREEN", "GREY", "NONE", "NONE_WHERE_EMPTY", "NO_VALUE", "ORANGE", "PURPLE",
    "SERIES", "SKY", "VALUES", "VERMILION", "YELLOW", "Word", "tint",
]  # fmt: skip


class Word(NamedTuple):
    """Name of a code with its sign (so that colour is never the only mark) and its colour."""

    text: Phrase
    sign: str = ""
    color: str | None = None

    def of(self, language: Language) -> str:
        """With its sign."""
        return f"{self.sign} {self.text.of(language)}".strip()


NO_VALUE: Final = Phrase(zh="无数据", en="no data")
"""Shown for unknown values; never 0."""
NONE: Final = Phrase(zh="–", en="–")
"""Where it is known that there is none: a fault that stands has no end, the highest point no parent."""
_MAY_BE_NONE: Final = (
    "body case_number case_state ended_at energy_unit grade magnitude_unit meter_no meters missing parent_point point "
    "waiting_until last_error last_sent_at currency price cost cost_share unexplained waits_for how_many what what_en"
)
NONE_WHERE_EMPTY: Final = frozenset(_MAY_BE_NONE.split())
"""Columns whose empty cells say `NONE`."""

_PARTITIONS: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW, GREY)  # of the first eight


def _marked(names: Phrases, **marks: tuple[str, str]) -> dict[str, Word]:
    """Names with their sign and colour."""
    return {code: Word(name, *marks.get(code, ())) for code, name in names.items()}


_SEVERITIES: Final = _marked(SEVERITIES, serious=("■", VERMILION), warning=("▲", ORANGE), info=("●", SKY))
_COMPLIANCE: Final = _marked(
    STATES, compliant=("✓", GREEN), findings=("▲", ORANGE), serious=("■", VERMILION), unknown=("?", GREY)
)
_ALERTS: Final = _marked(
    ALERT_STATES,
    open=("■", VERMILION),
    acknowledged=("▲", ORANGE),
    clearing=("●", SKY),
    cleared=("✓", GREEN),
    closed=("✓", GREEN),
    withdrawn=("–", GREY),
)
_MESSAGES: Final = _marked(
    MESSAGE_STATES, waiting=("●", SKY), sending=("●", SKY), sent=("✓", GREEN), failed=("■", VERMILION)
)
_CASES: Final = _marked(
    CASE_STATES,
    open=("■", VERMILION),
    dispatched=("▲", ORANGE),
    on_site=("▲", ORANGE),
    verdict=("●", SKY),
    ordered=("▲", ORANGE),
    recheck=("●", SKY),
    closed=("✓", GREEN),
)
_VERIFICATION: Final = _marked(
    VERIFICATION,
    valid=("✓", GREEN),
    due_90=("●", SKY),
    due_30=("▲", ORANGE),
    overdue=("■", VERMILION),
    unknown=("?", GREY),
)
_VERDICTS: Final = _marked(
    VERDICTS, **{"pass": ("✓", GREEN)}, fail=("■", VERMILION), person=("?", PURPLE), not_applicable=("–", GREY)
)
_ON_SITE: Final = _marked(
    SITE_VERDICTS, faulty=("■", VERMILION), sound=("✓", GREEN), load_changed=("●", SKY), data_path=("▲", ORANGE)
)
_OBSERVABLE: Final = _marked(OBSERVABILITY, observable=("✓", GREEN), weak=("▲", ORANGE), not_observable=("?", GREY))
_TODO: Final = {
    "unanswered": Word(Phrase(zh="严重告警无人处理", en="serious alert, unanswered"), "■", VERMILION),
    "case_late": Word(Phrase(zh="核查任务逾期", en="case past due"), "▲", ORANGE),
    "silent": Word(Phrase(zh="数据中断", en="data stopped"), "▲", ORANGE),
    "overdue": Word(Phrase(zh="检定超期", en="verification overdue"), "▲", ORANGE),
}
_ATTENTION: Final = {
    "all_well": Word(Phrase(zh="一切正常", en="all well"), "✓", GREEN),
    "no_sample": Word(Phrase(zh="没有工作进程上报", en="no worker reports"), "■", VERMILION),
    "not_stored": Word(Phrase(zh="读数久未入库", en="readings wait to be stored"), "■", VERMILION),
    "stale_hours": Word(Phrase(zh="小时汇总久未更新", en="totals wait to be made anew"), "▲", ORANGE),
    "messages_failed": Word(Phrase(zh="告警消息发送失败", en="messages could not be sent"), "■", VERMILION),
    "messages_wait": Word(Phrase(zh="告警消息久未发出", en="messages wait to be sent"), "▲", ORANGE),
    "backup_late": Word(Phrase(zh="备份已旧，超过 Kafka 保留期的一半", en="the last backup is old"), "▲", ORANGE),
    "disk_full_soon": Word(Phrase(zh="磁盘将满，余下天数", en="disk is full in so many days"), "▲", ORANGE),
}
_MAGNITUDES: Final = {
    "share": Phrase(zh="%", en="%"),  # the boards say it in percent
    "decades": Phrase(zh="个数量级", en="powers of ten"),
    "readings": Phrase(zh="条读数", en="readings"),
    "h": Phrase(zh="小时", en="h"),
    "s": Phrase(zh="秒", en="s"),
}
_QUESTIONS: Final = {
    "drift": Phrase(zh="计量偏差渐变", en="drift"),
    "ratio": Phrase(zh="倍率或接线错误", en="ratio or phase"),
    "stuck": Phrase(zh="停走", en="stuck dial"),
    "rise": Phrase(zh="不可能的示值增量", en="impossible rise"),
}
_WHY: Final = {
    "the ledger gives the highest rate of the register": "台账给出了最大速率",
    "the highest rate is learnt from the register's own rises": "最大速率由该表自身的历史增量学习得出",
    "too few rises so far to learn a highest rate from": "历史增量尚少，最大速率还在学习",
    "the balance shows it": "平衡关系可以看出",
    "no complete balance and no second meter holds this one to account": "没有完整的平衡，也没有第二块表可以对照",
    "the ledger does not declare that the children cover the parent wholly": "台账没有声明下级齐全",
    "the parent or a child has no meter": "上级或某个下级没有装表",
    "the balance does not close: something unmetered uses energy too": "平衡不闭合：还有未计量的用能",
    "too few measured days so far": "实测天数还太少",
    "hours are missing at the parent or a child": "上级或某个下级有数据缺失的小时",
    "the meter's share of the parent is too small for the noise of the balance": (
        "该表占上级的份额太小，淹没在平衡的噪声里"
    ),
    "an error was found, and what the meter counts now is being learnt": ("已发现计量偏差，正在重新学习该表现在的偏差"),
    "the load hardly varies, or follows that of others too closely to be told apart": (
        "负荷几乎不变，或与其他表同步，分不开"
    ),
    "its power register shows an error of the counter, not of the transformers, which feed both": (
        "功率寄存器能看出计度误差，看不出互感器误差（两者同源）"
    ),
    "a power that is measured or set as primary shows it, the ledger's multiplier included": (
        "一次侧功率可以看出，台账倍率也在内"
    ),
    "the powers of its phases show a phase that is lost or reversed, and no other ratio": (
        "分相功率能看出缺相或反相，看不出其他变比错误"
    ),
    "volume and temperatures of the heat meter show it": "热量表的流量和温度可以看出",
    "the power varies too much between its samples, or the registers are too coarse": (
        "功率在两次采样之间变化太大，或示值分辨率太粗"
    ),
    "the difference of supply and return temperature is too small": "供回水温差太小",
    "nothing was read of it for a week, or hardly anything yet": "一周没有读数，或读数还太少",
    "its dial moves in nearly every hour": "几乎每小时都走字",
    "it stands still for hours now and then: a jam looks as if its users were away": (
        "不时停走几小时，停走与停用看起来一样"
    ),
    "it has stood still as long before, and went on by itself": "以前也停走过这么久，又自行走动",
    "its dial moves too seldom, or is read too seldom": "走字或读数太稀",
}
"""Chinese names of reasons of observability verdicts (`analytics.drift.observability.Reason`)."""


def _plain(texts: Phrases) -> dict[str, Word]:
    return {code: Word(text) for code, text in texts.items()}


VALUES: Final[dict[str, dict[str, Word]]] = {
    "carrier": _plain(CARRIERS),
    "level": _plain(LEVELS),
    "kind": _plain(KINDS),
    "reason": _plain(REJECT_REASONS),
    "severity": _SEVERITIES,
    "state": _COMPLIANCE | _MESSAGES | _ALERTS,
    "case_state": _CASES,
    "verification": _VERIFICATION,
    "verdict": _VERDICTS,
    "verdict_on_site": _ON_SITE,
    "observable": _OBSERVABLE,
    "edition": _plain(EDITIONS),
    "status": _plain(STATUSES),
    "magnitude_unit": _plain(_MAGNITUDES),
    "question": _plain(_QUESTIONS),
    "action": _plain(CASE_ACTIONS),
    "why": _plain({english: Phrase(zh=chinese, en=english) for english, chinese in _WHY.items()}),
    "todo": _TODO,
    "tariff_period": {"none": Word(Phrase(zh="未录入单价", en="no price entered"), "?", GREY)},
    "attention": _ATTENTION,
    "fault": {"none": Word(Phrase(zh="无", en="none"), "✓", GREEN)} | _SEVERITIES,
    "fault_kind": {"none": Word(NONE)} | _plain(KINDS),
}
"""What the codes of a column are called, by the column's name in a panel's SQL."""


def _coloured(texts: Phrases) -> dict[str, Word]:
    """Each with the next of the colours, so that a thing has the same one in every chart."""
    wheel = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW)
    return {code: Word(text, "", wheel[place % len(wheel)]) for place, (code, text) in enumerate(texts.items())}


_FAULTS: Final = {
    "silence": GREY,
    "stuck": ORANGE,
    "scale": PURPLE,
    "ratio": SKY,
    "gain_step": VERMILION,
    "gain_drift": BLUE,
    "rollback": GREEN,
    "reset": YELLOW,
}
"""Colours of the faults that stand beside each other most."""

_USED_MOST: Final = {
    "electricity": BLUE,
    "natural_gas": ORANGE,
    "coal": GREY,
    "steam": VERMILION,
    "hot_water": PURPLE,
    "recoverable_residual_energy": GREEN,
    "water": SKY,
}
"""Colours of the carriers that stand beside each other most."""

_REFUSED_MOST: Final = {
    "duplicate": SKY,
    "unknown_meter": VERMILION,
    "unit_mismatch": ORANGE,
    "future": PURPLE,
    "not_installed": GREEN,
    "unknown_unit_code": YELLOW,
    "malformed": GREY,
}

SERIES: Final[dict[str, Word]] = (
    _coloured(CARRIERS)
    | {carrier: Word(CARRIERS[carrier], "", color) for carrier, color in _USED_MOST.items()}
    | _coloured(KINDS)
    | {kind: Word(KINDS[kind], "", color) for kind, color in _FAULTS.items()}
    | _coloured(REJECT_REASONS)
    | {reason: Word(REJECT_REASONS[reason], "", color) for reason, color in _REFUSED_MOST.items()}
    | {code: word for code, word in _COMPLIANCE.items() if code not in {"serious", "unknown"}}
    | {"serious_findings": _COMPLIANCE["serious"], "to_check": _COMPLIANCE["unknown"]}
    | _SEVERITIES
    | _VERIFICATION
    | _VERDICTS
    | _ON_SITE
    | _OBSERVABLE
    | {f"P{n}": Word(Phrase(zh=f"P{n}", en=f"P{n}"), "", color) for n, color in enumerate(_PARTITIONS)}
    | {
        "measured": Word(QUALITY["measured"], "", BLUE),
        "estimated": Word(QUALITY["estimated"], "", ORANGE),
        "suspect": Word(QUALITY["suspect"], "", VERMILION),
        "expected": Word(Phrase(zh="应有值（按检出的偏差）", en="by the error found"), "", GREEN),
        "revised": Word(QUALITY["revised"], "◆", PURPLE),
        "completeness": Word(Phrase(zh="完整率", en="completeness"), "", SKY),
        "amount": Word(CONSUMPTION, "", BLUE),
        "last_year": Word(Phrase(zh="上年同期", en="a year before"), "", GREY),
        "tce": Word(Phrase(zh="本期", en="this period"), "", BLUE),
        "tce_last_year": Word(Phrase(zh="上年同期", en="a year before"), "", GREY),
        "net": Word(Phrase(zh="净值", en="net"), "", "text"),
        "parent": Word(Phrase(zh="上级表", en="parent"), "", BLUE),
        "children": Word(Phrase(zh="下级合计", en="children"), "", GREEN),
        "losses": Word(Phrase(zh="估计损耗", en="losses, estimated"), "", YELLOW),
        "residual": Word(Phrase(zh="不平衡率", en="residual of the parent"), "", VERMILION),
        "stored": Word(Phrase(zh="入库", en="stored"), "", BLUE),
        "refused": Word(Phrase(zh="拒收", en="refused"), "", VERMILION),
        "value": Word(Phrase(zh="示值", en="dial")),
        "faults": Word(Phrase(zh="故障", en="faults")),
        "readings": Word(Phrase(zh="读数", en="readings")),
        "lag": Word(Phrase(zh="积压", en="lag")),
        "quality": Word(Phrase(zh="数据质量", en="quality")),
        "fence_age": Word(Phrase(zh="最早未入库读数的时长", en="oldest reading not stored")),
        "sample_age": Word(Phrase(zh="距最近上报", en="since the last sample")),
        "transaction_time": Word(Phrase(zh="事务时间", en="transaction"), "", BLUE),
        "database_wait": Word(Phrase(zh="等待数据库", en="waiting for the database"), "", VERMILION),
        "database_size": Word(Phrase(zh="数据库", en="database"), "", BLUE),
        "disk_free": Word(Phrase(zh="磁盘可用", en="disk, free")),
        "disk_growth": Word(Phrase(zh="每日增长", en="growth of a day")),
        "disk_days": Word(Phrase(zh="可用天数", en="days left")),
        "last_backup": Word(Phrase(zh="最近一次备份", en="last backup")),
        "backup_age": Word(Phrase(zh="距今", en="ago")),
        "backup_size": Word(Phrase(zh="备份大小", en="size")),
        "meters": Word(Phrase(zh="器具", en="meters"), "", BLUE),
        "demand": Word(Phrase(zh="最大小时平均功率", en="highest hour, mean power"), "", BLUE),
        "demand_at": Word(Phrase(zh="出现时间", en="when")),
        "demand_mean": Word(Phrase(zh="平均功率", en="mean power")),
        "new_today": Word(Phrase(zh="近24小时新增", en="new in 24 h")),
        "last_evidence": Word(Phrase(zh="最后有数据", en="last evidence")),
        "estimated_share": Word(Phrase(zh="估算占比", en="estimated share")),
        "stale_marks": Word(Phrase(zh="待更新小时", en="stale hours")),
        "stale_age": Word(Phrase(zh="最早待更新", en="oldest stale hour")),
        "rejected_unrelayed": Word(Phrase(zh="拒收未转发", en="refused, not relayed")),
        "messages_waiting": Word(Phrase(zh="待发消息", en="messages waiting")),
        "messages_failed": Word(Phrase(zh="发送失败", en="messages failed")),
    }
)
"""Name and colour of a series, by its name in a panel's SQL."""

COLUMNS: Final[dict[str, Phrase]] = {
    "unit_code": Phrase(zh="单位代码", en="unit code"),
    "unit_name": Phrase(zh="用能单位", en="unit"),
    "longitude": Phrase(zh="经度", en="longitude"),
    "latitude": Phrase(zh="纬度", en="latitude"),
    "label": Phrase(zh="标注", en="label"),
    "carrier": Phrase(zh="能源种类", en="carrier"),
    "level": Phrase(zh="级别", en="level"),
    "body": Phrase(zh="检定机构", en="verified by"),
    "instruments": Phrase(zh="强制检定器具", en="instruments"),
    "in_force": Phrase(zh="检定有效", en="valid"),
    "covered": Phrase(zh="受检率", en="coverage"),
    "needed": Phrase(zh="应配", en="needed"),
    "present": Phrase(zh="实配", en="present"),
    "undecided": Phrase(zh="是否应配待核查", en="undecided"),
    "rate": Phrase(zh="配备率", en="rate"),
    "required": Phrase(zh="要求", en="required"),
    "rate_margin": Phrase(zh="与要求之差", en="margin"),
    "units_failing": Phrase(zh="不达标单位", en="failing"),
    "overdue": Phrase(zh="超期", en="overdue"),
    "due_30": Phrase(zh="30天内到期", en="due in 30 d"),
    "due_90": Phrase(zh="90天内到期", en="due in 90 d"),
    "unknown": Phrase(zh="不明", en="unknown"),
    "meters": Phrase(zh="器具", en="meters"),
    "age": Phrase(zh="时长", en="age"),
    "serious": Phrase(zh="严重", en="serious"),
    "warning": Phrase(zh="警告", en="warning"),
    "info": Phrase(zh="提示", en="info"),
    "severity": Phrase(zh="严重程度", en="severity"),
    "kind": Phrase(zh="类别", en="kind"),
    "fault": Phrase(zh="故障", en="fault"),
    "fault_kind": Phrase(zh="故障类别", en="kind of fault"),
    "point": Phrase(zh="计量点", en="point"),
    "meter_no": Phrase(zh="用能单位管理编号", en="meter no."),
    "started_at": Phrase(zh="开始", en="since"),
    "ended_at": Phrase(zh="结束", en="until"),
    "magnitude": Phrase(zh="大小", en="magnitude"),
    "magnitude_low": Phrase(zh="下限", en="at least"),
    "magnitude_high": Phrase(zh="上限", en="at most"),
    "magnitude_unit": Phrase(zh="单位", en="in"),
    "energy_affected": Phrase(zh="涉及能量", en="energy affected"),
    "energy_affected_low": Phrase(zh="涉及能量下限", en="energy, at least"),
    "energy_affected_high": Phrase(zh="涉及能量上限", en="energy, at most"),
    "energy_unit": Phrase(zh="能量单位", en="energy in"),
    "tce_affected": Phrase(zh="涉及 tce", en="tce affected"),
    "confidence": Phrase(zh="置信度", en="confidence"),
    "state": Phrase(zh="状态", en="state"),
    "grade": Phrase(zh="分类监管等级", en="grade"),
    "findings": Phrase(zh="问题", en="findings"),
    "completeness": Phrase(zh="完整率", en="completeness"),
    "alerts": Phrase(zh="告警", en="alerts"),
    "tce_year": Phrase(zh="近一年 tce", en="tce of 365 d"),
    "edition": Phrase(zh="标准版本", en="edition"),
    "person": Phrase(zh="待人工核查", en="for a person"),
    "judged_for": Phrase(zh="判定日", en="judged for"),
    "month": Phrase(zh="月份", en="month"),
    "amount": CONSUMPTION,
    "unit": Phrase(zh="单位", en="unit"),
    "tce": Phrase(zh="折标准煤 tce", en="tce"),
    "last_year": Phrase(zh="上年同期", en="a year before"),
    "tce_last_year": Phrase(zh="上年同期 tce", en="tce a year before"),
    "change": Phrase(zh="同比", en="change"),
    "learnt_rate": Phrase(zh="已学得的最大速率（每小时）", en="highest rate learnt, each hour"),
    "unexplained": Phrase(zh="未解释差额（不计入）", en="unexplained, not counted"),
    "dial_before": Phrase(zh="突变前示值", en="dial before"),
    "dial_after": Phrase(zh="突变后示值", en="dial after"),
    "days": Phrase(zh="有数据天数", en="days with data"),
    "sub_unit": Phrase(zh="次级用能单位", en="sub-unit"),
    "name": Phrase(zh="名称", en="name"),
    "share": Phrase(zh="占比", en="share"),
    "verdict": Phrase(zh="判定", en="verdict"),
    "clause": Phrase(zh="条款", en="clause"),
    "required_zh": Phrase(zh="要求", en="required"),
    "found": Phrase(zh="实际", en="found"),
    "found_zh": Phrase(zh="实际", en="found"),
    "next_step_zh": Phrase(zh="下一步", en="what to do"),
    "next_step_en": Phrase(zh="下一步", en="what to do"),
    "opened_at": Phrase(zh="起始", en="since"),
    "pass": Phrase(zh="符合", en="pass"),
    "fail": Phrase(zh="不符合", en="fail"),
    "not_applicable": Phrase(zh="不适用", en="not applicable"),
    "missing": Phrase(zh="缺配计量点", en="points without a meter"),
    "accuracy_class": Phrase(zh="准确度等级", en="class"),
    "verification": Phrase(zh="检定/校准状态", en="verification"),
    "verification_due": Phrase(zh="有效期至", en="verified until"),
    "verified_on": Phrase(zh="检定日期", en="verified on"),
    "cycle_months": Phrase(zh="检定周期/校准间隔（月）", en="cycle in months"),
    "place": Phrase(zh="地点", en="place"),
    "attention": Phrase(zh="状况", en="what is the matter"),
    "waits_for": Phrase(zh="已持续", en="for"),
    "how_many": Phrase(zh="数量", en="how many"),
    "todo": Phrase(zh="事项", en="what to do"),
    "since": Phrase(zh="自", en="since"),
    "board": Phrase(zh="看板", en="board"),
    "what": Phrase(zh="依据", en="what it rests on"),
    "what_en": Phrase(zh="依据", en="what it rests on"),
    "title_zh": Phrase(zh="内容", en="what"),
    "title_en": Phrase(zh="内容", en="what"),
    "raised_at": Phrase(zh="告警时间", en="raised"),
    "case_number": Phrase(zh="核查单号", en="case"),
    "case_state": Phrase(zh="核查任务状态", en="case state"),
    "parent_point": Phrase(zh="上级计量点", en="parent point"),
    "model": Phrase(zh="型号", en="model"),
    "multiplier": Phrase(zh="倍率", en="multiplier"),
    "status": Phrase(zh="状态", en="status"),
    "installed_from": Phrase(zh="启用日期", en="installed"),
    "question": Phrase(zh="问题", en="question"),
    "observable": Phrase(zh="能否判断", en="observable"),
    "reason": Phrase(zh="原因", en="reason"),
    "why": Phrase(zh="原因", en="reason"),
    "smallest_30d": Phrase(zh="30天可见最小误差", en="smallest seen in 30 d"),
    "smallest_90d": Phrase(zh="90天可见最小误差", en="smallest seen in 90 d"),
    "learnt_since": Phrase(zh="重新学习自", en="learnt anew since"),
    "learnt_until": Phrase(zh="约学习至", en="until about"),
    "hours_typical": Phrase(zh="停走通常发现时间", en="jam usually detected after"),
    "hours_worst": Phrase(zh="停走最迟发现时间", en="jam detected after at worst"),
    "as_of": Phrase(zh="截至", en="as of"),
    "number": Phrase(zh="核查单号", en="case"),
    "at": Phrase(zh="时间", en="at"),
    "action": Phrase(zh="动作", en="action"),
    "alert": Phrase(zh="告警", en="alert"),
    "case_id": Phrase(zh="核查任务", en="case"),
    "tariff_period": Phrase(zh="时段", en="period"),
    "price": Phrase(zh="单价", en="price"),
    "cost": Phrase(zh="费用", en="cost"),
    "currency": Phrase(zh="币种", en="currency"),
    "cost_share": Phrase(zh="费用占比", en="share of the cost"),
    "waiting_until": Phrase(zh="等待至", en="waiting until"),
    "by_name": Phrase(zh="经办人", en="by"),
    "note": Phrase(zh="说明", en="note"),
    "verdict_on_site": Phrase(zh="现场判定", en="found on site"),
    "due_on": Phrase(zh="期限", en="due"),
    "records": Phrase(zh="记录", en="records"),
    "readings": Phrase(zh="读数", en="readings"),
    "pending": Phrase(zh="未重发", en="not sent again"),
    "last_at": Phrase(zh="最近", en="last"),
    "topic": Phrase(zh="主题", en="topic"),
    "partition": Phrase(zh="分区", en="partition"),
    "owner": Phrase(zh="工作进程", en="worker"),
    "next_offset": Phrase(zh="下一偏移", en="next offset"),
    "moved_at": Phrase(zh="推进时间", en="moved"),
    "moved_ago": Phrase(zh="距推进", en="since then"),
    "snapshot_at": Phrase(zh="快照时间", en="snapshot"),
    "snapshot_bytes": Phrase(zh="快照大小", en="snapshot size"),
    "ledger_version": Phrase(zh="台账版本", en="ledger"),
    "channel": Phrase(zh="渠道", en="channel"),
    "messages": Phrase(zh="消息", en="messages"),
    "oldest_at": Phrase(zh="最早", en="oldest"),
    "attempts": Phrase(zh="尝试次数", en="attempts"),
    "last_sent_at": Phrase(zh="最近发送", en="last sent"),
    "last_error": Phrase(zh="最近错误", en="last error"),
    "table_name": Phrase(zh="表", en="table"),
    "bytes": Phrase(zh="大小", en="size"),
    "rows_about": Phrase(zh="约行数", en="rows, about"),
    "cases": Phrase(zh="核查任务", en="cases"),
    "verdicts": Phrase(zh="已判定", en="verdicts"),
    "faulty": Phrase(zh="有故障", en="faulty"),
    "data_path": Phrase(zh="数据通道", en="data path"),
    "sound": Phrase(zh="正常", en="sound"),
    "load_changed": Phrase(zh="负荷变化", en="load changed"),
    "precision": Phrase(zh="查准率", en="precision"),
    "median_days_to_verdict": Phrase(zh="判定用时中位数（天）", en="median days to verdict"),
    "revised": Phrase(zh="已修正小时", en="revised hours"),
}
"""What the columns of tables are called."""
