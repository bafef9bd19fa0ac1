"""The pipeline itself, for who runs it."""

from analytics.domain.words import Phrase
from dashboards.boards.board import Board
from dashboards.boards.places import AT_OPERATIONS, AT_REGION
from dashboards.panels import Step, bars, lines, section, stat, table, thresholds
from dashboards.text import BLUE, ORANGE, VERMILION

__all__ = ["OPERATIONS"]

_DAYS_LEFT = (Step(at=None, color=VERMILION), Step(at=30, color=ORANGE), Step(at=90, color=BLUE))
_AGE = (Step(at=None, color=BLUE), Step(at=60, color=ORANGE), Step(at=300, color=VERMILION))

OPERATIONS = Board(
    name=AT_OPERATIONS.name,
    title=AT_OPERATIONS.title,
    description=Phrase(
        zh="积压、速率、拒收、事务时间、数据库大小和告警消息；这里的告警规则只看系统自身。",
        en="Lag, rates, refusals, time of transactions, size of the database, messages of alerts; the alert rules here "
        "watch the pipeline alone.",
    ),
    links=(AT_REGION,),
    since="now-6h",
    refresh="30s",
    panels=(
        table(
            Phrase(zh="需要处理的", en="What needs attention"),
            Phrase(
                zh="工作进程超过2分钟不上报、读数超过5分钟未入库、汇总超过10分钟未更新、消息失败或超过1小时未发、"
                "磁盘不足30天、备份早于 Kafka 保留期的一半；都没有时为“一切正常”。",
                en="No word of a worker for 2 minutes, readings not stored for 5, totals not made anew for 10, "
                "messages that failed or have waited for an hour, a disk for less "
                "than 30 days, a backup older than half of what Kafka keeps; “all well” where there is none.",
            ),
            "ops_attention",
            width=12,
            height=6,
        ),
        stat(
            Phrase(zh="当前", en="Now"),
            Phrase(
                zh="未入库记录数、最早一条未入库读数的时长、距工作进程最近上报的时间。",
                en="Records not stored, age of the oldest reading not stored, and time since a worker's last sample.",
            ),
            "ops_now",
            width=6,
            height=6,
            stacked=True,
            columns={"fence_age": {"thresholds": thresholds(_AGE)}, "sample_age": {"thresholds": thresholds(_AGE)}},
        ),
        stat(
            Phrase(zh="库内等待", en="Waiting in the database"),
            Phrase(
                zh="待更新的小时汇总、未转发的拒收读数、待发和失败的消息。",
                en="Stale hours, refused readings not yet relayed, messages that wait or failed.",
            ),
            "ops_backlog",
            width=6,
            height=6,
            stacked=True,
        ),
        lines(
            Phrase(zh="积压", en="Lag"),
            Phrase(zh="各分区未入库的记录数；没有上报时断开。", en="Records of each partition not yet stored."),
            "ops_lag",
            low=0,
            interval="30s",
        ),
        lines(
            Phrase(zh="最早未入库读数", en="Oldest reading not stored"),
            Phrase(zh="各分区。", en="By partition."),
            "ops_fence_age",
            unit="s",
            low=0,
            interval="30s",
        ),
        lines(
            Phrase(zh="速率", en="Rates"),
            Phrase(
                zh="每秒入库和拒收的读数；没有上报时断开。",
                en="Readings stored and refused a second; the line stops without samples.",
            ),
            "ops_rate",
            unit="suffix:/s",
            low=0,
            interval="1m",
        ),
        lines(
            Phrase(zh="事务时间", en="Time of a transaction"),
            Phrase(
                zh="平均一次事务的时间，以及等待数据库的时间占比。",
                en="Mean time of a transaction, and share of time spent waiting for the database.",
            ),
            "ops_transaction",
            unit="s",
            low=0,
            interval="1m",
            columns={"database_wait": {"unit": "percentunit", "max": 1}},
        ),
        bars(
            Phrase(zh="拒收的读数", en="Readings refused"),
            Phrase(zh="按小时和原因。", en="By hour and reason."),
            "ops_rejected",
            interval="1h",
        ),
        table(
            Phrase(zh="谁的读数被拒收", en="Whose readings are refused"),
            Phrase(zh="所选时段内，按单位和原因。", en="By unit and reason, over the range."),
            "ops_rejected_units",
            width=12,
        ),
        table(
            Phrase(zh="分区", en="Partitions"),
            Phrase(
                zh="每个分区的位置、所属进程和快照。", en="Where each partition stands, whose it is, and its snapshot."
            ),
            "ops_partitions",
            width=14,
        ),
        table(
            Phrase(zh="告警消息", en="Messages of alerts"),
            Phrase(zh="按渠道和状态，及最近的错误。", en="By channel and state, with the last error."),
            "ops_outbox",
            width=10,
        ),
        section(
            Phrase(zh="数据库与判定", en="Database and verdicts"),
            Phrase(zh="大小与现场核查", en="Size, and what was found on site"),
            folded=True,
        ),
        lines(
            Phrase(zh="数据库大小", en="Size of the database"),
            Phrase(zh="整个数据库。", en="The whole database."),
            "ops_database_size",
            unit="bytes",
            low=0,
            interval="5m",
        ),
        stat(
            Phrase(zh="磁盘", en="Disk"),
            Phrase(
                zh="数据库所在磁盘的可用空间、近7天的日均增长、按此可用的天数；数据库在其他机器上时为空。",
                en="Free where the database lies, its growth a day over a week, and the days for which that lasts; "
                "empty where the database is on another machine.",
            ),
            "ops_disk",
            width=12,
            columns={"disk_days": {"thresholds": thresholds(_DAYS_LEFT)}},
        ),
        stat(
            Phrase(zh="备份", en="Backup"),
            Phrase(
                zh="最近一次备份的时间、距今多久和大小；从未备份时为“无数据”。"
                "超过 Kafka 保留期一半仍未再备份的，列入“需要处理的”。",
                en="When the last backup was made, how long ago, and its size; “no data” where there was none. One "
                "older than half of what Kafka keeps stands under what needs attention.",
            ),
            "ops_backup",
            width=12,
            stacked=True,
            height=5,
        ),
        table(
            Phrase(zh="最大的表", en="Largest tables"),
            Phrase(zh="含按时间切分的各块。", en="With the chunks of those that are split by time."),
            "ops_tables",
            width=12,
        ),
        table(
            Phrase(zh="检出的查准率", en="How right the detectors are"),
            Phrase(
                zh="按现场判定：器具或数据通道有故障算命中。",
                en="By what was found on site: a fault of the meter or its data path is a hit.",
            ),
            "ops_detectors",
            height=7,
        ),
    ),
)
