"""`meterwarden doctor`."""

import json
from typing import Final

import click

from deploy.commands.common.language import LANGUAGE
from deploy.settings import load
from deploy.terminal import say

__all__ = ["command"]

_SIGNS: Final = {"good": "✓", "warning": "!", "bad": "✗"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array instead of lines.")
@LANGUAGE
@click.pass_context
def command(context: click.Context, *, as_json: bool, language: str) -> None:
    """Look for what keeps this instance from running: Java, disk, ports, clock, servers, settings. Changes nothing.

    The exit code is 1 where something is bad; warnings alone give 0.
    """
    from deploy.stack.doctor import examine  # noqa: PLC0415 - a help text needs no database driver

    checks = list(examine(load()))
    if as_json:
        rows = [
            {
                "check": one.name,
                "what": one.what.of(language),
                "state": one.state,
                "found": one.found.of(language),
                "todo": one.todo.of(language),
            }
            for one in checks
        ]
        say(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        between = "：" if language == "zh" else ": "
        for one in checks:
            say(f"{_SIGNS[one.state]} {one.what.of(language)}{between}{one.found.of(language)}")
            if one.todo:
                say(f"    → {one.todo.of(language)}")
    context.exit(1 if any(one.state == "bad" for one in checks) else 0)
