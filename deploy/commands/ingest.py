"""`meterwarden ingest`."""

import getpass
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import click
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from analytics.domain.errors import MeterwardenError
from analytics.domain.words import REJECT_REASONS
from deploy.commands.common.language import LANGUAGE
from deploy.commands.common.parameters import ZoneName
from deploy.commands.common.reading_options import Questions, options_of, reading_options, understood_lines
from deploy.ledger_loading import ledger_in_force
from deploy.settings import load
from deploy.stack import Stack, StackError
from deploy.terminal import console as terminal_console
from deploy.terminal import printable, say
from ingest.kafka.collector import Collected, Collector
from ingest.kafka.publisher import Publisher, create_topics
from ingest.ledgers import read_ledger
from ingest.readings import MeterDirectory, RowFault, UnreadableFile
from ingest.readings.check import ReadingCheck, check_readings
from ingest.readings.requirements import in_chinese
from streams.store.postgres.connections import connected_blocking

__all__ = ["command"]

UNSENT = 1
"""Exit code when a row could not be sent."""
REFUSED = 3
"""Exit code when all rows are refused, or most for one reason and nothing was sent."""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--format",
    "wire_format",
    type=click.Choice(["block", "json"]),
    default="block",
    show_default=True,
    help="Messages of some thousands of readings, or one JSON message a reading.",
)
@click.option(
    "--check", "only_check", is_flag=True, help="Show what was understood and would be refused; send nothing."
)
@click.option("--json", "as_json", is_flag=True, help="With --check: one JSON object a file.")
@click.option("--anyway", is_flag=True, help="Send even where most rows would be refused for one reason.")
@click.option("--again", is_flag=True, help="Send a file that was sent before.")
@click.option("--ledger", type=_FILE, help="Ledger to hold the file against instead of the one in force.")
@click.option("--zone", type=ZoneName(), help="Zone of times without an offset; else that of the settings.")
@LANGUAGE
@reading_options
@click.pass_context
def command(
    context: click.Context,
    /,
    files: tuple[Path, ...],
    wire_format: str,
    zone: ZoneInfo | None,
    language: str,
    ledger: Path | None,
    *,
    only_check: bool,
    as_json: bool,
    anyway: bool,
    again: bool,
    **given: Any,
) -> None:
    """Send files of readings to Kafka: CSV in any encoding, .xlsx, .zip, .gz, parquet, JSON lines.

    What a file leaves out is taken from the ledger in force; bad rows go too, to be rejected by the worker. A file of
    which most rows would be refused for one reason is not sent.
    """
    stack = Stack(load())
    zone = zone or load().zone
    received_at = time.time_ns() // 1000
    options = options_of(given)
    directory = _directory(stack, ledger, zone, language)
    questions = Questions(options, language)
    opened = {path: questions.opened(path, directory, received_at) for path in files}
    checks = [
        check_readings(one, path.name, zone=zone, received_at=received_at, directory=directory)
        for path, one in opened.items()
    ]
    questions.save(given["save_profile"])
    if only_check:
        _show(checks, language, as_json=as_json)
        context.exit(
            REFUSED if any(check.tally.total and check.tally.refused == check.tally.total for check in checks) else 0
        )
    _stop_at_the_worst(context, checks, language, anyway=anyway)
    sent = SentFiles(stack)
    fresh = [path for path in files if again or not sent.told(path, language)]
    if not fresh:
        return
    create_topics(stack.kafka_config)
    config = replace(stack.sending, zone=zone)
    with Publisher(config) as publisher, _Bars() as bars:
        collector = Collector(config, publisher, as_json=wire_format == "json")
        collected = collector.collect(fresh, bars.update, opened=lambda path: opened[path])
    for check in checks:
        for line in (*understood_lines(check.opened, language), *check.tally.lines(language)):
            say(line, err=True)
    _tell(collected, language)
    if not collected.unsendable:
        for path, check in zip(files, checks, strict=True):
            if path in fresh:
                sent.note(path, check.tally.total, check.tally.refused)
    refused = sum(check.tally.refused for check in checks)
    total = sum(check.tally.total for check in checks)
    context.exit(UNSENT if collected.unsendable else REFUSED if total and refused == total else 0)


def _directory(stack: Stack, ledger: Path | None, zone: ZoneInfo, language: str) -> MeterDirectory | None:
    """Meters of the ledger that the workers hold readings against; None where it cannot be read."""
    if ledger is not None:
        report = read_ledger(ledger, zone=zone)
        if report.faults:
            raise UnreadableFile(f"{ledger}: must be a sound ledger; see `meterwarden ledger check {ledger}`")
        return MeterDirectory.of(report.ledger)
    try:
        return MeterDirectory.of(ledger_in_force(stack.dsn))
    except MeterwardenError as error:
        why = "数据库尚未建立，或本用户无权读取其密码" if isinstance(error, StackError) else f"程序报告：{error}"
        say(
            f"无法读取现行台账，文件本身须含全部内容（{why}）"
            if language == "zh"
            else f"the ledger in force cannot be read, so the file itself must hold everything ({error})",
            err=True,
        )
        return None


def _show(checks: Sequence[ReadingCheck], language: str, *, as_json: bool) -> None:
    for check in checks:
        if as_json:
            say(json.dumps(check.to_object(language), ensure_ascii=False))
        else:
            say("\n".join(check.lines(language)))


def _stop_at_the_worst(context: click.Context, checks: Sequence[ReadingCheck], language: str, *, anyway: bool) -> None:
    """Nothing is sent where most rows of a file would be refused for one reason."""
    for check in checks:
        worst = check.tally.worst
        if worst is None or anyway:
            continue
        say(worst.line(language), err=True)
        say(
            f"{check.name}：共 {check.tally.total} 条，其中 {worst.count} 条将因同一原因被拒收，"
            f"未发送（--anyway 仍然发送）"
            if language == "zh"
            else f"{check.name}: {worst.count} of {check.tally.total} readings would be refused for one reason; "
            f"nothing is sent (--anyway sends it all the same)",
            err=True,
        )
        context.exit(REFUSED)


class SentFiles:
    """Which files were sent whole, by their content; knows nothing where the database does not answer."""

    def __init__(self, stack: Stack) -> None:
        try:
            self._dsn = stack.dsn
        except MeterwardenError:
            self._dsn = ""
        self._sums: dict[Path, bytes] = {}

    def _sum(self, path: Path) -> bytes:
        if path not in self._sums:
            with path.open("rb") as file:
                self._sums[path] = hashlib.file_digest(file, "sha256").digest()
        return self._sums[path]

    def told(self, path: Path, language: str) -> bool:
        """Whether a file was sent before; says so in one line."""
        if not self._dsn:
            return False
        query = "select sent_at, sent_by, readings from reading_file where sha256 = %s order by id desc limit 1"
        try:
            with connected_blocking(self._dsn, "ingest", timeout_s=5) as connection:
                row = connection.execute(query, (self._sum(path),)).fetchone()
        except MeterwardenError:
            return False
        if row is None:
            return False
        when = f"{row[0].astimezone(load().zone):%Y-%m-%d %H:%M}"
        say(
            f"{path.name}：此文件已于 {when} 由 {row[1]} 发送过（{row[2]} 条），本次未发送；--again 再次发送"
            if language == "zh"
            else f"{path.name}: sent before, at {when} by {row[1]} ({row[2]} readings); "
            f"nothing is sent (--again sends it)"
        )
        return True

    def note(self, path: Path, readings: int, bad: int) -> None:
        """Remember a file."""
        if not self._dsn:
            return
        insert = "insert into reading_file (sha256, name, readings, bad, sent_by) values (%s, %s, %s, %s, %s)"
        try:
            with connected_blocking(self._dsn, "ingest", timeout_s=5) as connection:
                connection.execute(insert, (self._sum(path), path.name, readings, bad, getpass.getuser()))
        except MeterwardenError as error:
            say(f"that {path.name} was sent could not be noted ({error})", err=True)


class _Bars:
    """A bar for each file, on the terminal's error stream; quiet where that is no terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[readings]:,} readings, {task.fields[rate]:,.0f}/s"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=terminal_console(stderr=True),
        )
        self._tasks: dict[Path, TaskID] = {}
        self._start = time.monotonic()

    def __enter__(self) -> Self:
        if self._progress.console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, path: Path, share: float, readings: int) -> None:
        """Show how much of a file is read and how many readings were handed over in all."""
        if path not in self._tasks:
            self._tasks[path] = self._progress.add_task(printable(path.name), total=1.0, readings=0, rate=0.0)
        rate = readings / max(time.monotonic() - self._start, 1e-3)
        self._progress.update(self._tasks[path], completed=share, readings=readings, rate=rate)


def _tell(collected: Collected, language: str) -> None:
    zh = language == "zh"
    if collected.faults:
        first = collected.bad > len(collected.faults)
        more = ("（仅列前几行）" if zh else " (the first of them)") if first else ""
        text = (
            "不是示值的行，已按原样发送，将被拒收"
            if zh
            else "rows that are no readings, sent as they are to be rejected"
        )
        say(f"{text}{more}{'：' if zh else ':'}", err=True)
        _tell_rows(collected.faults, language)
    if collected.unsendable:
        say("过大而无法发送的行：" if zh else "rows too large to be sent:", err=True)
        _tell_rows(collected.unsendable, language)
    rate = collected.readings / max(collected.seconds, 1e-3)
    unsent = len(collected.unsendable)
    say(
        f"ingest：已发送 {collected.readings} 条，其中 {collected.bad} 条不是示值，未能发送 {unsent} 行；"
        f"{collected.messages} 个消息，{collected.bytes} 字节，{collected.seconds:.1f} 秒，每秒 {rate:.0f} 条"
        if zh
        else f"ingest: sent={collected.readings} bad={collected.bad} unsent={unsent} "
        f"messages={collected.messages} bytes={collected.bytes} seconds={collected.seconds:.1f} rate={rate:.0f}/s"
    )


def _tell_rows(rows: Sequence[tuple[Path, RowFault]], language: str) -> None:
    for path, fault in rows:
        code, where = fault.reason.name.lower(), f"  {path.name}"
        say(
            f"{where} 第 {fault.row} 行：{REJECT_REASONS[code].zh}"
            f"（要求{in_chinese(fault.required)}；实际 {fault.got}）"
            if language == "zh"
            else f"{where} row {fault.row}: {code}: must be {fault.required} (got {fault.got})",
            err=True,
        )
