"""`meterwarden status`."""

import dataclasses
import json
import re
from importlib.metadata import version
from typing import Any, Final

import click

from analytics.domain.errors import MeterwardenError
from analytics.domain.words import GATEWAY_STAGES, INCIDENTS, STANDINGS, Language, name_of
from deploy.commands.common.language import LANGUAGE
from deploy.commands.common.tables import table
from deploy.settings import Settings, load
from deploy.stack import PartStatus, Stack
from deploy.stack.places import DiskUse, disk_use
from deploy.terminal import say

__all__ = ["command"]

_SHOWN: Final = 12
"""Sound partitions beyond so many are counted, not listed."""
_WORDS: Final[dict[str, str]] = {
    "part": "部件", "health": "状态", "pids": "进程号", "ports": "端口", "version": "版本", "detail": "说明",
    "healthy": "正常", "DOWN": "未运行", "NOT HEALTHY": "异常", "external": "外部", "partition": "分区",
    "state": "情况", "lag": "未入库", "stored to": "已入库至", "worker": "工作进程", "still": "停留",
    "found": "发现时间", "what": "事件", "does not run": "未运行", "does not answer": "无应答",
    "do not answer": "无应答", "all parts run": "所有部件均在运行",
    "not asked for": "未启用", "gateway": "网关", "how": "情况", "delivered": "最近送达", "waiting": "待送读数",
    "oldest": "最早待送", "spool": "本地存储已用", "says": "网关自述",
}  # fmt: skip
"""What the tables say, in Chinese."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@LANGUAGE
@click.option(
    "--patience-s",
    type=click.FloatRange(min=0.0),
    default=10.0,
    show_default=True,
    help="How long a partition that seems to stand still is watched before it is reported. [s]",
)
@click.pass_context
def command(context: click.Context, *, as_json: bool, language: Language, patience_s: float) -> None:
    """Show the state of each part and each partition.

    The exit code is 0 when every part is healthy and every partition of the readings' topic moves or has nothing to
    do; else 1.
    """
    settings = load()
    stack = Stack(settings)
    report = _Report(settings, stack.status(), disk_use(settings.home))
    report.look(stack, patience_s)
    if as_json:
        say(json.dumps(report.as_json(), indent=2, ensure_ascii=False, default=str))
    else:
        for lines in report.lines(language):
            say(lines)
    context.exit(0 if report.healthy else 1)


class _Report:
    """All that is reported."""

    def __init__(self, settings: Settings, parts: list[PartStatus], disk: DiskUse) -> None:
        self._home = str(settings.home)
        self._parts = parts
        self._disk = disk
        self._partitions: list[Any] = []
        self._incidents: list[Any] = []
        self._gateways: list[dict[str, Any]] = []
        self._unknown = ""

    def look(self, stack: Stack, patience_s: float) -> None:
        """Look at the partitions, where both servers answer."""
        if not all(part.healthy for part in self._parts if part.name in {"kafka", "postgresql"}):
            self._unknown = "Kafka and the database must both answer"
            return
        from deploy.operations.standing import gateways, incidents, standings  # noqa: PLC0415 - a second, and only where asked
        from ingest.wire import READINGS_TOPIC  # noqa: PLC0415 - as above
        from streams.config import GROUP  # noqa: PLC0415 - as above

        try:
            self._partitions = standings(
                stack.access, stack.dsn, group=GROUP, topic=READINGS_TOPIC, patience_s=patience_s
            )
            found = incidents(stack.dsn, group=GROUP, topic=READINGS_TOPIC) if self._partitions else []
            self._gateways = gateways(stack.dsn, zone=stack.settings.zone) if self._partitions else []
            self._incidents = [
                dataclasses.replace(one, found_at=one.found_at.astimezone(stack.settings.zone)) for one in found
            ]
        except MeterwardenError as error:
            self._unknown = str(error)

    @property
    def healthy(self) -> bool:
        """Whether everything is as it should be, as far as anybody can tell."""
        known = not self._unknown and all(one.healthy for one in self._partitions)
        return known and all(part.healthy for part in self._parts)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "healthy": self.healthy,
            "version": version("meterwarden"),
            "home": self._home,
            "parts": [dataclasses.asdict(part) for part in self._parts],
            "partitions": [
                dataclasses.asdict(one) | {"lag": one.lag, "healthy": one.healthy} for one in self._partitions
            ],
            "partitions_unknown": self._unknown,
            "gateways": self._gateways,
            "incidents": [dataclasses.asdict(one) for one in self._incidents],
            "disk": dataclasses.asdict(self._disk),
        }

    def lines(self, language: Language) -> list[str]:
        """For people."""
        lines = [table([_translated(row, language) for row in map(_part, self._parts)]), self._of_partitions(language)]
        if self._incidents:
            lines.append(table([_translated(_incident(one, language), language) for one in self._incidents]))
        if self._gateways:
            lines.append(table([_gateway(one, language) for one in self._gateways]))
        return [*lines, self._of_disk(language)]

    def _of_partitions(self, language: Language) -> str:
        chinese = language == "zh"
        if self._unknown:
            return f"分区情况未知：{self._unknown}" if chinese else f"partitions: unknown, for {self._unknown}"
        if not self._partitions:
            return "分区：尚无读数主题" if chinese else "partitions: the topic of readings was not made yet"
        worst = sorted(self._partitions, key=lambda one: (one.healthy, -one.lag, one.partition))
        sound = [one for one in worst if one.healthy]
        shown = [one for one in worst if not one.healthy] + (sound if len(worst) <= _SHOWN else sound[:_SHOWN])
        rows = [
            _translated(_partition(one, language), language) for one in sorted(shown, key=lambda one: one.partition)
        ]
        more, lag = len(worst) - len(shown), sum(one.lag for one in worst)
        left = (f"，另有 {more} 个正常" if more else "") if chinese else f", {more} more are healthy" if more else ""
        sentence = (
            f"分区 {len(worst)} 个，未入库消息 {lag:,} 条{left}"
            if chinese
            else f"{len(worst)} partitions, {lag:,} records not stored yet{left}"
        )
        return f"{sentence}\n{table(rows)}"

    def _of_disk(self, language: Language) -> str:
        use = self._disk
        if language == "zh":
            return f"{self._home}：数据 {use.data_mb} MiB，日志 {use.logs_mb} MiB，剩余 {use.free_mb} MiB"
        return f"{self._home}: data {use.data_mb} MiB, logs {use.logs_mb} MiB, free {use.free_mb} MiB"


def _part(part: PartStatus) -> dict[str, Any]:
    return {
        "part": part.name,
        "health": "healthy" if part.healthy else "DOWN" if not part.pids and not part.external else "NOT HEALTHY",
        "pids": "external" if part.external else " ".join(map(str, part.pids)) or None,
        "ports": " ".join(map(str, part.ports)) or None,
        "version": part.version or None,
        "detail": part.detail,
    }


def _partition(one: Any, language: Language) -> dict[str, Any]:
    still = one.lag and one.still_s is not None
    return {
        "partition": one.partition,
        "state": name_of(STANDINGS, one.state).of(language),
        "lag": one.lag,
        "stored to": one.next_offset,
        "worker": one.worker or None,
        "still": f"{one.still_s:.0f} s" if still else None,
        "detail": one.detail if not one.healthy or one.state == "busy" else "",
    }


def _incident(one: Any, language: Language) -> dict[str, Any]:
    return {
        "found": one.found_at,
        "partition": one.partition,
        "what": name_of(INCIDENTS, one.kind).of(language),
        "detail": one.detail,
    }


def _gateway(one: dict[str, Any], language: Language) -> dict[str, Any]:
    """A gateway's row; what it says of itself stays in its words."""
    row = {
        "gateway": one["name"],
        "how": name_of(GATEWAY_STAGES, one["stage"] or "well").of(language),
        "delivered": one["delivered_at"],
        "waiting": one["waiting_readings"],
        "oldest": one["oldest_at"],
        "spool": f"{one['spool_used']:.0%}" if one["spool_used"] is not None else None,
        "says": one["fault"],
    }
    return {_WORDS[name]: value for name, value in row.items()} if language == "zh" else row


def _translated(row: dict[str, Any], language: Language) -> dict[str, Any]:
    """A row with the Chinese of our own words; what servers say stays."""
    if language != "zh":
        return row
    return {
        _WORDS[name]: _WORDS.get(value, _counted(value)) if isinstance(value, str) else value
        for name, value in row.items()
    }


def _counted(detail: str) -> str:
    match = re.fullmatch(r"(\d+) of (\d+) work", detail)
    return f"应有 {match[2]} 个，正常 {match[1]} 个" if match else detail
