"""Options of the commands that read files of readings, and the questions that a file leaves open."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from deploy.commands.common.parameters import PROFILE, pairs
from deploy.terminal import say
from ingest.readings import MeterDirectory, OpenedReadings, ReadingOptions, UnreadableFile, Unsettled, open_readings
from ingest.readings.options import DATE_ORDERS, DECIMALS
from ingest.readings.recognition import Question

__all__ = ["Questions", "is_terminal", "options_of", "reading_options", "understood_lines"]


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that state what a file of readings leaves open."""
    for option in reversed(
        [
            *PROFILE,
            click.option("--encoding", help="Encoding of a text file, such as gb18030; found out without it."),
            click.option("--delimiter", help="What separates the columns; found out without it."),
            click.option("--sheet", help="Sheet of a workbook; all visible ones that hold readings without it."),
            click.option("--dates", type=click.Choice(DATE_ORDERS), help="What 02/01/2024 begins with."),
            click.option("--decimal", type=click.Choice(DECIMALS), help="What the decimal mark is: 1,234 or 1.234."),
            click.option(
                "--reading-day",
                metavar="DAY",
                help="When dials of a month without a day were read: end (24:00 of its last day), or 1 to 28 (0:00), "
                "with another time of day as in '25 08:00'.",
            ),
            click.option("--reading-year", metavar="YEAR", help="Year of months that state none."),
            click.option("--unit-code", metavar="CODE", help="Unit of readings that name none."),
            click.option("--meter-no", metavar="NUMBER", help="Meter of readings that name none."),
            click.option("--measured-in", metavar="UNIT", help="Unit of measurement of readings that state none."),
            click.option(
                "--column",
                "columns",
                multiple=True,
                callback=pairs,
                metavar="HEADER=NAME",
                help="What a header means: unit_code, meter_no, measured_at, value, unit, register … or ignore.",
            ),
        ]
    ):
        command = option(command)
    return command


_TEXTS = ("encoding", "sheet", "dates", "decimal", "reading_day", "reading_year", "unit_code", "meter_no")


def options_of(given: dict[str, Any]) -> ReadingOptions:
    """Options of the command line, completed by those of the profile; removes them from `given`."""
    profile, given["save_profile"] = given.pop("profile"), given.pop("save_profile")
    said = ReadingOptions(
        **{name: given.pop(name) for name in _TEXTS},
        delimiter=_mark(given.pop("delimiter")),
        unit=given.pop("measured_in"),
        columns=given.pop("columns"),
    )
    return said if profile is None else said.over(ReadingOptions.from_toml(profile))


def _mark(text: str | None) -> str | None:
    if text is None:
        return None
    mark = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|"}.get(text, text)
    if len(mark) != 1:
        raise click.BadParameter(f"must be one character, or tab (got {text!r})", param_hint="--delimiter")
    return mark


def is_terminal() -> bool:
    """Whether somebody sits there who can answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


class Questions:
    """Opens files, and asks on a terminal what they leave open.

    Attributes
    ----------
    asked : int
        Questions asked so far.
    options : ReadingOptions
        What is settled; answers hold for the files that follow.
    """

    def __init__(self, options: ReadingOptions, language: str = "en") -> None:
        self.options = options
        self.asked = 0
        self._language = language

    def opened(self, path: Path, directory: MeterDirectory | None, latest_us: int) -> OpenedReadings:
        """A file understood; raises `Unsettled` where nobody is there to ask."""
        while True:
            try:
                return open_readings(path, directory=directory, options=self.options, latest_us=latest_us)
            except Unsettled as error:
                if not is_terminal():
                    raise
                for question in error.questions:
                    given: dict[str, Any] = {question.field: self._answer(question)}
                    self.options = replace(self.options, **given)
            except UnreadableFile as error:
                if self._language == "zh" and error.zh:
                    raise UnreadableFile(error.zh) from error
                raise

    def _answer(self, question: Question) -> str:
        self.asked += 1
        zh = self._language == "zh"
        say(question.text.zh if zh else question.text.en, err=True)
        for choice, words in question.choices.items():
            say(f"  {choice}: {words.zh if zh else words.en}", err=True)
        kind = click.Choice(list(question.choices)) if question.choices else click.STRING
        answer: str = click.prompt(question.option, type=kind, err=True)
        return answer

    def save(self, path: Path | None) -> None:
        """Keep what is settled."""
        if path is not None:
            path.write_text(self.options.to_toml(), encoding="utf-8")
            say(f"{path}: profile kept; --profile {path} reads the next file of this source alike", err=True)


def understood_lines(opened: OpenedReadings, language: str) -> list[str]:
    """Lines on how a file was interpreted."""
    zh = language == "zh"
    lines = [f"{table.name}: {note.zh if zh else note.en}" for table in opened.tables for note in table.notes]
    return lines + [f"{'未读取：' if zh else 'passed over: '}{reason}" for reason in opened.passed_over]
