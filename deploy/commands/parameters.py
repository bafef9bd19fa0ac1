"""Kinds of options that several commands take."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

__all__ = ["ZoneName"]


class ZoneName(click.ParamType):
    """A time zone by its name."""

    name = "zone"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        """Zone of the name."""
        if isinstance(value, ZoneInfo):
            return value
        try:
            return ZoneInfo(str(value))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.fail(f"{value!r} is not a time zone such as Asia/Shanghai", param, ctx)
