"""The cases of files: how one is run by `meterwarden ledger check` and `backfill`, and what makes its answer right.

The fields are those of ``../shared/cases/README.md``. `judge` gives every reason why an answer is wrong.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from analytics.domain.errors import MeterwardenError
from deploy.cli import cli
from ingest.result_files import read_results

__all__ = ["FOLDER", "FileAnswer", "cases", "file_answer", "judge"]

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "cases"
"""Beside the project; not part of it."""
_ZONE = ("--zone", "Asia/Shanghai")
_SPACE = 12  # characters between a header and what it is proposed to mean


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer:
    """What a run gave.

    Attributes
    ----------
    printed : str
        Without the names of the files.
    exit_code : int
    hours : sequence of (str, datetime, float)
        Unit, start and amount of each hour.
    rejected : int or None
        Readings refused; None where nothing was taken.
    findings : sequence of mapping
    """

    printed: str
    exit_code: int
    hours: Sequence[tuple[str, datetime, float]] = ()
    rejected: int | None = None
    findings: Sequence[Mapping[str, Any]] = ()

    @property
    def taken(self) -> bool:
        """Whether the readings came to anything."""
        return self.rejected is not None and bool(self.hours)

    @property
    def total(self) -> float:
        """Sum of all hours. [canonical unit]"""
        return sum(amount for _, _, amount in self.hours)


def cases(listed: Path = FOLDER / "files.toml") -> list[dict[str, Any]]:
    """Every case."""
    found: list[dict[str, Any]] = tomllib.loads(listed.read_text(encoding="utf-8"))["case"]
    return found


def file_answer(case: Mapping[str, Any], out: Path, folder: Path = FOLDER / "files") -> FileAnswer:
    """Run a case: its ledger where that is what is tried, then its readings."""
    ledger = folder / case["ledger"]
    printed = ""
    if case["ledger"].split(".")[0] == case["name"]:
        code, printed = _run(["ledger", "check", str(ledger), *_ZONE], folder)
        if code or "readings" not in case:
            return FileAnswer(printed=printed, exit_code=code)
    arguments = ["backfill", "--ledger", str(ledger), "--readings", str(folder / case["readings"]), "--out", str(out)]
    code, more = _run([*arguments, *_ZONE], folder)
    if not (out / "consumption_hour.parquet").exists():
        return FileAnswer(printed=printed + more, exit_code=code)
    hours = [
        (row["unit_code"], row["start"].astimezone(UTC), row["amount"])
        for row in read_results(out, "consumption_hour").to_pylist()
        if row["amount"] is not None
    ]
    return FileAnswer(
        printed=printed + more,
        exit_code=code,
        hours=hours,
        rejected=sum(row["readings"] for row in read_results(out, "rejected").to_pylist()),
        findings=read_results(out, "findings").to_pylist(),
    )


def _run(arguments: list[str], folder: Path) -> tuple[int, str]:
    ran = CliRunner().invoke(cli, arguments)
    if ran.exception is not None and not isinstance(ran.exception, SystemExit | MeterwardenError):
        raise AssertionError(f"{arguments}: {ran.output}") from ran.exception
    printed = ran.output
    for path in folder.iterdir():
        printed = printed.replace(str(path), "FILE").replace(path.name, "FILE")
    return ran.exit_code, printed


def judge(case: Mapping[str, Any], answer: FileAnswer) -> list[str]:
    """Reasons why an answer is wrong; none for a right one."""
    return [*_amounts(case, answer), *_words(case, answer), *_form(case, answer)]


def _amounts(case: Mapping[str, Any], answer: FileAnswer) -> Iterator[str]:
    otherwise = "refused_with" in case or "proposes" in case
    if "total" in case and not answer.taken and not otherwise:
        yield f"it must be taken with {case['total']} (got {answer.printed[:300]!r})"
    if not answer.taken:
        return
    if "total" in case and abs(answer.total - case["total"]) > case["tolerance"]:
        yield f"the total must be {case['total']} (got {answer.total:g})"
    if "total" not in case and "or_warned" not in case and _lacking(case, answer):
        yield f"it must be refused (got a total of {answer.total:g})"
    if "rejected" in case and answer.rejected != case["rejected"]:
        yield f"{case['rejected']} readings must be refused (got {answer.rejected})"
    if "units" in case and len({unit for unit, _, _ in answer.hours}) != case["units"]:
        yield f"{case['units']} units must have consumption"
    if "span" in case:
        low, high = map(datetime.fromisoformat, case["span"])
        if any(not low <= start < high for _, start, _ in answer.hours):
            yield f"no hour may lie outside {case['span']}"
    for unwanted in case.get("not_found", ()):
        if any(all(finding[key] == value for key, value in unwanted.items()) for finding in answer.findings):
            yield f"there must be no finding {unwanted}"


def _words(case: Mapping[str, Any], answer: FileAnswer) -> Iterator[str]:
    if not answer.taken or "total" not in case:
        lacking = _lacking(case, answer)
        proposed = "proposes" in case and not list(_not_proposed(case, answer))
        if lacking and not proposed:
            yield f"a refusal must say {lacking} (got {answer.printed[:600]!r})"
        if not answer.taken and "proposes" in case and "refused_with" not in case and not proposed:
            yield f"it must propose {list(_not_proposed(case, answer))}"
    for word in case.get("says", ()):
        if not _has(answer.printed, word):
            yield f"it must say {word!r}"


def _lacking(case: Mapping[str, Any], answer: FileAnswer) -> list[str]:
    return [word for word in case.get("refused_with", ()) if not _has(answer.printed, word)]


def _not_proposed(case: Mapping[str, Any], answer: FileAnswer) -> Iterator[str]:
    for header, meaning in case.get("proposes", {}).items():
        pattern = rf"{re.escape(header)}.{{0,{_SPACE}}}(?:{meaning})"
        if not any(re.search(pattern, line, re.IGNORECASE) for line in answer.printed.splitlines()):
            yield f"{header} → {meaning}"


def _has(text: str, word: str) -> bool:
    pattern = word if any(mark in word for mark in "|\\?") else re.escape(word)
    return re.search(pattern, text, re.IGNORECASE) is not None


def _form(case: Mapping[str, Any], answer: FileAnswer) -> Iterator[str]:
    lines = answer.printed.count("\n")
    if "max_lines" in case and lines > case["max_lines"]:
        yield f"at most {case['max_lines']} lines must be printed (got {lines})"
    if case.get("exit_nonzero") and answer.exit_code == 0:
        yield "the exit status must say that nothing was taken"
