"""The pure core: metering rules and statistics as functions of their arguments; no I/O, no file, no clock.

For a notebook: ``analytics.register_hours(frame)`` makes hours of consumption of a frame of readings.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.notebook import register_hours

__all__ = ["register_hours"]


def __getattr__(name: str) -> Any:
    if (
        name == "register_hours"
    ):  # imported on first use: it loads numba and data frames, which most of the package does not need
        from analytics.notebook import register_hours  # noqa: PLC0415 - as above

        return register_hours
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
