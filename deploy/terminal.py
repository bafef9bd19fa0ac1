"""Output to the terminal: text from outside can neither control it nor imitate our own output.

Senders, ledgers and file names bring text that a terminal would obey: escape sequences, carriage returns, marks that
turn the direction of writing, and rich's own markup. All of it is shown, in JSON's way of writing it; none of it acts.
"""

import re
import sys
import time
from typing import Any, Final

import click
from rich.console import Console
from rich.text import Text

__all__ = ["confirm", "console", "counted", "end_over", "printable", "say", "say_over"]

_EVERY_S: Final = 30.0  # between lines of progress where they are kept, as in a log


class _LastLine:
    """Of progress, where it is kept: when it was printed, and what has come since."""

    at = float("-inf")
    waiting = ""


# control characters, half letters, line and paragraph separators, what turns the direction or has no width, and tags
_ACTS: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)


def counted(count: int, noun: str) -> str:
    """A number with its English noun, in the plural where it is not 1.

    Examples
    --------
    >>> counted(1, "unit"), counted(12, "unit")
    ('1 unit', '12 units')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def printable(text: object, *, lines: bool = False) -> str:
    r"""A text whose every character is shown.

    Parameters
    ----------
    text : object
    lines : bool
        Whether line breaks and tabs are ours and stay.

    Examples
    --------
    >>> print(printable("unit \x1b[2J\u202e99"))
    unit \u001b[2J\u202e99
    """
    return _ACTS.sub(lambda match: match[0] if lines and match[0] in "\n\t" else _written(match[0]), str(text))


def say(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print lines of ours, whatever stands in them."""
    click.echo(printable(text, lines=True), err=err, nl=nl)


def confirm(what: str, *, yes: bool) -> None:
    """Ask whether to go on, unless `yes` was given; without a terminal it must be."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{what}: without a terminal --yes must be given; nothing was done")
    click.confirm(f"{what}?", abort=True)


def say_over(text: object) -> None:
    """Print a line of progress over the one before, on the error stream; a log gets one each 30 s, and the last."""
    line = printable(text)
    if sys.stderr.isatty():
        click.echo("\r" + line, err=True, nl=False)
    elif time.monotonic() - _LastLine.at >= _EVERY_S:
        _LastLine.at, _LastLine.waiting = time.monotonic(), ""
        click.echo(line, err=True)
    else:
        _LastLine.waiting = line


def end_over() -> None:
    """End lines of progress: what follows stands on a line of its own."""
    if sys.stderr.isatty():
        click.echo(err=True)
    elif _LastLine.waiting:
        click.echo(_LastLine.waiting, err=True)
    _LastLine.at, _LastLine.waiting = float("-inf"), ""


class _Console(Console):
    """A console for which no text is markup."""

    def render_str(self, text: str, **facts: Any) -> Text:
        return super().render_str(printable(text, lines=True), **{**facts, "markup": False, "emoji": False})


def console(**facts: Any) -> Console:
    """A console for tables and progress; texts given to it are shown as they are, brackets included."""
    return _Console(markup=False, emoji=False, **facts)


def _written(letter: str) -> str:
    number = ord(letter)
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000  # as JSON writes it, in two halves
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
