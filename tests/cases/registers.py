"""The register cases: how one is run through `meterwarden backfill`, and what makes its answer right.

The fields are those of ``../shared/cases/README.md``. `judge` gives every reason why an answer is wrong.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from deploy.commands.backfill import command
from ingest.result_files import read_results

__all__ = ["FOLDER", "Answer", "answer_of", "cases", "judge"]

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "cases"
"""Beside the project; not part of it."""
_UNREMARKABLE = {"gap", "silence", "stuck", "rollover", "replacement", "multiplier_change"}
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a run gave.

    Attributes
    ----------
    hours : mapping of datetime to (float, int)
        Amount and quality of each hour, by its start. [canonical unit]
    said : sequence of (str, bool)
        Kind of each detection and event, and whether it is still open.
    rejected : int
        Readings refused.
    printed : str
    """

    hours: Mapping[datetime, tuple[float, int]]
    said: Sequence[tuple[str, bool]]
    rejected: int
    printed: str = ""

    @property
    def total(self) -> float:
        """Sum of all hours. [canonical unit]"""
        return sum(amount for amount, _ in self.hours.values())


def cases() -> list[dict[str, Any]]:
    """Every case, as in ``registers.toml``."""
    listed: list[dict[str, Any]] = tomllib.loads((FOLDER / "registers.toml").read_text(encoding="utf-8"))["case"]
    return listed


def answer_of(case: Mapping[str, Any], out: Path, folder: Path = FOLDER / "registers") -> Answer:
    """Run `meterwarden backfill` on a case.

    Raises
    ------
    AssertionError
        If the command fails.
    """
    arguments = [
        "--ledger", str(folder / f"{case['name']}.ledger.csv"), "--readings", str(folder / f"{case['name']}.csv"),
        "--out", str(out), "--zone", case.get("zone", "Asia/Shanghai"),
    ]  # fmt: skip
    if "as_of" in case:
        arguments += ["--as-of", case["as_of"]]
    ran = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    hours = {
        row["start"].astimezone(UTC): (row["amount"], row["quality"])
        for row in read_results(out, "consumption_hour").to_pylist()
    }
    found = [*read_results(out, "detections").to_pylist(), *read_results(out, "events").to_pylist()]
    rejected = sum(row["readings"] for row in read_results(out, "rejected").to_pylist())
    return Answer(
        hours=hours,
        said=[(row["kind"], row["ended_at"] is None) for row in found],
        rejected=rejected,
        printed=ran.output,
    )


def judge(case: Mapping[str, Any], answer: Answer) -> list[str]:
    """Reasons why an answer is wrong; none for a right one."""
    return [
        *_total(case, answer),
        *_either(case, answer),
        *_said(case, answer),
        *_hours(case, answer),
        *_silent_errors(case, answer),
        *_refused(case, answer),
    ]


def _total(case: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    if "total" in case:
        low, high = case["total"] - case["tolerance"], case["total"] + case["tolerance"]
    elif "total_between" in case:
        low, high = case["total_between"]
    else:
        return
    if not low - 1e-9 <= answer.total <= high + 1e-9:
        yield f"the total must be from {low:g} to {high:g} (got {answer.total:g})"


def _either(case: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    if "either" not in case:
        return
    wrong = [[*_total(one, answer), *_told(one, answer)] for one in case["either"]]
    if all(wrong):
        yield "one of these must hold whole: " + " / ".join("; ".join(reasons) for reasons in wrong)


def _told(case: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    kinds = {kind for kind, _ in answer.said} | ({"rejected"} if answer.rejected else set())
    wanted = set(case.get("told", ()))
    if "*" in wanted and kinds - _UNREMARKABLE:
        return
    if wanted and not wanted & kinds:
        yield f"one of {sorted(wanted)} must be reported (got {sorted(kinds)})"


def _said(case: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    yield from _told(case, answer)
    kinds = {kind for kind, _ in answer.said}
    if wrong := kinds & set(case.get("not_told", ())):
        yield f"{sorted(wrong)} must not be reported"
    still = {kind for kind, lasts in answer.said if lasts}
    if "open" in case and not still & set(case["open"]):
        yield f"one of {case['open']} must still be open (open are {sorted(still)})"
    if wrong := still & set(case.get("not_open", ())):
        yield f"{sorted(wrong)} must have ended"


def _hours(case: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    if "hours" not in case:
        return
    start = datetime.fromisoformat(case["hours_from"]).astimezone(UTC)
    for i, wanted in enumerate(case["hours"]):
        amount = answer.hours.get(start + i * _HOUR, (None, 0))[0]
        if wanted == "any" or (wanted == "none" and amount is None):
            continue
        if wanted == "none" or amount is None or abs(amount - wanted) > case.get("hour_tolerance", 1e-6):
            yield f"hour {i} must have {wanted} (got {amount})"


def _silent_errors(case: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    if not case.get("no_silent_error"):
        return
    start = datetime.fromisoformat(case["hours_from"]).astimezone(UTC)
    truth = [amount for n, amount in case["true_runs"] for _ in range(n)]
    for at, (amount, quality) in sorted(answer.hours.items()):
        if quality != 0:
            continue
        i = round((at - start) / _HOUR)
        if i == len(truth):  # the last hour may be a part of one
            continue
        true: Any = truth[i] if 0 <= i < len(truth) else "unknown"
        if true == "unknown":
            yield f"hour {i} ({at:%m-%d %H:%M}) claims to be measured and nobody can know it (got {amount:g})"
        elif true != "any" and abs(amount - true) > case["hour_tolerance"] + 1e-9:
            yield f"hour {i} ({at:%m-%d %H:%M}) claims to be measured and must have {true:g} (got {amount:g})"


def _refused(case: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    if "rejected" in case and answer.rejected != case["rejected"]:
        yield f"{case['rejected']} readings must be refused (got {answer.rejected})"
