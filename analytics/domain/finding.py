"""A finding: what a clause requires of one thing, what is there, and who has to do what about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from analytics.domain.severity import Severity
from analytics.domain.words import Phrase

__all__ = ["Finding", "Verdict"]


class Verdict(StrEnum):
    """What can be said of a clause."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"
    PERSON = "person"
    """The facts at hand do not decide it: a person has to look, or to enter what is missing."""
    NOT_APPLICABLE = "not_applicable"


_NOTHING = Phrase(en="", zh="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One answer to one question of a standard.

    Attributes
    ----------
    unit : int
        Index of the energy-using unit in the ledger that was judged.
    edition : str
        Edition it was judged by, and for which one that stands in.
    clause : str
    rule : str
        The question: ``rate``, ``accuracy``, ``verification`` …
    mandatory : bool
        Whether the clause is one of the mandatory ones.
    level, carrier : str
        As the ledger has them, empty where the question is not about one.
    point, meter_no : str
        What it is about, empty where it is about several or none.
    required, found, next_step : Phrase
        Texts that do not change from day to day while the facts are the same.
    meters, points : tuple of str
        All that it is about.
    evidence : mapping
        Figures behind it, as JSON can hold them.
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
        """What stays the same while one thing is judged again and again."""
        return self.rule, self.clause, self.level, self.carrier, self.point, self.meter_no
