"""The error hierarchy, by what the caller should do.

::

    MeterwardenError
    ├── InvalidReading      reject the reading, keep its bytes
    ├── RegistryError       the ledger does not know it, or knows it twice
    ├── LedgerError         a ledger file has faulty rows; none of it is loaded
    ├── ConfigurationError  stop at start and tell what to set
    ├── ArrayError          a program passed an array of another type or shape (a TypeError too)
    └── TransientError      try again; the other side is slow or gone
        └── StoreUnavailable
"""

__all__ = [
    "ArrayError",
    "ConfigurationError",
    "InvalidReading",
    "LedgerError",
    "MeterwardenError",
    "RegistryError",
    "StoreUnavailable",
    "TransientError",
]


class MeterwardenError(Exception):
    """Every error of this project."""


class InvalidReading(MeterwardenError):  # noqa: N818 - the name says what to do with it
    """A reading or message that cannot be used: reject it, keep its bytes."""


class RegistryError(MeterwardenError):
    """The ledger does not know what was asked for, or is ambiguous."""


class LedgerError(MeterwardenError):
    """A ledger has faulty rows; nothing of it was loaded."""


class ConfigurationError(MeterwardenError):
    """A setting is missing or wrong: stop at start."""


class ArrayError(MeterwardenError, TypeError):
    """A program passed an array of another element type or shape than asked for."""


class TransientError(MeterwardenError):
    """The other side is slow or gone: trying again may help."""


class StoreUnavailable(TransientError):  # noqa: N818 - the name says what happened
    """The database cannot be reached or went away in the middle."""
