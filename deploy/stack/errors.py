"""Why the local servers could not be started, stopped or reached.

::

    MeterwardenError
    └── StackError            the stack is not as asked; the message says what to do
        ├── PortTaken         somebody else listens where a part should
        ├── DiskShort         less room than the setting asks for
        ├── ToolMissing       a program the stack stands on is missing or too old
        └── PartFailed        a part did not start, did not stop or is not healthy
"""

from analytics.domain.errors import MeterwardenError

__all__ = ["DiskShort", "PartFailed", "PortTaken", "StackError", "ToolMissing"]


class StackError(MeterwardenError):
    """The local servers are not as asked."""


class PortTaken(StackError):  # noqa: N818 - the name says what happened
    """Somebody else listens on a port that a part needs."""


class DiskShort(StackError):  # noqa: N818 - as above
    """Less room on the disk than the setting asks for."""


class ToolMissing(StackError):  # noqa: N818 - as above
    """A program that the stack stands on is missing or too old."""


class PartFailed(StackError):  # noqa: N818 - as above
    """A part did not start, did not stop or is not healthy."""
