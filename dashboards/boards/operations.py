"""The pipeline itself, for who runs it."""

from dashboards.boards.board import Board
from dashboards.boards.places import AT_OPERATIONS, AT_REGION
from dashboards.panels import Step, bars, lines, section, stat, table, thresholds
from dashboards.text import BLUE, ORANGE, VERMILION, Text

__all__ = ["OPERATIONS"]

_AGE = (Step(at=None, color=BLUE), Step(at=60, color=ORANGE), Step(at=300, color=VERMILION))

OPERATIONS = Board(
    name=AT_OPERATIONS.name,
    title=AT_OPERATIONS.title,
    description=Text(
        "积压、速率、拒收、事务时间、数据库大小和报警消息;这里的报警规则只看系统自身。",
        "Lag, rates, refusals, time of transactions, size of the database, messages of alerts; the alert rules here "
        "watch the pipeline alone.",
    ),
    links=(AT_REGION,),
    since="now-6h",
    refresh="30s",
    panels=(
        stat(
            Text("当前", "Now"),
            Text(
                "未入库记录数、最早一条未入库读数的时长、距工作进程最近上报的时间。",
                "Records not stored, age of the oldest reading not stored, and time since a worker's last sample.",
            ),
            "ops_now",
            width=10,
            columns={"fence_age": {"thresholds": thresholds(_AGE)}, "sample_age": {"thresholds": thresholds(_AGE)}},
        ),
        stat(
            Text("库内等待", "Waiting in the database"),
            Text(
                "待更新的小时汇总、未转发的拒收读数、待发和失败的消息。",
                "Stale hours, refused readings not yet relayed, messages that wait or failed.",
            ),
            "ops_backlog",
            width=14,
        ),
        lines(
            Text("积压", "Lag"),
            Text("各分区未入库的记录数;没有上报时断开。", "Records of each partition not yet stored."),
            "ops_lag",
            low=0,
            interval="30s",
        ),
        lines(
            Text("最早未入库读数", "Oldest reading not stored"),
            Text("各分区。", "By partition."),
            "ops_fence_age",
            unit="s",
            low=0,
            interval="30s",
        ),
        lines(
            Text("速率", "Rates"),
            Text(
                "每秒入库和拒收的读数;没有上报时断开。",
                "Readings stored and refused a second; the line stops without samples.",
            ),
            "ops_rate",
            unit="rps",
            low=0,
            interval="1m",
        ),
        lines(
            Text("事务时间", "Time of a transaction"),
            Text(
                "平均一次事务的时间,以及等待数据库的时间占比。",
                "Mean time of a transaction, and share of time spent waiting for the database.",
            ),
            "ops_transaction",
            unit="s",
            low=0,
            interval="1m",
            columns={"database_wait": {"unit": "percentunit", "max": 1}},
        ),
        bars(
            Text("拒收的读数", "Readings refused"),
            Text("按小时和原因。", "By hour and reason."),
            "ops_rejected",
            interval="1h",
        ),
        table(
            Text("谁的读数被拒收", "Whose readings are refused"),
            Text("所选时段内,按单位和原因。", "By unit and reason, over the range."),
            "ops_rejected_units",
            width=12,
        ),
        table(
            Text("分区", "Partitions"),
            Text("每个分区的位置、所属进程和快照。", "Where each partition stands, whose it is, and its snapshot."),
            "ops_partitions",
            width=14,
        ),
        table(
            Text("报警消息", "Messages of alerts"),
            Text("按渠道和状态,及最近的错误。", "By channel and state, with the last error."),
            "ops_outbox",
            width=10,
        ),
        section(
            Text("数据库与判定", "Database and verdicts"), Text("大小与现场核查", "Size, and what was found on site")
        ),
        lines(
            Text("数据库大小", "Size of the database"),
            Text("整个数据库。", "The whole database."),
            "ops_database_size",
            unit="bytes",
            low=0,
            interval="5m",
        ),
        table(
            Text("最大的表", "Largest tables"),
            Text("含按时间切分的各块。", "With the chunks of those that are split by time."),
            "ops_tables",
            width=12,
        ),
        table(
            Text("检出的准确率", "How right the detectors are"),
            Text(
                "按现场判定:器具或数据通道有故障算命中。",
                "By what was found on site: a fault of the meter or its data path is a hit.",
            ),
            "ops_detectors",
            height=7,
        ),
    ),
)
