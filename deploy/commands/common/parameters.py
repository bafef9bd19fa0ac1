"""Kinds of options that several commands take."""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from deploy.settings import load

__all__ = ["PROFILE", "CaseNumber", "Instant", "ZoneName", "number_of", "pairs"]

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}

PROFILE = (
    click.option(
        "--profile",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Profile of the source, .toml: how its files are read.",
    ),
    click.option(
        "--save-profile",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Keep what was settled for the next file of this source.",
    ),
)


class CaseNumber(click.ParamType):
    """A case by the number that people see, ``C000002``, or by the bare number."""

    name = "case"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Id of the case."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"[Cc]?0*([1-9]\d{0,17})", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is not the number of a case such as C000002", param, ctx)
        return int(found[1])


def number_of(case: int) -> str:
    """A case as people see it.

    Examples
    --------
    >>> number_of(2)
    'C000002'
    """
    return f"C{case:06d}"


class Duration(click.ParamType):
    """A time such as 90, 90s, 10m or 2h."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", str(value))
        if found is None or float(found[1]) == 0:
            self.fail(f"{value!r} is not a time such as 90s, 10m or 2h", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]


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


class Instant(click.ParamType):
    """A time, or a day; without an offset in the settings' zone."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Time with an offset."""
        if isinstance(value, datetime):
            return value
        try:
            when = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not an ISO 8601 time such as 2026-11-21T08:15", param, ctx)
        return when if when.tzinfo else when.replace(tzinfo=load().zone)


def pairs(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> Mapping[str, str]:
    """What an option given several times as ``LEFT=RIGHT`` says, the last ``=`` parting them: a callback of click."""
    found: dict[str, str] = {}
    for one in given:
        left, mark, right = one.rpartition("=")
        if not mark or not left.strip() or not right.strip():
            raise click.BadParameter(f"must be {parameter.metavar} (got {one!r})", ctx=context, param=parameter)
        found[left.strip()] = right.strip()
    return found
