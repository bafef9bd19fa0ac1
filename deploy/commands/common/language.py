"""One rule for the language of everything that people read: `--language`, else ``METERWARDEN_LANGUAGE``.

Where neither is given, papers (judgements, reports, sheets, forms) are in Chinese and what a command prints is in
English. Messages of errors are in English, and what programs read (``--json``) has its codes in any language.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from analytics.domain.errors import ConfigurationError
from analytics.domain.words import LANGUAGES, Language, Phrase, Phrases
from deploy.commands.common.tables import listed, table
from deploy.settings import load
from deploy.terminal import say

__all__ = ["LANGUAGE", "LANGUAGE_OF_PAPERS", "Bilingual", "chosen", "option", "shown", "told"]

_KEY: Final = "meterwarden.language"


def chosen(unset: Language) -> Language:
    """The language of the settings, or `unset` where none is set (or the settings have faults: they are told later)."""
    try:
        return load().language or unset
    except ConfigurationError:
        return unset


def option(unset: Language, what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The option ``--language``.

    Parameters
    ----------
    unset : Language
        Where neither it nor the setting is given.
    what : str
        For the help: what is in this language.
    """
    return click.option("--language", **_facts(unset, what))


def _facts(unset: Language, what: str) -> dict[str, Any]:
    return {
        "type": click.Choice(LANGUAGES),
        "default": lambda: chosen(unset),
        "show_default": f"METERWARDEN_LANGUAGE, else {unset}",
        "help": what,
    }


LANGUAGE: Final = option("en", "Of what is printed.")
LANGUAGE_OF_PAPERS: Final = option("zh", "Of the text.")


def _keep(context: click.Context, _: click.Parameter, value: str) -> None:
    context.meta[_KEY] = value


class Bilingual(click.Group):
    """A group whose subcommands all take ``--language``, for `told` and `shown`."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Give it the option, where it has none of its own."""
        if not any(parameter.name == "language" for parameter in cmd.params):
            facts = _facts("en", "Of what is printed.")
            cmd.params.append(click.Option(["--language"], expose_value=False, callback=_keep, **facts))
        super().add_command(cmd, name)


def told(*, zh: str, en: str, err: bool = False) -> None:
    """Print a line in the language of the command that runs."""
    say(Phrase(zh=zh, en=en).of(_of_command()), err=err)


def shown(
    rows: Sequence[Mapping[str, Any]], *, as_json: bool = False, words: Mapping[str, Phrases] | None = None
) -> None:
    """Print rows as a table in the language of the command that runs, or as JSON with codes.

    Parameters
    ----------
    rows : sequence of mapping
    as_json : bool
    words : mapping of str to Phrases
        What the codes of a column are called in Chinese; in English they are shown as they are.
    """
    if as_json or _of_command() == "en":
        say(listed(rows, as_json=as_json))
        return
    from deploy.commands.common.headings import heading  # noqa: PLC0415 - the words of boards and pages, for Chinese alone

    named = words or {}

    def cell(column: str, value: object) -> object:
        if isinstance(value, bool):
            return "是" if value else "否"
        word = named.get(column, {}).get(str(value))
        return value if word is None else word.zh

    translated = [{heading(key): cell(key, value) for key, value in row.items()} for row in rows]
    say(table(translated) if translated else "无")


def _of_command() -> Language:
    return next(one for one in LANGUAGES if one == click.get_current_context().meta.get(_KEY, "en"))
