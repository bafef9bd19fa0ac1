"""A compliance finding: clause, requirement, what was found, and the next step."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from analytics.domain.severity import Severity
from analytics.domain.words import Phrase

__all__ = ["Finding", "Verdict"]


class Verdict(StrEnum):
    """Result of checking a clause."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    PERSON = "person"
    """Undecided: a person has to check it on site, or enter missing data."""
    NOT_APPLICABLE = "not_applicable"


_NOTHING = Phrase(en="", zh="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of one check of a clause, for one unit, point, meter or group of them.

    Attributes
    ----------
    unit : int
        Index of the energy-using unit in the ledger that was judged.
    edition : str
        Edition that was applied, and which one it substitutes for, if any.
    clause : str
    rule : str
        The check: ``rate``, ``accuracy``, ``verification`` …
    mandatory : bool
        Whether the clause is one of the mandatory ones.
    level, carrier : str
        As in the ledger, empty if the check is not specific to one.
    point, meter_no : str
        What it concerns, empty if it concerns several or none.
    required, found, next_step : Phrase
        Texts that do not change from day to day while the facts are the same.
    meters, points : tuple of str
        All that it concerns.
    evidence : mapping
        Supporting figures, JSON types only.
    """

    unit: int
    edition: str
    clause: str
    rule: str
    verdict: Verdict
    severity: Severity
    required: Phrase
    found: Phrase
    next_step: Phrase = _NOTHING
    mandatory: bool = False
    level: str = ""
    carrier: str = ""
    point: str = ""
    meter_no: str = ""
    meters: tuple[str, ...] = ()
    points: tuple[str, ...] = ()
    evidence: Mapping[str, object] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        """Identity of the finding: equal keys in successive evaluations are the same finding."""
        return self.rule, self.clause, self.level, self.carrier, self.point, self.meter_no
