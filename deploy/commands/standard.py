"""`meterwarden standard`: editions, rules, factors, water metering and facts from files."""

from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from analytics.domain.words import Phrase, phrases
from analytics.standards.factors import EPOCH_ORDINAL
from deploy.commands.common.language import LANGUAGE
from deploy.commands.common.tables import AS_JSON, listed
from deploy.settings import load as settings
from deploy.stack import Stack
from deploy.terminal import say
from ingest.standard_files import read_standard, shipped_standards, standards_from

__all__ = ["command"]

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
_WORDS: Final = phrases(
    edition=("标准版本", "an edition of the standard"),
    rules=("监管规则", "rules of supervision"),
    factors=("折标准煤系数", "factors to coal equivalent"),
    water=("用水计量标准", "a standard of water metering"),
    facts=("用能单位事实", "facts about units"),
)
_FACTORS_TAKEN: Final = Phrase(
    en="totals of the past, boards and reports go by these factors now",
    zh="过去的合计、看板与报告现均按这些系数计算",
)
_FORMS: Final = {"factors": "factors_form.toml", "facts": "facts_form.toml"}


@click.group()
def command() -> None:
    """Check, load and list what units are judged by: editions, rules, factors, water metering, facts."""


@command.command()
@_FILE
def check(file: Path) -> None:
    """Report everything that is wrong with a file, without loading it."""
    document, _ = read_standard(file)
    standards_from([document])
    say(f"{file}: sound: {_WORDS[document.kind].en}, {document.name}")


@command.command()
@_FILE
@LANGUAGE
def load(file: Path, language: str) -> None:
    """Put a file in force, or nothing of it where anything is wrong."""
    document, text = read_standard(file)
    standards_from([document])
    from deploy.compliance import load as into_database  # noqa: PLC0415 - a check needs no database driver
    from deploy.compliance import unused  # noqa: PLC0415 - as above

    dsn = Stack(settings()).dsn
    number = into_database(dsn, document, text, file.name)
    kind = _WORDS[document.kind]
    loaded = Phrase(
        en=f"{file}: loaded as number {number}: {kind.en}, {document.name}",
        zh=f"{file}：已载入，编号 {number}：{kind.zh}，{document.name}",
    )
    already = Phrase(en=f"{file}: is in force already", zh=f"{file}：内容相同，已在执行")
    say((loaded if number else already).of(language))
    if document.kind == "factors":
        if number:
            say(_FACTORS_TAKEN.of(language))
        for phrase in unused(dsn, document):
            say(Phrase(en=f"warning: {phrase.en}", zh=f"警告：{phrase.zh}").of(language), err=True)


@command.command()
@click.argument("kind", type=click.Choice(list(_FORMS)))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def template(kind: str, file: Path) -> None:
    """Write a form to fill in: of factors to coal equivalent, or of facts about units."""
    if file.exists():
        raise click.ClickException(f"{file} must not exist yet: a form does not replace what was filled in")
    file.write_text(files("analytics.standards").joinpath(_FORMS[kind]).read_text(encoding="utf-8"), encoding="utf-8")
    say(f"{file}: fill it in, then `meterwarden standard check {file}` and `meterwarden standard load {file}`")


@command.command(name="list")
@AS_JSON
def list_all(*, as_json: bool) -> None:
    """List what ships and what was loaded, and the editions by their days."""
    from deploy.compliance import documents  # noqa: PLC0415 - as above

    stored = documents(Stack(settings()).dsn)
    standards = standards_from([one.document for one in stored])
    if as_json:
        rows = [
            {
                "number": one.number, "kind": one.document.kind, "name": one.document.name, "source": one.source,
                "loaded_at": one.loaded_at,
            }
            for one in stored
        ]  # fmt: skip
        say(listed(rows, as_json=True))
        return
    say(f"shipped: {shipped_standards().rules['rules']['name']} rules, GB/T 2589-2020 factors")  # type: ignore[index]  # the shipped file has them
    for one in stored:
        say(f"{one.number}: {_WORDS[one.document.kind].en}, {one.document.name}, {one.source}, {one.loaded_at}")
    say(f"water metering: {standards.water.number} (confidence: {standards.water.confidence})")
    for edition in standards.book.editions:
        since = date.fromordinal(edition.in_force_day + EPOCH_ORDINAL)
        until = ""
        if edition.superseded_day is not None:
            until = f", superseded on {date.fromordinal(edition.superseded_day + EPOCH_ORDINAL)}"
            until += f" by {edition.superseded_by}"
        sector = f" for {edition.sector}" if edition.sector else ""
        say(f"edition {edition.number}{sector}: in force from {since}{until}")
