"""`meterwarden plan`."""

import json
from dataclasses import asdict

import click

from analytics.domain.words import Phrase
from deploy.commands.common.language import LANGUAGE
from deploy.commands.common.parameters import Duration
from deploy.operations.sizing import BUSY, Need, Site, needs
from deploy.terminal import say

__all__ = ["command"]

_MANY = click.IntRange(1, 100_000_000)


@click.command()
@click.option("--units", required=True, type=_MANY, help="Energy-using units.")
@click.option("--meters", required=True, type=_MANY, help="Of each unit.")
@click.option("--interval", required=True, type=Duration(), help="Between readings of a register, such as 60s or 15m.")
@click.option("--registers", default=1, show_default=True, type=_MANY, help="Of each meter.")
@click.option(
    "--series", type=_MANY, help="Totals of each unit: sub-units, equipment, carriers; as many as meters without it."
)
@click.option("--single", is_flag=True, help="Each reading comes as a JSON message of its own, not in blocks.")
@click.option(
    "--copies", default=1, show_default=True, type=click.IntRange(1, 9), help="Of Kafka's log, a broker each."
)
@click.option("--days", default=365, show_default=True, type=_MANY, help="For how long readings and results are kept.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, in bytes and cores.")
@LANGUAGE
def command(
    *,
    units: int,
    meters: int,
    interval: float,
    registers: int,
    series: int | None,
    single: bool,
    copies: int,
    days: int,
    as_json: bool,
    language: str,
) -> None:
    """Show what a site of some size needs, from measured costs: partitions, workers, memory, disk, network."""
    site = Site(
        units=units,
        meters=meters,
        interval_s=interval,
        registers=registers,
        series=series,
        single=single,
        copies=copies,
    )
    need = needs(site, days=days)
    if as_json:
        say(json.dumps(asdict(need) | {"database_bytes": need.database_bytes}, indent=2))
        return
    for what, found in _lines(need, days):
        say(f"{what.of(language)}{'：' if language == 'zh' else ': '}{found.of(language)}")


def _lines(need: Need, days: int) -> list[tuple[Phrase, Phrase]]:
    def both(text: str) -> Phrase:
        return Phrase(zh=text, en=text)

    def cores(used: float) -> Phrase:
        text = f"{used:,.2f} ({used / BUSY:,.1f} %s)"
        return Phrase(zh=text % "配置", en=text % "to have")

    return [
        (Phrase(zh="每秒读数", en="readings a second"), both(f"{need.readings_per_s:,.0f}")),
        (Phrase(zh="分区", en="partitions"), both(f"{need.partitions}")),
        (Phrase(zh="工作进程", en="workers"), both(f"{need.workers}")),
        (Phrase(zh="每个工作进程的内存", en="memory of each worker"), both(_size(need.worker_bytes))),
        (Phrase(zh="工作进程的处理器核", en="cores of the workers"), cores(need.worker_cores)),
        (Phrase(zh="数据库的处理器核", en="cores of the database"), cores(need.database_cores)),
        (Phrase(zh="Kafka 的处理器核", en="cores of Kafka"), cores(need.broker_cores)),
        (Phrase(zh="Kafka 的磁盘（七天）", en="disk of Kafka, seven days"), both(_size(need.kafka_bytes))),
        (Phrase(zh="到 Kafka 的网络", en="network to Kafka"), both(f"{_size(need.sent_bytes_per_s)}/s")),
        (
            Phrase(zh=f"{days} 天后数据库的磁盘", en=f"disk of the database, {days} days"),
            both(_size(need.database_bytes)),
        ),
        (Phrase(zh="其中压缩前的读数", en="of it readings not yet packed"), both(_size(need.narrow_bytes))),
        (Phrase(zh="其中压缩的读数", en="of it packed readings"), both(_size(need.packed_bytes))),
        (Phrase(zh="其中小时、日与合计", en="of it hours, days and totals"), both(_size(need.results_bytes))),
    ]


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"
