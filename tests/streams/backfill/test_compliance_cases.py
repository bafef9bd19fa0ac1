"""Ledgers before an auditor: every case of the shared corpus, through the command that a person calls."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from deploy.cli import cli

CORPUS = Path(__file__).parents[4] / "shared" / "cases"
MISSING = f"CASES NOT TRIED: {CORPUS} is not beside this repository"
CASES: Sequence[Mapping[str, Any]] = (
    tomllib.loads((CORPUS / "compliance.toml").read_text("utf-8"))["case"] if CORPUS.exists() else ()
)
TEXTS = ("edition", "clause", "required", "found", "next_step", "required_zh", "found_zh", "next_step_zh")
WORST = ("fail", "person", "pass", "not_applicable")


def test_the_corpus_is_there() -> None:
    if not CASES:
        pytest.skip(MISSING)
    assert len(CASES) > 20


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Any:
    done: dict[tuple[str, str, str], tuple[list[dict[str, Any]], dict[str, str]]] = {}

    def judge(case: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
        key = case["ledger"], case["as_of"], case.get("facts", "")
        if key not in done:
            out = tmp_path_factory.mktemp("judged")
            folder = CORPUS / "compliance"
            arguments = [
                "backfill",
                "--ledger",
                folder / key[0],
                "--readings",
                folder / "no-readings.csv",
                "--out",
                out,
            ]
            arguments += ["--as-of", key[1], "--zone", "Asia/Shanghai"]
            arguments += ["--standard", folder / key[2]] if key[2] else []
            result = CliRunner().invoke(cli, list(map(str, arguments)))
            assert result.exit_code == 0, result.output
            standings = pq.read_table(out / "standings.parquet").to_pylist()
            done[key] = (
                pq.read_table(out / "findings.parquet").to_pylist(),
                {row["unit_code"]: row["state"] for row in standings},
            )
        findings, states = done[key]
        return [row for row in findings if row["unit_code"] == case["unit"]], states

    return judge


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_case(case: Mapping[str, Any], judged: Any) -> None:
    findings, states = judged(case)
    if "state" in case:
        assert states[case["unit"]] in case["state"]
    if any(row["mandatory"] and row["verdict"] == "person" for row in findings):
        assert states[case["unit"]] != "compliant"
    for entry in case["expect"]:
        expect(entry, findings)
    assert all(row["clause"] and row["required"] and row["found"] for row in findings)


def expect(entry: Mapping[str, Any], findings: list[dict[str, Any]]) -> None:
    if "text" in entry:
        about = [row for row in findings if any(entry["text"] in (row[name] or "") for name in TEXTS)]
        for row in about:
            assert all(word in " ".join(row[name] or "" for name in TEXTS) for word in entry["says"]), row
        return
    about = [row for row in findings if matches(entry, row)]
    if "rate" in entry:
        present, needed = entry["rate"].split("/")
        assert [(row["verdict"], f"({present} of {needed})" in row["found"]) for row in about] == [
            (verdict, True) for verdict in entry["verdict"] if about[0]["verdict"] == verdict
        ], about
        return
    worst = min((row["verdict"] for row in about), key=WORST.index, default="pass")
    assert ("pass" if worst == "not_applicable" else worst) in entry["verdict"], about
    for words in entry.get("says_not", ()):
        assert not [row for row in about if re.search(words, " ".join(row[name] or "" for name in TEXTS))]


def matches(entry: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    if "rate" in entry and row["rule"] != "rate":
        return False
    if "clause" in entry and row["clause"] not in entry["clause"]:
        return False
    if "point" in entry and entry["point"] not in (row["point"], *row["points"]):
        return False
    return all(row[name] == entry[name] for name in ("level", "carrier") if name in entry)
