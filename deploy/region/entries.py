"""How a region names a meter and one of its registers in one text: as blocks on the wire do."""

from analytics.domain.registers import MAIN

__all__ = ["meter_of_entry", "register_entry"]

_MARK = "\x1f"


def register_entry(meter_no: str, register: str) -> str:
    """A meter and one of its further registers, as blocks on the wire name them."""
    return f"{meter_no}{_MARK}{register}"


def meter_of_entry(entry: str) -> tuple[str, str]:
    """Meter and register of an entry; "main" where it names none."""
    meter_no, _, register = entry.partition(_MARK)
    return meter_no, register or MAIN
