"""What is wrong with a ledger, row by row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analytics.domain.ledger.schema import COLUMNS

__all__ = ["LedgerFault", "in_order", "listed", "shown"]

_ORDER = {name: place for place, name in enumerate(COLUMNS)}


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """One fault that keeps a ledger from being loaded.

    Attributes
    ----------
    row : int
        Row of the file as a person counts it, 1 for the header; 0 where something is missing from the whole file.
    column : str
        English name of the column.
    required : str
        What should stand there.
    got : str
        What stands there.
    """

    row: int
    column: str
    required: str
    got: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: required {self.required}, got {self.got}"


def in_order(faults: Iterable[LedgerFault]) -> list[LedgerFault]:
    """Faults by row, then in the order of the columns."""
    return sorted(faults, key=lambda fault: (fault.row, _ORDER.get(fault.column, len(_ORDER)), fault.required))


def shown(value: object, limit: int = 60) -> str:
    """A cell as it appears in fault messages: text in quotes, other types plainly, shortened."""
    if value is None or value == "":
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(words: Sequence[str]) -> str:
    """Words of a choice: ``a, b or c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
