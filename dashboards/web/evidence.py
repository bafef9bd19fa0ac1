"""Rows of a table of evidence: what was stored of each detection, finding or verification, in words."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, tzinfo
from typing import Any

from analytics.alerting.evidence import evidence_in_words, evidence_of_detection, evidence_of_finding
from analytics.domain.words import Language

__all__ = ["evidence_rows"]


def evidence_rows(
    found: Iterable[Mapping[str, Any]], columns: Sequence[str], *, language: Language, zone: tzinfo
) -> list[dict[str, Any]]:
    """Rows of ``alert_evidence`` or ``point_evidence`` as they are shown.

    Parameters
    ----------
    found : iterable of mapping
        With the stored evidence beside the columns that it does not repeat.
    columns : sequence of str
        What is shown beside the words, the point before them; the ones that no row fills are left out.
    language : str
    zone : tzinfo
        Whose dates the words give.

    Returns
    -------
    list of dict
        The columns, ``what`` or ``what_en``, and ``next_step_zh`` or ``next_step_en`` where a row has one.
    """
    rows = list(found)
    shown = [name for name in columns if any(row[name] is not None for row in rows)]
    what, step = "what" if language == "zh" else "what_en", f"next_step_{language}"
    steps = any(row.get(step) for row in rows)
    separator = "；" if language == "zh" else "; "
    return [
        ({"point": row["point"]} if "point" in shown else {})
        | {what: separator.join(_words(row, language, zone))}
        | ({step: row.get(step)} if steps else {})
        | {name: row[name] for name in shown}
        for row in rows
    ]


def _words(row: Mapping[str, Any], language: Language, zone: tzinfo) -> list[str]:
    return evidence_in_words(row["kind"], _facts(row), magnitude=row["magnitude"], language=language, zone=zone)


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `evidence_in_words` knows, out of a detection's stored evidence or the columns of what else there is."""
    facts = evidence_of_detection(row)
    if row.get("clause"):
        facts |= evidence_of_finding(row)
    if isinstance(row.get("verification_due"), date):
        facts |= {"verification_due": row["verification_due"].isoformat(), "days_left": row["days_left"]}
    return facts
