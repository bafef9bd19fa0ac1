"""What metrology knows, as values in and values out; no machine, file or clock.

For a notebook: ``analytics.register_hours(frame)`` makes hours of consumption of a frame of readings.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analytics.notebook import register_hours

__all__ = ["register_hours"]


def __getattr__(name: str) -> Any:
    if (
        name == "register_hours"
    ):  # imported when asked for: it brings numba and frames, which most of the package needs not
        from analytics.notebook import register_hours  # noqa: PLC0415 - as above

        return register_hours
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
