"""Compile the core once, at set-up: `python -m deploy.warm`. What follows finds the machine code beside the modules."""

from zoneinfo import ZoneInfo

from streams.warm import warm_up

__all__ = ["warm"]


def warm() -> int:
    """Take two readings through the core; the number of readings it accepted."""
    return warm_up(ZoneInfo("UTC"))


if __name__ == "__main__":
    warm()
