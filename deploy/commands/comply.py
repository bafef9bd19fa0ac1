"""`meterwarden comply`: how a unit stands against the standard, clause by clause."""

import json
from datetime import datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from analytics.domain.finding import Finding, Verdict
from analytics.domain.severity import Severity
from analytics.domain.words import STATES, VERDICTS, Phrase
from analytics.standards.words import carrier_name, clause_name, level_name
from deploy.commands.common.language import LANGUAGE_OF_PAPERS
from deploy.compliance import as_json, judged, today
from deploy.settings import load as settings
from deploy.stack import Stack
from deploy.terminal import console as terminal_console
from deploy.terminal import say
from streams.compliance.judge import Judgement, review_of

__all__ = ["command"]

_WIDTH: Final = 150


@click.command()
@click.option("--unit", "code", required=True, help="Code of the energy-using unit.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Local day; today without it.")
@click.option("--json", "machine", is_flag=True, help="For programs.")
@LANGUAGE_OF_PAPERS
@click.option("--all", "everything", is_flag=True, help="Also what passes.")
def command(*, code: str, as_of: datetime | None, machine: bool, language: str, everything: bool) -> None:
    """Judge a unit by the standard on a day, and show what to do next; nothing is written."""
    chosen = settings()
    day = today(chosen.zone) if as_of is None else as_of.date()
    if day > today(chosen.zone):
        raise click.BadParameter(f"must not lie in the future (got {day})", param_hint="--as-of")
    judgement = judged(Stack(chosen).dsn, [code], day, chosen.zone)
    if machine:
        say(json.dumps(as_json(judgement, 0), ensure_ascii=False, indent=2))
    else:
        console = terminal_console()
        if not console.is_terminal:
            console = terminal_console(width=_WIDTH)  # a pipe has none of its own
        _tell(console, judgement, chinese=language == "zh", everything=everything)


def _tell(console: Console, judgement: Judgement, *, chinese: bool, everything: bool) -> None:
    def words(phrase: Phrase) -> str:
        return phrase.zh if chinese else phrase.en

    ledger, standing = judgement.stored.ledger, judgement.assessment.standings[0]
    verified, sheet = standing.verification, review_of(judgement, 0)
    edition = standing.edition_zh if chinese else standing.edition
    head = f"{ledger.unit_names[0]} ({ledger.unit_codes[0]}) · {judgement.moment.day} · {edition}"
    console.print(head, highlight=False)
    grade = standing.grade or "–"
    console.print(
        f"{words(STATES[standing.state])}，等级 {grade}：不符合 {standing.failed} 项（严重 {standing.serious}），"
        f"待人工核查 {standing.person} 项；应配 {standing.points_needed}，实配 {standing.points_present}；"
        f"检定有效 {verified.valid}/{verified.meters}，超期 {verified.overdue}，不明 {verified.unknown}；"
        f"{judgement.standards.review.number}：{words(sheet.verdict)}"
        if chinese
        else f"{words(STATES[standing.state])}, grade {grade}: {standing.failed} findings fail "
        f"({standing.serious} serious), {standing.person} need a person; {standing.points_present} of "
        f"{standing.points_needed} points have a meter; verification valid {verified.valid} of "
        f"{verified.meters}, overdue {verified.overdue}, unknown {verified.unknown}; "
        f"{judgement.standards.review.number}: {words(sheet.verdict)}",
        highlight=False,
    )
    console.print(_rates(judgement, chinese=chinese))
    for one in judgement.assessment.findings:
        if everything or one.verdict is not Verdict.PASS:
            _tell_finding(console, one, chinese=chinese)


def _rates(judgement: Judgement, *, chinese: bool) -> Table:
    heads = ("计量级别", "能源", "应配", "实配", "配备率 %", "要求 %", "判定")
    table = Table(*(heads if chinese else ("level", "energy", "Nl", "Ns", "rate %", "required %", "verdict")))
    for rate in judgement.assessment.rates:
        level, carrier, verdict = level_name(rate.level), carrier_name(rate.carrier), VERDICTS[rate.verdict]
        table.add_row(
            level.zh if chinese else level.en,
            carrier.zh if chinese else carrier.en,
            str(rate.needed),
            f"{rate.present}" + (f" (+{rate.unknown}?)" if rate.unknown else ""),
            "–" if rate.rate is None else f"{float(rate.rate):.4g}",
            "–" if rate.required is None else f"{float(rate.required):g}",
            verdict.zh if chinese else verdict.en,
        )
    return table


def _tell_finding(console: Console, one: Finding, *, chinese: bool) -> None:
    """A clause in two or three lines: what, required and found, what to do."""

    def words(phrase: Phrase) -> str:
        return phrase.zh if chinese else phrase.en

    style = {Verdict.FAIL: "red", Verdict.PERSON: "yellow", Verdict.PASS: "blue"}.get(one.verdict, "")
    urgent = " !" if one.severity is Severity.SERIOUS else ""
    about = " · ".join(part for part in (one.point, one.meter_no) if part)
    console.print(
        f"{words(clause_name(one.clause))}  {words(VERDICTS[one.verdict])}{urgent}  {about}".rstrip(),
        style=style,
        highlight=False,
    )
    console.print(f"    {words(one.required)} — {words(one.found)}", highlight=False, markup=False)
    if one.next_step.en:
        console.print(f"    → {words(one.next_step)}", highlight=False, markup=False)
