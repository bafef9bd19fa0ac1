"""The review sheet of JJF 1356: each item conforms, does not, does not apply, or needs a person; and the verdict rule.

Data answer an item only where they can. An item marked `part` can be found wrong by data but not right. What a person
has decided stands, except where data show that it does not conform.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from analytics.domain.finding import Finding, Verdict
from analytics.domain.words import Phrase
from analytics.standards.facts import Answer
from analytics.standards.facts.form import Instrument, Person
from analytics.standards.tables import TableRow, mapping, raise_faults, table_rows
from analytics.standards.words import listing

__all__ = ["ANSWERS", "OPEN", "Entered", "Item", "ItemResult", "ReviewResult", "ReviewSheet", "load_review", "review"]

ANSWERS: Final = (
    *("levels", "equipping", "sector", "ledger", "verification", "withdrawal", "collection", "self_check"),
    *("staff", "portable", "standards", "archive"),
)
_KINDS: Final = {"portable": "portable", "standards": "standard"}
"""Kind of instrument that an item is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of the sheet; `how` is our own advice on how to check it, no part of the standard."""

    number: int
    clause: str
    subject: Phrase
    how: Phrase
    answer: str
    part: bool
    may_not_apply: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSheet:
    """The items, ascending, and how many may fail for "basically meets"."""

    number: str
    items: tuple[Item, ...]
    basic_up_to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """Result of an item, and its author: ``data``, a person's name, or '' if open."""

    item: Item
    verdict: Verdict
    why: Phrase
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewResult:
    """The filled sheet.

    Attributes
    ----------
    verdict : Phrase
        The conclusion, or the ones that are still possible.
    failed, open : int
        Items that do not conform, and those that a person has yet to decide.
    """

    results: tuple[ItemResult, ...]
    failed: int
    open: int
    verdict: Phrase


def load_review(document: Mapping[str, object]) -> ReviewSheet:
    """Check a review sheet; raises `ConfigurationError` with every fault."""
    faults: list[str] = []
    head = TableRow("[review]", mapping(document.get("review", {}), "[review]", faults), faults)
    count = head.count("items")
    items = [item for row in table_rows(document, "group", faults) for item in _items(row)]
    numbers = [item.number for item in items]
    if numbers != list(range(1, count + 1)):
        faults.append(f"[[group]]: items must be 1 to {count}, each once, in order (got {numbers})")
    sheet = ReviewSheet(number=head.name("number"), items=tuple(items), basic_up_to=head.count("basic_up_to"))
    raise_faults(faults, f"the review sheet {sheet.number}")
    return sheet


def _items(row: TableRow) -> Iterator[Item]:
    span, free = row.values.get("items"), row.values.get("not_applicable", [])
    whole = isinstance(span, list) and len(span) == 2 and all(isinstance(one, int) for one in span)
    if not whole or not isinstance(free, list):
        row.fault(f"items must be the first and the last number, not_applicable a list (got {span!r}, {free!r})")
        return
    assert isinstance(span, list)
    answer = row.choice("answer", (*ANSWERS, ""), "")
    for number in range(span[0], span[1] + 1):
        yield Item(
            number=number,
            clause=row.name("clause"),
            subject=Phrase(en=row.name("en"), zh=row.name("zh")),
            how=Phrase(en=row.text("how_en", ""), zh=row.text("how_zh", "")),
            answer=answer,
            part=row.flag("part", default=False),
            may_not_apply=number in free,
        )


OPEN: Final = Phrase(en="needs a person", zh="需人工核查")
"""Why of an item of which the data say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Facts entered about the unit under review.

    Attributes
    ----------
    answers : mapping of int to Answer
        By item, what people decided.
    sector : str
        Empty where no sector standard applies.
    self_checked : bool or None
        Whether a self-check of this or the last year was recorded; None where no records are kept here.
    staff : sequence of Person
    instruments : mapping of management number to Instrument
    certificates : sequence of int
        Of each meter in use, how many of its verifications are on record.
    """

    answers: Mapping[int, Answer]
    sector: str
    self_checked: bool | None
    staff: Sequence[Person] = ()
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    certificates: Sequence[int] = ()


def review(sheet: ReviewSheet, findings: Sequence[Finding], entered: Entered, day: int) -> ReviewResult:
    """Fill the sheet for one unit.

    Parameters
    ----------
    findings : sequence of Finding
        Of the unit.
    entered : Entered
    day : int
        Of the review. [d since 1970-01-01]
    """
    results = tuple(_result(item, findings, entered, day) for item in sheet.items)
    failed = sum(one.verdict is Verdict.FAIL for one in results)
    still_open = sum(one.verdict is Verdict.PERSON for one in results)
    return ReviewResult(
        results=results, failed=failed, open=still_open, verdict=_conclusion(failed, still_open, sheet.basic_up_to)
    )


def _conclusion(failed: int, still_open: int, basic_up_to: int) -> Phrase:
    meets = Phrase(en="meets the requirements", zh="符合要求")
    basic = Phrase(en="basically meets, to be corrected", zh="基本符合要求，需整改")
    fails = Phrase(en="does not meet the requirements", zh="不符合要求")

    def of(count: int) -> Phrase:
        return meets if count == 0 else basic if count <= basic_up_to else fails

    least, most = of(failed), of(failed + still_open)
    if least == most:
        return least
    return Phrase(
        en=f"at best: {least.en} ({still_open} items are open)",
        zh=f"待定（{still_open} 项待人工核查，均符合时为“{least.zh}”）",
    )


def _result(item: Item, findings: Sequence[Finding], entered: Entered, day: int) -> ItemResult:
    said = entered.answers.get(item.number)
    verdict, why = _by_data(item, findings, entered, day)
    if verdict is Verdict.FAIL or said is None:
        by = "" if verdict is Verdict.PERSON else "data"
        return ItemResult(item=item, verdict=verdict, why=why, by=by)
    if said.verdict == "not_applicable" and not item.may_not_apply:
        why = Phrase(en="may not be 'not applicable'; " + said.note, zh="该项不允许选“不适用”；" + said.note)
        return ItemResult(item=item, verdict=Verdict.PERSON, why=why, by=said.by)
    return ItemResult(item=item, verdict=Verdict(said.verdict), why=Phrase(en=said.note, zh=said.note), by=said.by)


def _by_data(item: Item, findings: Sequence[Finding], entered: Entered, day: int) -> tuple[Verdict, Phrase]:
    if item.answer == "self_check":
        return _self_check(entered.self_checked)
    if item.answer == "staff":
        return _staff(entered.staff, day)
    if item.answer == "archive":
        return _archive(entered.certificates)
    if item.answer in _KINDS:
        return _instruments(_KINDS[item.answer], entered.instruments, day)
    if item.answer == "sector" and not entered.sector:
        return Verdict.PERSON, Phrase(en="no sector is entered for the unit", zh="未录入所属行业")
    return _by_findings(item, findings)


def _by_findings(item: Item, findings: Sequence[Finding]) -> tuple[Verdict, Phrase]:
    if item.answer not in _RULES:
        return Verdict.PERSON, OPEN
    about = [finding for finding in findings if finding.rule in _RULES[item.answer]]
    failed = [finding for finding in about if finding.verdict is Verdict.FAIL]
    if failed:
        return Verdict.FAIL, _first_of(failed)
    if item.part or not about or any(finding.verdict is Verdict.PERSON for finding in about):
        return Verdict.PERSON, OPEN
    return Verdict.PASS, Phrase(en=f"{len(about)} findings, none fails", zh=f"{len(about)} 项判定均未发现不符合")


def _self_check(self_checked: bool | None) -> tuple[Verdict, Phrase]:
    if self_checked is None:
        return Verdict.PERSON, Phrase(en="no self-check is recorded here", zh="系统内无自查记录")
    if self_checked:
        return Verdict.PASS, Phrase(en="recorded", zh="有记录")
    return Verdict.FAIL, Phrase(en="none of this or the last year", zh="本年度与上年度均无自查记录")


def _staff(staff: Sequence[Person], day: int) -> tuple[Verdict, Phrase]:
    """Summary of the staff for the reviewer; whether the certificates suffice is a person's decision."""
    if not staff:
        return Verdict.PERSON, Phrase(en="no metering staff is entered (B.1)", zh="未录入计量人员（B.1）")
    certified = sum(one.certified(day) for one in staff)
    return Verdict.PERSON, Phrase(
        en=f"{len(staff)} people entered, {certified} with a certificate that holds",
        zh=f"已录入 {len(staff)} 人，其中 {certified} 人证书有效",
    )


def _archive(held: Sequence[int]) -> tuple[Verdict, Phrase]:
    """How many meters have two cycles on record here; the certificates in the cabinet, a person looks at."""
    if not any(held):
        return Verdict.PERSON, Phrase(en="no verification is on record here", zh="系统内无检定/校准记录")
    both, one = sum(count >= 2 for count in held), sum(count == 1 for count in held)
    return Verdict.PERSON, Phrase(
        en=f"of {len(held)} meters in use {both} have two cycles of verification on record here, {one} have one",
        zh=f"在用 {len(held)} 台：系统内有两个周期检定/校准记录的 {both} 台，仅一个周期的 {one} 台",
    )


def _instruments(kind: str, entered: Mapping[str, Instrument], day: int) -> tuple[Verdict, Phrase]:
    """An instrument in use past its certificate fails the item; whether there are enough is a person's decision."""
    about = {number: one for number, one in entered.items() if one.kind == kind}
    if not about:
        return Verdict.PERSON, Phrase(en="none is entered (B.7)", zh="未录入相关器具（B.7）")
    late = sorted(number for number, one in about.items() if one.overdue(day))
    if late:
        return Verdict.FAIL, Phrase(
            en=f"past their verification: {listing(late)}", zh=f"检定（校准）超期：{listing(late, chinese=True)}"
        )
    return Verdict.PERSON, Phrase(
        en=f"{len(about)} entered, none past its verification", zh=f"已录入 {len(about)} 台，均未超期"
    )


def _first_of(failed: Sequence[Finding]) -> Phrase:
    first, more = failed[0], len(failed) - 1
    en, zh = f"{first.required.en}: {first.found.en}", f"{first.required.zh}：{first.found.zh}"
    return Phrase(en=en + (f" (and {more} more)" if more else ""), zh=zh + (f"（另 {more} 项）" if more else ""))


_RULES: Final[Mapping[str, frozenset[str]]] = {
    "levels": frozenset({"equipped", "exemption", "main", "main_by_another", "main_unknown"}),
    "equipping": frozenset({"rate", "accuracy"}),
    "ledger": frozenset({"ledger"}),
    "verification": frozenset({"verification", "verification_unknown", "certificates"}),
    "withdrawal": frozenset({"verification"}),
    "collection": frozenset(
        {"completeness", "interval", "day_start", "month_start", "upload_delay", "silent", "fault_open"}
    ),
}
