"""Quality flags of readings and hours, reasons for rejection, kinds of detections."""

from enum import IntEnum, IntFlag

__all__ = ["DetectionKind", "HourFlag", "ReadingFlag", "RejectReason", "hour_flag_names"]


class ReadingFlag(IntFlag):
    """Bits of a stored reading's `quality`; 0 is a reading without any mark.

    The low byte is what the sender stated (ESPI QualityOfReading code, 0 where nothing was stated), the bits above
    it are facts known on arrival. What is learnt later (a spike, a stuck run) is a detection, never an update.
    """

    VALID = 0
    STATED_MASK = 0x00FF
    ZONE_ASSUMED = 0x0100
    UNIT_CONVERTED = 0x0200
    SENTINEL = 0x0400
    LATE = 0x0800
    ASTRAY = 0x1000
    """The timestamp contradicts the dial: stored, but left out of the hours."""


class HourFlag(IntFlag):
    """Bits of an hour's `quality`; 0 means measured throughout."""

    MEASURED = 0
    ESTIMATED = 1
    ROLLOVER = 2
    REPLACEMENT = 4
    SUSPECT = 8
    BREAK = 16
    MULTIPLIER_CHANGE = 32


HOUR_FLAG_MEANING = {
    HourFlag.ESTIMATED: "an edge of the hour lies inside a gap: the gap's total is known, its spread is not",
    HourFlag.ROLLOVER: "the register passed its full scale",
    HourFlag.REPLACEMENT: "the meter was replaced, as declared in the ledger",
    HourFlag.SUSPECT: "readings inside were set aside as faulty (spike, zero dip, sentinel, scale)",
    HourFlag.BREAK: "the register was broken off (reset, rollback, undeclared replacement): that part has no value",
    HourFlag.MULTIPLIER_CHANGE: "the multiplier or unit changed inside, as declared in the ledger",
}


def hour_flag_names(quality: int) -> str:
    """Readable quality of an hour: ``measured``, or the flags' names joined by ``|``.

    Examples
    --------
    >>> hour_flag_names(0)
    'measured'
    >>> hour_flag_names(3)
    'estimated|rollover'
    """
    return "|".join(f.name.lower() for f in HourFlag if f and quality & f and f.name) or "measured"


class RejectReason(IntEnum):
    """Why a message or a reading was not accepted; names go into headers and tables in lower case."""

    MALFORMED = 1
    """The message cannot be decoded."""
    TOO_LARGE = 2
    """The message is larger than the limit."""
    UNKNOWN_UNIT_CODE = 3
    """The ledger has no such energy-using unit."""
    UNKNOWN_METER = 4
    """The unit's ledger has no such meter."""
    NOT_INSTALLED = 5
    """The ledger has the meter, but not at that time."""
    UNKNOWN_UNIT = 6
    """The stated unit of measurement is not known."""
    UNIT_MISMATCH = 7
    """The stated unit measures another quantity than the meter's register."""
    NOT_A_NUMBER = 8
    """The value is missing, NaN or infinite."""
    FUTURE = 9
    """Measured later than received, beyond the allowed clock error."""
    TIME_OUT_OF_RANGE = 10
    """Measured before the earliest time accepted."""
    DUPLICATE = 11
    """The same register, time and value is already recorded."""
    CONFLICT = 12
    """The same register and time is already recorded with another value."""
    WRONG_PARTITION = 13
    """The record lies on another partition than the one of its unit code."""
    BAD_TIME = 14
    """The time cannot be read."""
    MISSING_FIELD = 15
    """A field that every reading needs is missing or of the wrong type."""
    FOREIGN_UNIT = 16
    """The gateway that sent it may not send readings of this energy-using unit."""


class DetectionKind(IntEnum):
    """Kinds of detections, and after 100 of events that are no faults; names as in the interchange files."""

    GAP = 1
    SILENCE = 2
    STUCK = 3
    SPIKE = 4
    ROLLBACK = 5
    RESET = 6
    ZERO_DIP = 7
    SENTINEL = 8
    SCALE = 9
    RATIO = 10
    CLOCK = 11
    DUPLICATE = 12
    UNDECLARED_REPLACEMENT = 13
    GAIN_STEP = 14
    GAIN_DRIFT = 15
    JUMP = 16
    """The dial jumped up and goes on from there as before: the difference is not explained, and not counted."""
    BALANCE_CHANGE = 17
    """A balance lacks energy, or has too much: a meter's gain changed, or an unmetered load; which, is not known."""
    ROLLOVER = 101
    REPLACEMENT = 102
    MULTIPLIER_CHANGE = 103
    CATCH_UP = 104
    """A gateway repeated a value and then sent the true one: the consumption in between is known in total."""
    INTERVAL = 105
    """Readings come at another interval than the ledger states: an error of the ledger, not of the meter."""

    @property
    def is_fault(self) -> bool:
        """Whether it is a fault of the meter or its data path; a rollover or a declared replacement is not."""
        return self < 100
