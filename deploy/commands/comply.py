"""`meterwarden comply`: how a unit stands against the standard, clause by clause."""

import json
from datetime import datetime
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from analytics.domain.finding import Finding, Phrase, Verdict
from analytics.standards.words import carrier_name, level_name
from deploy.compliance import as_json, judged, review_of, today
from deploy.settings import load as settings
from deploy.stack import Stack
from streams.compliance import Judgement

__all__ = ["command"]

_STATES: Final = {
    "compliant": Phrase("compliant", "符合"),
    "findings": Phrase("findings", "有不符合项"),
    "serious": Phrase("serious findings", "有严重不符合项"),
    "unknown": Phrase("unknown: a person has to tell", "待人工核查"),
}
_VERDICTS: Final = {
    Verdict.PASS: Phrase("pass", "符合"),
    Verdict.FAIL: Phrase("fail", "不符合"),
    Verdict.PERSON: Phrase("person", "需人工"),
    Verdict.NOT_APPLICABLE: Phrase("n/a", "不适用"),
}


@click.command()
@click.option("--unit", "code", required=True, help="Code of the energy-using unit.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Local day; today without it.")
@click.option("--json", "machine", is_flag=True, help="For programs.")
@click.option("--language", type=click.Choice(["zh", "en"]), default="zh", show_default=True, help="Of the text.")
@click.option("--all", "everything", is_flag=True, help="Also what passes.")
def command(*, code: str, as_of: datetime | None, machine: bool, language: str, everything: bool) -> None:
    """Tell how a unit stands against the standard on a day, and what to do next; nothing is written."""
    chosen = settings()
    day = today(chosen.zone) if as_of is None else as_of.date()
    if day > today(chosen.zone):
        raise click.BadParameter(f"must not lie in the future (got {day})", param_hint="--as-of")
    judgement = judged(Stack(chosen).dsn, [code], day, chosen.zone)
    if machine:
        click.echo(json.dumps(as_json(judgement, 0), ensure_ascii=False, indent=2))
    else:
        _tell(Console(soft_wrap=False), judgement, chinese=language == "zh", everything=everything)


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
        f"{words(_STATES[standing.state])}，等级 {grade}:不符合 {standing.failed} 项(严重 {standing.serious})，"
        f"需人工 {standing.person} 项；应配 {standing.points_needed}，实配可用 {standing.points_present}；"
        f"检定有效 {verified.valid}/{verified.meters}，超期 {verified.overdue}，不明 {verified.unknown}；"
        f"{judgement.standards.review.number}:{words(sheet.verdict)}"
        if chinese
        else f"{words(_STATES[standing.state])}, grade {grade}: {standing.failed} findings fail "
        f"({standing.serious} serious), {standing.person} need a person; {standing.points_present} of "
        f"{standing.points_needed} points have a usable meter; verification valid {verified.valid} of "
        f"{verified.meters}, overdue {verified.overdue}, unknown {verified.unknown}; "
        f"{judgement.standards.review.number}: {words(sheet.verdict)}",
        highlight=False,
    )
    console.print(_rates(judgement, chinese=chinese))
    shown = [one for one in judgement.assessment.findings if everything or one.verdict is not Verdict.PASS]
    console.print(_findings(shown, chinese=chinese))


def _rates(judgement: Judgement, *, chinese: bool) -> Table:
    heads = ("计量级别", "能源", "应配", "实配可用", "配备率 %", "要求 %", "判定")
    table = Table(*(heads if chinese else ("level", "energy", "Nl", "Ns", "rate %", "required %", "verdict")))
    for rate in judgement.assessment.rates:
        level, carrier, verdict = level_name(rate.level), carrier_name(rate.carrier), _VERDICTS[rate.verdict]
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


def _findings(findings: list[Finding], *, chinese: bool) -> Table:
    heads = ("条款", "判定", "计量点", "器具", "要求", "现状", "下一步")
    english = ("clause", "verdict", "point", "meter", "required", "found", "next step")
    table = Table(*(heads if chinese else english), show_lines=True)
    for one in findings:
        verdict = _VERDICTS[one.verdict]
        phrases = (one.required, one.found, one.next_step)
        table.add_row(
            one.clause,
            (verdict.zh if chinese else verdict.en) + ("!" if one.severity.value == "serious" else ""),
            one.point,
            one.meter_no,
            *(phrase.zh if chinese else phrase.en for phrase in phrases),
        )
    return table
